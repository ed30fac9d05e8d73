"""Headers, kinds with values, and the collector's parts by name."""
import os
import threading

import pytest

import tenure
from tenure import (Closed, GarbageCollector, GCConfiguration, GCFlags, GCMode, HeapRegionType,
                    ObjectType, StructLayout, SystemMonitor, WeakMap)


def graph(gc, edges, slots=4):
    """Objects by number, linked as `edges` say."""
    made = [gc.allocate(ObjectType.STRUCT, 8, references=slots) for _ in range(1 + max(map(max, edges)))]
    used = [0] * len(made)
    for source, target in edges:
        gc.reference_tracker.add_reference(made[source], used[source], made[target])
        used[source] += 1
    return made


def test_a_header_says_what_is_known(gc):
    made = gc.allocate(ObjectType.ARRAY, 50, references=2)
    header = made.header
    assert (header.size, header.references, header.generation, header.age) == (50, 2, 0, 0)
    assert header.flags == GCFlags.CONCURRENT_SAFE
    made.pin()
    assert made.header.is_pinned and GCFlags.PINNED in made.header.flags
    made.unpin()
    assert not made.header.is_pinned
    weak = made.weak()
    assert GCFlags.WEAK_REFS in made.header.flags
    assert made.clear_weak_refs() == 1 and weak() is None
    assert GCFlags.WEAK_REFS not in made.header.flags
    gc.collect(0)
    assert made.header.age == 1
    assert GCFlags.LARGE_OBJECT in gc.allocate(ObjectType.ARRAY, 1 << 16).header.flags


def test_a_finalizer_runs_by_request_and_never_again(gc):
    made = gc.allocate(ObjectType.ARRAY, 8)
    called = []
    made.set_finalizer(called.append)
    assert made.header.has_finalizer
    assert made.finalize() and len(called) == 1 and called[0].is_same(made)
    assert not made.header.has_finalizer
    assert not made.finalize()
    with pytest.raises(ValueError):
        made.set_finalizer(called.append)
    del made
    called.clear()
    gc.force_full_collection()
    assert gc.run_finalizers() == 0 and called == []


def test_a_sealed_object_refuses_stores_and_keeps_its_value(gc):
    made = gc.allocate(ObjectType.ARRAY, 8, references=1)
    memoryview(made)[0] = 7
    made.set_reference(0, made)
    made.seal()
    gc.force_full_collection()
    assert GCFlags.IMMUTABLE in made.header.flags
    with pytest.raises(TypeError):
        memoryview(made)[0] = 8
    with pytest.raises(ValueError):
        made.set_reference(0, None)
    with pytest.raises(ValueError):
        gc.reference_tracker.remove_reference(made, 0)
    assert memoryview(made)[0] == 7 and made.get_reference(0).is_same(made)


def test_strings_are_text_that_nobody_changes(gc):
    made = gc.string("grüße")
    assert (made.type, made.text, bytes(made)) == (ObjectType.STRING, "grüße", "grüße".encode())
    assert memoryview(made).readonly
    gc.force_full_collection()
    assert made.text == "grüße"
    assert memoryview(gc.allocate(ObjectType.STRING, 3)).readonly
    long = "x" * 100_000
    assert gc.string(long).text == long


def test_scalars_and_complexes_have_values(gc):
    scalar, complex_ = gc.allocate(ObjectType.SCALAR, 8), gc.allocate(ObjectType.COMPLEX, 16)
    scalar.value, complex_.value = 2.5, 1 - 2j
    for generation in (0, 1, 2):
        gc.collect(generation)
        assert (scalar.value, complex_.value) == (2.5, 1 - 2j)
    with pytest.raises(TypeError):
        scalar.value = 1j
    with pytest.raises(AttributeError):
        gc.allocate(ObjectType.ARRAY, 8).value
    scalar.seal()
    with pytest.raises(ValueError):
        scalar.value = 3.0
    assert scalar.value == 2.5


def test_the_unit_value_is_one_object_that_nothing_counts(gc):
    one, two = gc.allocate(ObjectType.UNIT_VALUE, 0), gc.allocate(ObjectType.UNIT_VALUE, 0)
    assert one.is_same(two)
    assert gc.get_statistics().total_objects == 0
    del one, two
    gc.force_full_collection()
    assert gc.allocate(ObjectType.UNIT_VALUE, 0).is_alive


