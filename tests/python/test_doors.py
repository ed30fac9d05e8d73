"""Strategies and pools, edges between generations, walks, root callbacks; the profiler and the optimizer."""
import gc as python_gc
import sys
import threading

import pytest

import tenure
from tenure import (AllocationStrategy, Closed, GarbageCollector, GCConfiguration, GCFlags, GCMode,
                    HeapRegionType, ObjectType, OutOfMemory, ProfilingLevel)

KIB = 1024


@pytest.fixture
def host():
    with GarbageCollector(GCConfiguration(young_gen_size_mb=1, device="host")) as collector:
        yield collector


def address_of(array):
    numpy = pytest.importorskip("numpy")
    return numpy.frombuffer(array, numpy.uint8).ctypes.data


def holes(collector, sizes):
    """Frees payloads of these sizes in KiB, that others lie between; gives their addresses."""
    kept, dropped, found = [], [], []
    for size in sizes:
        dropped.append(collector.allocate(ObjectType.ARRAY, size * KIB))
        found.append(address_of(dropped[-1]))
        kept.append(collector.allocate(ObjectType.ARRAY, 32 * KIB))
    for array in dropped:
        collector.heap_manager.deallocate_object(array)
    return kept, found


@pytest.mark.parametrize("strategy, hole", [(AllocationStrategy.FIRST_FIT, 0), (AllocationStrategy.BEST_FIT, 1),
                                            (AllocationStrategy.WORST_FIT, 2)])
def test_a_strategy_is_seen_by_where_data_lie(host, strategy, hole):
    kept, found = holes(host, [128, 96, 256])
    host.heap_manager.set_allocation_strategy(HeapRegionType.LARGE_OBJECT, strategy)
    assert host.heap_manager.get_allocation_strategy(HeapRegionType.LARGE_OBJECT) == strategy
    assert found.index(address_of(host.allocate(ObjectType.ARRAY, 80 * KIB))) == hole


def test_a_strategy_is_chosen_by_configuration_and_by_measuring():
    with GarbageCollector(GCConfiguration(device="host", allocation_strategy=AllocationStrategy.WORST_FIT)) as worst:
        kept, found = holes(worst, [128, 96, 256])
        array = worst.allocate(ObjectType.ARRAY, 80 * KIB)
        assert found.index(address_of(array)) == 2
        rows = worst.heap_manager.optimize_allocation_strategy()
        large = [row for row in rows if row.region_type == HeapRegionType.LARGE_OBJECT][0]
        assert large.before == AllocationStrategy.WORST_FIT and "requests in" in large.reason
        assert worst.heap_manager.get_allocation_strategy(HeapRegionType.LARGE_OBJECT) == large.after
        with pytest.raises(RuntimeError, match="one behind the other"):
            worst.heap_manager.set_allocation_strategy(HeapRegionType.YOUNG_GENERATION, AllocationStrategy.BEST_FIT)


def test_a_specialized_pool_has_a_size_and_an_alignment_of_its_own(host):
    manager = host.heap_manager
    pool = manager.create_specialized_pool("tiles", 4 << 20, alignment=4096)
    tile = pool.allocate(3 << 20)
    assert tile.address % 4096 == 0 and tile.size == 3 << 20
    memoryview(tile)[:4] = b"abcd"
    assert bytes(memoryview(tile)[:4]) == b"abcd"
    with pytest.raises(OutOfMemory, match="are leased in 1 block"):
        pool.allocate(2 << 20)
    with pytest.raises(OutOfMemory):
        manager.resize_pool("tiles", 2 << 20)
    assert manager.resize_pool("tiles", 8 << 20).size == 8 << 20
    other = pool.allocate(2 << 20)
    figures = pool.get_statistics()
    assert (figures["name"], figures["live_bytes"], figures["live_blocks"]) == ("tiles", 5 << 20, 2)
    row = [row for row in manager.get_heap_statistics().pools if row.name == "tiles"][0]
    assert row.total_used == 5 << 20 and row.total_used + row.total_free == row.total_size
    view = memoryview(tile)
    del tile
    assert pool.get_statistics()["live_blocks"] == 2, "who looks at it keeps it"
    view.release()
    del view, other
    assert pool.get_statistics()["live_blocks"] == 0
    assert manager.resize_pool("tiles", 2 << 20).reserved == 2 << 20
    assert sum(block.size for block in pool.free_blocks()) == 2 << 20
    with pytest.raises(ValueError):
        manager.create_specialized_pool("tiles", 1 << 20)
    with pytest.raises(ValueError):
        manager.create_specialized_pool("odd", 1 << 20, alignment=24)
    assert manager.get_pool("rows") is None and manager.get_pool("tiles").alignment == 4096


def test_a_block_outlives_its_collector_without_bytes():
    with GarbageCollector(GCConfiguration(device="host")) as collector:
        block = collector.heap_manager.create_specialized_pool("tiles", 1 << 20).allocate(100)
    with pytest.raises(BufferError):
        memoryview(block)


