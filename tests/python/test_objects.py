"""Objects: kept by what Python holds, linked by slots, gone when nothing leads to them."""
import random

import pytest

import tenure
from tenure import GarbageCollector, GCConfiguration, GCMode, ObjectType


def used(gc):
    return gc.get_statistics().total_objects


def test_a_held_object_survives_collections_and_a_dropped_one_does_not(gc):
    held = gc.allocate(ObjectType.ARRAY, 100)
    memoryview(held)[:] = bytes(range(100))
    for generation in (0, 1, 2) * 34:
        gc.collect(generation)
    assert bytes(held) == bytes(range(100))

    del held
    gc.force_full_collection()
    assert used(gc) == 0


def test_an_object_is_what_was_asked_for(gc):
    made = gc.allocate(ObjectType.MATRIX, 24, references=3)
    assert (made.type, made.size, len(made), made.reference_count) == (ObjectType.MATRIX, 24, 24, 3)
    assert bytes(made) == bytes(24)
    assert made.references() == [] and made.get_reference(2) is None
    assert gc.get_statistics().objects_by_type == {"matrix": 1}


@pytest.mark.parametrize("size", [0, 1, 7, 1000, 32 * 1024 - 1, 32 * 1024, 1_000_003])
def test_each_size_is_zero_and_writable(gc, size):
    made = gc.allocate(ObjectType.ARRAY, size)
    assert bytes(made) == bytes(size)
    memoryview(made)[:] = b"\x5a" * size
    gc.force_full_collection()
    assert bytes(made) == b"\x5a" * size


def test_references_keep_their_objects(gc):
    head = None
    for number in range(10_000):
        node = gc.allocate(ObjectType.STRUCT, 8, references=2)
        memoryview(node)[:] = number.to_bytes(8, "little")
        node.set_reference(1, head)
        head = node
    del node
    gc.force_full_collection()
    assert used(gc) == 10_000

    at = head
    for number in reversed(range(10_000)):
        assert int.from_bytes(bytes(at), "little") == number
        at = at.get_reference(1)
    assert at is None

    head.set_reference(1, None)
    gc.force_full_collection()
    assert used(gc) == 1


def test_an_old_object_keeps_a_young_one(gc):
    old = gc.allocate(ObjectType.STRUCT, 8, references=1)
    for _ in range(5):
        gc.force_full_collection()
    old.set_reference(0, gc.allocate(ObjectType.SCALAR, 8))
    gc.collect(0)
    assert old.get_reference(0).type is ObjectType.SCALAR


def test_two_ways_to_one_object_are_the_same(gc):
    a = gc.allocate(ObjectType.STRUCT, 8, references=1)
    a.set_reference(0, a)
    assert a.get_reference(0).is_same(a)
    assert not a.is_same(gc.allocate(ObjectType.STRUCT, 8))


def test_a_random_graph_is_what_a_dictionary_says(gc):
    draw = random.Random(7)
    held = [gc.allocate(ObjectType.STRUCT, 8, references=4) for _ in range(300)]
    known = {}
    for number, node in enumerate(held):
        memoryview(node)[:] = number.to_bytes(8, "little")
    for step in range(5000):
        owner, slot, target = draw.randrange(300), draw.randrange(4), draw.randrange(300)
        if draw.random() < 0.2:
            held[owner].set_reference(slot, None)
            known.pop((owner, slot), None)
        else:
            held[owner].set_reference(slot, held[target])
            known[owner, slot] = target
        if step % 500 == 0:
            gc.collect(draw.randrange(3))
    for owner in range(300):
        for slot in range(4):
            found = held[owner].get_reference(slot)
            assert (found and int.from_bytes(bytes(found), "little")) == known.get((owner, slot))