def test_a_closure_keeps_what_it_captured(gc):
    captured = gc.string("kept")
    closure = gc.function("fold", 0x1000, [captured])
    assert closure.type is ObjectType.CLOSURE
    assert gc.function("plain", 0x1000).type is ObjectType.FUNCTION
    del captured
    gc.force_full_collection()
    assert [held.text for held in closure.references()] == ["kept"]
    del closure
    gc.force_full_collection()
    assert gc.get_statistics().total_objects == 0
    with pytest.raises(ValueError):
        gc.function("none", 0)
    with pytest.raises(ValueError):
        gc.allocate(ObjectType.CLOSURE, 8)


def test_memory_element_type_and_shape_are_asked_for_by_name(gc):
    made = gc.allocate(ObjectType.MATRIX, 48, memory="pinned", element="float32", shape=[3, 4])
    assert bytes(made) == bytes(48)
    assert GCFlags.LARGE_OBJECT in made.header.flags
    assert [pool.memory for pool in gc.get_pools()] == ["pinned"]
    with pytest.raises(BufferError):
        memoryview(gc.allocate(ObjectType.TENSOR, 64, memory="device"))
    for wrong in ({"shape": [48]}, {"shape": [6, 9]}, {"element": "float31"}, {"memory": "tape"}):
        with pytest.raises(ValueError):
            gc.allocate(ObjectType.MATRIX, 48, **wrong)


def test_reachable_objects_and_cycles_are_the_heaps_own(gc):
    made = graph(gc, [(0, 1), (1, 2), (2, 0), (2, 3), (4, 4), (5, 0)])
    reached = gc.reference_tracker.get_reachable_objects(made[0])
    assert len(reached) == 4 and reached[0].is_same(made[0])
    cycles = gc.reference_tracker.find_cycles()
    assert sorted(cycle.objects for cycle in cycles) == [1, 3]
    assert all(cycle.types == {"struct": cycle.objects} for cycle in cycles)
    stats = gc.reference_tracker.reference_stats()
    assert (stats.reference_cycles_detected, stats.largest_cycle_size) == (2, 3)
    assert stats.memory_usage_by_type["struct"] == gc.reference_tracker.get_memory_usage_by_type()["struct"]
    assert gc.get_detailed_statistics()["reference_stats"]["largest_cycle_size"] == 3
    gc.reference_tracker.remove_reference(made[2], 0)
    assert gc.reference_tracker.reference_stats().largest_cycle_size == 1
    with pytest.raises(ValueError):
        gc.reference_tracker.add_reference(made[0], 9, made[1])
    with pytest.raises(TypeError):
        gc.reference_tracker.add_reference(made[0], 0, "text")
    tensor = gc.tensor([4])
    gc.reference_tracker.add_reference(made[4], 1, tensor)
    assert made[4].get_reference(1).is_same(tensor)
    for misuse in (lambda: gc.reference_tracker.add_reference(tensor, 0, made[0]),
                   lambda: gc.heap_manager.deallocate_object(tensor),
                   lambda: gc.generational_gc.get_age(tensor)):
        with pytest.raises(ValueError):
            misuse()


def test_generations_tell_of_their_objects_and_collections(gc):
    held = [gc.allocate(ObjectType.ARRAY, 100) for _ in range(50)]
    rows = gc.generational_gc.collect_generation(1)
    assert [row.generation for row in rows] == [0, 1]
    for row in rows:
        assert row.bytes_before == row.bytes_collected + row.bytes_survived
        assert row.trigger_reason == "explicit request" and row.end_time > row.start_time
    report = gc.collect(0)
    assert [row.generation for row in report.generations] == [0]
    stats = gc.get_gc_statistics()
    assert stats.total_collections == 2 and not stats.collection_in_progress
    assert [generation.collection_count for generation in stats.generations] == [1, 1, 0]
    assert sum(generation.object_count for generation in stats.generations) == 50
    assert sum(sum(generation.age_distribution) for generation in stats.generations) == 50
    assert len(stats.recent_collections) == 3
    assert stats.generations[0].size_limit == 1 << 20
    assert gc.generational_gc.get_age(held[0]) == held[0].header.age
    assert isinstance(gc.generational_gc.should_promote(held[0]), bool)
    with pytest.raises(ValueError):
        gc.generational_gc.request_collection(3)