def test_a_region_says_whether_an_object_fits(gc):
    manager = gc.heap_manager
    made = gc.allocate(ObjectType.STRUCT, 40, permanent=True)
    region = manager.get_region_for_address(next(use.region.address for use in manager.regions()
                                                 if use.region.type == HeapRegionType.PERMANENT))
    assert manager.can_allocate(region, 40) and not manager.can_allocate(region, 1 << 20)
    assert made.size == 40


def test_the_remembered_set_has_the_owners_of_younger_objects(gc):
    owner = gc.allocate(ObjectType.STRUCT, 8, references=1)
    gc.force_full_collection()
    young = gc.allocate(ObjectType.STRUCT, 8)
    owner.set_reference(0, young)
    dirty = gc.remembered_set.get_dirty_objects()
    assert len(dirty) == 1 and dirty[0].is_same(owner)
    with pytest.raises(ValueError):
        gc.remembered_set.remove_reference(owner, young)
    gc.remembered_set.record_reference(owner, young)
    assert gc.remembered_set.clear_dirty_objects() >= 1, "an edge is kept for as long as it is there"
    owner.set_reference(0, None)
    assert gc.remembered_set.remove_reference(owner, young) is False
    assert gc.remembered_set.get_dirty_objects() == []


def test_barriers_are_turned_off_and_nothing_is_lost(gc):
    owner = gc.allocate(ObjectType.STRUCT, 8, references=2)
    gc.force_full_collection()
    barrier = gc.write_barrier
    barrier.disable()
    assert not barrier.is_enabled
    owner.set_reference(0, gc.allocate(ObjectType.STRUCT, 24))
    assert GCFlags.REMEMBERED not in owner.header.flags
    gc.collect(0)
    assert owner.references()[0].size == 24
    barrier.enable()
    owner.set_reference(1, gc.allocate(ObjectType.STRUCT, 32))
    gc.collect(0)
    assert owner.references()[1].size == 32
    barrier.record_write(owner, 1)
    with pytest.raises(ValueError, match="enable_write_barriers"):
        GarbageCollector(GCConfiguration(mode=GCMode.CONCURRENT, enable_write_barriers=False))
    with GarbageCollector(GCConfiguration(mode=GCMode.INCREMENTAL)) as sliced:
        with pytest.raises(RuntimeError, match="incremental"):
            sliced.write_barrier.disable()


def test_ages_are_read_from_headers(gc):
    made = [gc.allocate(ObjectType.STRUCT, 8) for _ in range(5)]
    ages = gc.age_tracker
    assert ages.get_age_distribution(0)[0] == 5
    gc.collect(0)
    assert [ages.get_age(each) for each in made] == [1] * 5
    assert ages.get_age_distribution(0)[1] == 5
    while not ages.should_promote(made[0]):
        gc.collect(0)
    gc.collect(0)
    assert made[0].header.generation == 1


def test_a_tracer_walks_in_pieces_though_objects_move(gc):
    made = [gc.allocate(ObjectType.STRUCT, 8, references=1) for _ in range(100)]
    for one, other in zip(made, made[1:]):
        one.set_reference(0, other)
    loose = gc.allocate(ObjectType.STRUCT, 8)
    tracer = gc.open_tracer()
    assert tracer.trace_object(made[0]) and not tracer.trace_object(made[0])
    slices = 0
    while not tracer.process_work_stack(10):
        gc.collect(slices % 3)
        slices += 1
    assert slices == 9 and tracer.reached == 100 and tracer.pending == 0
    assert tracer.has_reached(made[99]) and not tracer.has_reached(loose)
    array = gc.allocate(ObjectType.ARRAY, 8, references=3)
    array.set_reference(1, loose)
    assert tracer.trace_array(array, 0, 3) == 1
    with pytest.raises(ValueError):
        tracer.trace_array(array, 1, 3)


def test_a_relocator_keeps_a_side_table_right(gc):
    places = gc.open_relocator()
    made = [gc.allocate(ObjectType.STRUCT, 8) for _ in range(50)]
    table = {places.add_forwarding(each): each for each in made}
    for _ in range(4):
        gc.collect(2)
    gc.heap_manager.compact_heap()
    assert places.moved == 50 and places.count == 50
    for old, each in table.items():
        now = places.relocate_reference(old)
        assert now != old and gc.heap_manager.get_region_for_address(now) is not None
    places.rebase()
    assert places.moved == 0
    assert places.relocate_reference(1) is None
    gc.shutdown()
    with pytest.raises(Closed):
        places.rebase()


def test_a_root_callback_is_asked_once_in_each_collection(gc):
    asked = []
    held = [gc.allocate(ObjectType.STRUCT, 8)]
    number = gc.add_root_callback(lambda: asked.append(1) or held)
    for generation in (0, 1, 2):
        gc.collect(generation)
    assert len(asked) == 3
    assert gc.remove_root_callback(number) and not gc.remove_root_callback(number)
    gc.collect(0)
    assert len(asked) == 3