def test_a_full_heap_is_a_memory_error_and_empties_again():
    gc = GarbageCollector(GCConfiguration(young_gen_size_mb=1, old_gen_size_mb=2, heap_limit_mb=16))
    held = []
    with pytest.raises(MemoryError, match="no room") as raised:
        while True:
            held.append(gc.allocate(ObjectType.ARRAY, 30_000))
    assert type(raised.value) is tenure.OutOfMemory and len(held) > 100
    held.clear()
    assert bytes(gc.allocate(ObjectType.ARRAY, 30_000)) == bytes(30_000)
    gc.shutdown()


def test_pins_are_counted(gc):
    made = gc.allocate(ObjectType.ARRAY, 64)
    with pytest.raises(ValueError, match="pin it first"):
        made.address
    made.pin()
    made.pin()
    before = made.address
    for _ in range(5):
        gc.force_full_collection()
    made.unpin()
    assert made.address == before
    made.unpin()
    with pytest.raises(ValueError, match="more often"):
        made.unpin()


@pytest.mark.parametrize("mode", list(GCMode))
def test_each_mode_keeps_what_is_held(mode):
    gc = GarbageCollector(GCConfiguration(mode=mode, young_gen_size_mb=1, old_gen_size_mb=1))
    held = [gc.allocate(ObjectType.STRUCT, 64, references=1) for _ in range(2000)]
    for number in range(60_000):
        node = gc.allocate(ObjectType.STRUCT, 64, references=1)
        node.set_reference(0, held[number % 2000].get_reference(0) if number % 7 else None)
        held[number % 2000].set_reference(0, node)
    assert (gc.get_statistics().total_collections > 0) == (mode is not GCMode.MANUAL)
    assert all(node.get_reference(0) is not None for node in held)
    gc.shutdown()


def test_workloads_say_what_they_change(gc):
    assert {change.field for change in gc.optimize_for_workload(["machine_learning"])}
    with pytest.raises(ValueError, match="real_time"):
        gc.optimize_for_workload(["surfing"])


def test_statistics_add_up(gc):
    held = [gc.allocate(ObjectType.ARRAY, 1000) for _ in range(100)]
    gc.force_full_collection()
    stats = gc.get_statistics()
    assert stats.used_bytes + stats.free_bytes == stats.heap_size_bytes
    assert sum(stats.objects_by_generation) >= stats.total_objects == len(held)
    assert stats.total_collections == 1 and stats.collections_by_generation[2] == 1
    assert gc.collect().generation == 0


def test_references_come_in_the_order_of_their_slots(gc):
    owner = gc.allocate(ObjectType.STRUCT, 8, references=5)
    targets = [gc.allocate(ObjectType.SCALAR, 8) for _ in range(3)]
    for slot, target in zip((4, 0, 2), targets):
        owner.set_reference(slot, target)
    for _ in range(3):
        found = owner.references()
        assert len(found) == 3 and all(a.is_same(b) for a, b in
                                       zip(found, (targets[1], targets[2], targets[0])))
        gc.force_full_collection()


def test_without_a_generation_it_is_collected_as_far_as_the_heap_is_full():
    gc = GarbageCollector(GCConfiguration(mode=GCMode.MANUAL, young_gen_size_mb=1, old_gen_size_mb=1,
                                          heap_limit_mb=32))
    held, collected = [], {}
    for _ in range(32 * 1024 // 30):
        try:
            held.append(gc.allocate(ObjectType.ARRAY, 30 * 1024))
        except MemoryError:
            break
        if len(held) % 50 == 0 or len(held) > 900:
            share = gc.get_detailed_statistics()["heap_stats"]
            collected[share["used_bytes"] / share["limit_bytes"]] = gc.collect().generation
    assert {0, 1, 2} == set(collected.values())
    for share, generation in collected.items():
        assert generation == (2 if share > 0.9 else 1 if share > 0.7 else 0), collected
    gc.shutdown()


def test_many_objects_dropped_at_once_are_gone_at_once(gc):
    held = [gc.allocate(ObjectType.SCALAR, 8) for _ in range(100_000)]
    assert used(gc) == len(held)
    del held
    gc.force_full_collection()
    assert used(gc) == 0
    assert gc.shutdown().handles_outstanding == 0