def test_threads_that_ask_together_share_collections():
    gc = GarbageCollector(GCConfiguration(young_gen_size_mb=64, mode=GCMode.MANUAL))
    held = [gc.allocate(ObjectType.ARRAY, 100, references=1) for _ in range(50_000)]
    barrier = threading.Barrier(8)

    def ask():
        barrier.wait()
        assert len(gc.generational_gc.request_collection(2)) == 3

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 <= gc.get_statistics().total_collections <= 8
    assert len(held) == 50_000
    gc.shutdown()


def test_heap_statistics_add_up_and_reset(gc):
    held = [gc.allocate(ObjectType.ARRAY, size) for size in (100, 200, 100_000)]
    gc.allocate(ObjectType.ARRAY, 100)
    gc.force_full_collection()
    stats = gc.get_heap_statistics()
    assert (stats.total_allocations, stats.total_deallocations) == (4, 1)
    assert stats.net_bytes == stats.bytes_allocated - stats.bytes_freed
    assert stats.net_bytes == gc.get_statistics().used_bytes
    for pool in stats.pools:
        assert pool.total_size == pool.total_used + pool.total_free
    gc.reset_statistics()
    stats = gc.get_heap_statistics()
    assert (stats.total_allocations, stats.net_bytes) == (0, 0)
    after = gc.get_statistics()
    assert (after.total_collections, after.total_pause_time_ms, after.total_objects) == (0, 0.0, 3)
    assert after.allocation_rate_mb_per_sec > 0 and after.p99_pause_time_ms == 0
    assert len(held) == 3


def test_regions_are_found_by_address_and_add_up(gc):
    made = gc.allocate(ObjectType.ARRAY, 100)
    made.pin()
    region = gc.heap_manager.get_region_for_address(made.address)
    assert region.type is HeapRegionType.YOUNG_GENERATION and region.contains_address(made.address)
    uses = gc.heap_manager.regions()
    assert region in [use.region for use in uses]
    for use in uses:
        assert use.region.size == use.used_bytes + use.free_bytes + use.metadata
    assert gc.heap_manager.get_region_for_address(0) is None


def test_the_heap_manager_ends_payloads_and_compacts(gc):
    large = gc.allocate(ObjectType.ARRAY, 1 << 20)
    before = gc.get_statistics().used_bytes
    gc.heap_manager.deallocate_object(large)
    assert gc.get_statistics().used_bytes == before - (1 << 20)
    with pytest.raises(ValueError):
        gc.heap_manager.deallocate_object(large)
    with pytest.raises(BufferError):
        memoryview(large)
    gc.heap_manager.compact_heap()
    with pytest.raises(RuntimeError):
        gc.heap_manager.compact_heap(HeapRegionType.LARGE_OBJECT)
    assert gc.heap_manager.should_trigger_gc() in (True, False)
    gc.heap_manager.set_large_object_threshold(4)
    assert GCFlags.LARGE_OBJECT in gc.allocate(ObjectType.ARRAY, 5_000).header.flags


def test_a_weak_map_keeps_values_as_long_as_keys_and_no_key(gc):
    names = WeakMap(gc)
    keys = [gc.allocate(ObjectType.ARRAY, 8) for _ in range(3)]
    for number, key in enumerate(keys):
        names[key] = gc.string(f"object {number}")
    gc.force_full_collection()
    assert len(names) == 3 and names[keys[1]].text == "object 1" and keys[1] in names
    names[keys[1]] = gc.string("other")
    del names[keys[2]]
    assert names.get(keys[2]) is None
    with pytest.raises(KeyError):
        names[keys[2]]
    with pytest.raises(KeyError):
        del names[keys[2]]
    del keys[0], key
    gc.force_full_collection()
    assert len(names) == 1 and names[keys[0]].text == "other"
    assert gc.get_statistics().objects_by_type == {"array": 2, "string": 1}
    other = GarbageCollector(GCConfiguration(young_gen_size_mb=1))
    with pytest.raises(ValueError):
        names[other.allocate(ObjectType.ARRAY, 8)] = keys[0]
    other.shutdown()
    with pytest.raises(TypeError):
        WeakMap("no collector")