def test_what_a_root_callback_named_lives_though_it_fails_later(gc, monkeypatch):
    raised = []
    monkeypatch.setattr(sys, "unraisablehook", lambda told: raised.append(told.exc_value))
    made = gc.allocate(ObjectType.STRUCT, 8)
    weak = made.weak()
    answers = [[made]]
    number = gc.add_root_callback(lambda: answers.pop())
    gc.collect(0)
    del made
    gc.force_full_collection()  # the callback raises: there is nothing to pop
    assert raised and isinstance(raised[-1], IndexError)
    assert weak() is not None and weak().size == 8
    gc.remove_root_callback(number)
    gc.force_full_collection()
    assert weak() is None


def test_a_root_callback_may_not_call_its_collector(gc, monkeypatch):
    raised = []
    monkeypatch.setattr(sys, "unraisablehook", lambda told: raised.append(str(told.exc_value)))
    gc.add_root_callback(lambda: [gc.allocate(ObjectType.STRUCT, 8)])
    gc.collect(0)
    assert len(raised) == 1 and "in the midst of its" in raised[0]
    gc.add_root_callback(lambda: [3])
    gc.collect(0)
    assert gc.get_statistics().total_collections == 2


def test_root_callbacks_run_beside_threads_that_allocate():
    with GarbageCollector(GCConfiguration(young_gen_size_mb=1, device="host")) as collector:
        table = {}
        number = collector.add_root_callback(lambda: list(table.values()))
        faults = []

        def work(name):
            for k in range(300):
                table[name] = collector.allocate(ObjectType.STRUCT, 2000, references=1)
                if table[name].size != 2000:
                    faults.append(name)
                if k % 50 == 0:
                    collector.collect(0)

        threads = [threading.Thread(target=work, args=(name,)) for name in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert faults == [] and len(table) == 6
        assert collector.remove_root_callback(number)


def test_the_profiler_finds_what_is_allocated():
    with GarbageCollector(GCConfiguration(enable_profiling=True, profiling_level=ProfilingLevel.DETAILED,
                                          sample_interval_bytes=1, young_gen_size_mb=1, device="host")) as collector:
        profiler = collector.memory_profiler
        assert profiler.profiling_level == ProfilingLevel.DETAILED
        kept = [collector.allocate(ObjectType.STRUCT, 100) for _ in range(1000)]
        collector.force_full_collection()
        site = max(profiler.get_allocation_profiles(), key=lambda site: site.total_allocations)
        assert site.what == "struct" and 900 <= site.total_allocations <= 1100
        assert site.current_bytes <= site.total_bytes and site.average_size > 100
        assert profiler.get_top_allocators(1)[0].what == "struct"
        assert profiler.get_memory_usage_by_type()["struct"]["count"] == len(kept)
        timeline = profiler.get_allocation_timeline()
        assert 900 <= sum(second.allocations for second in timeline) <= 1100
        assert sum(profiler.get_allocation_patterns().allocation_size_histogram) > 900
        assert profiler.get_memory_leaks() == [] and "struct" in profiler.generate_report()
        profiler.clear_history()
        assert profiler.get_allocation_profiles() == []
        profiler.set_profiling_level(ProfilingLevel.NONE)
        with pytest.raises(ValueError):
            profiler.get_top_allocators()


def test_the_optimizer_sees_the_load_and_can_be_asked():
    with GarbageCollector(GCConfiguration(enable_profiling=True, profiling_level=ProfilingLevel.DETAILED,
                                          sample_interval_bytes=1, young_gen_size_mb=1, device="host")) as collector:
        optimizer = collector.memory_optimizer
        for _ in range(2000):
            collector.allocate(ObjectType.STRUCT, 100)
        collector.force_full_collection()
        pattern = [row for row in optimizer.analyze_patterns() if row.type == "struct"][0]
        assert "short_lived" in pattern.optimization_hints and pattern.average_size > 100
        array = collector.allocate(ObjectType.ARRAY, 1000)
        for k in range(500):
            optimizer.record_access(array, "read", k % 1000)
        array_pattern = [row for row in optimizer.analyze_patterns() if row.type == "array"]
        assert all(row.access_pattern == tenure.AccessPattern.SEQUENTIAL for row in array_pattern)
        with pytest.raises(ValueError):
            optimizer.record_access(array, "look")
        assert isinstance(optimizer.get_optimization_recommendations(), list)
        assert isinstance(optimizer.optimize(), list)
        optimizer.set_optimization_parameters(0.8, 2)
        report = optimizer.get_optimization_report()
        assert (report.min_confidence, report.max_optimizations_per_cycle) == (0.8, 2)
        with pytest.raises(ValueError):
            optimizer.set_optimization_parameters(2.0, 2)
        with pytest.raises(ValueError):
            optimizer.revert("Generation Tuning")
        optimizer.note_batch_boundary()
        optimizer.set_auto_optimize(True)
        assert optimizer.get_optimization_report().auto_optimize
        optimizer.clear_history()
        python_gc.collect()