def test_a_permanent_object_lives_without_a_root(gc):
    child = gc.string("child")
    made = gc.allocate(ObjectType.ARRAY, 8, references=1, permanent=True)
    made.set_reference(0, child)
    weak = made.weak()
    del made, child
    for generation in (0, 1, 2):
        gc.collect(generation)
    assert weak().get_reference(0).text == "child"
    assert gc.get_statistics().permanent_objects == 1


def test_structures_have_the_slots_and_fields_that_were_declared(gc):
    point = StructLayout("Point", size=24, references=2, slots={"next": 1},
                         fields={"x": ("float64", 0), "tag": ("int32", 8), "marks": ("uint8", 12, 4)})
    one, two = gc.struct(point), gc.struct(point)
    point.set(one, "x", 2.5)
    point.set(one, "tag", -7)
    point.set(one, "marks", [1, 2, 3, 4])
    point.set(one, "next", two)
    for generation in (0, 1, 2):
        gc.collect(generation)
    assert (point.get(one, "x"), point.get(one, "tag"), point.get(two, "x")) == (2.5, -7, 0.0)
    assert point.get(one, "marks") == [1, 2, 3, 4] and point.get(one, "next").is_same(two)
    assert gc.get_statistics().objects_by_type == {"struct": 2}
    with pytest.raises(ValueError):
        point.get(gc.allocate(ObjectType.STRUCT, 24, references=2), "x")
    with pytest.raises(KeyError):
        point.get(one, "y")
    for slots, fields in (({"a": 2}, {}), ({"a": 0, "b": 0}, {}), ({}, {"a": ("float64", 24)}),
                          ({}, {"a": ("float64", 0), "b": ("int8", 7)}), ({}, {"a": ("int32", 2)}),
                          ({"a": 0}, {"a": ("int8", 0)}), ({}, {"a": ("text", 0)})):
        with pytest.raises(ValueError):
            StructLayout("S", size=24, references=2, slots=slots, fields=fields)


def test_the_system_monitor_agrees_with_the_kernel(gc):
    monitor = SystemMonitor()
    kept = bytearray(os.urandom(1 << 26))
    read = monitor.read()
    with open("/proc/self/statm") as statm:
        mapped, resident = (int(pages) * os.sysconf("SC_PAGE_SIZE") for pages in statm.read().split()[:2])
    assert read.process_memory_rss == pytest.approx(resident, rel=0.01)
    assert read.process_memory_vms == pytest.approx(mapped, rel=0.01)
    assert read.cpu_percent > 0 and read.cpu_count >= 1
    assert 0 < read.system_memory_available <= read.system_memory_total
    assert gc.get_detailed_statistics()["system_stats"]["process_memory_rss"] > len(kept)


def test_the_allocation_tracker_counts_each_one(gc):
    sizes = [10, 200, 40_000, 8]
    held = [gc.allocate(ObjectType.ARRAY, size) for size in sizes[:3]] + [gc.allocate(ObjectType.SCALAR, 8)]
    tracker = gc.get_allocation_tracker()
    assert tracker.total_bytes_allocated == sum(sizes)
    assert tracker.average_allocation_size == sum(sizes) / 4
    assert tracker.allocations_by_type == {"array": 3, "scalar": 1}
    assert [(made.type, made.size) for made in tracker.recent_allocations] == [
        (made.type, made.size) for made in held]
    assert tracker.allocation_rate_bytes_per_sec > 0


def test_parts_are_closed_with_their_collector():
    gc = GarbageCollector(GCConfiguration(young_gen_size_mb=1))
    made, names = gc.allocate(ObjectType.ARRAY, 8), WeakMap(gc)
    parts = gc.heap_manager, gc.generational_gc, gc.reference_tracker
    gc.shutdown()
    for call in (parts[0].regions, parts[0].get_heap_statistics, parts[1].get_gc_statistics,
                 parts[2].find_cycles, lambda: made.header, lambda: len(names), gc.reset_statistics):
        with pytest.raises(Closed):
            call()


def test_a_field_that_contradicts_the_mode_is_refused_by_name():
    with pytest.raises(ValueError, match="enable_incremental"):
        GarbageCollector(GCConfiguration(mode=GCMode.INCREMENTAL, enable_incremental=False))


def test_every_public_name_is_there():
    assert [name for name in tenure.__all__ if not hasattr(tenure, name)] == []
    assert os.path.exists(os.path.join(os.path.dirname(tenure.__file__), "_native.pyi"))
