"""Callbacks under pressure, counted roots, and all figures in their groups."""
import gc as cycles
import threading
import weakref

import numpy as np
import pytest

from tenure import GarbageCollector, GCConfiguration, ObjectType, OutOfMemory, PressureCall

MIB = 1 << 20


def fill(gc, tensors=8):
    return [gc.tensor([8 * MIB], "uint8", "device") for _ in range(tensors)]


def test_a_callback_is_asked_before_a_request_is_refused(gc):
    held, told = fill(gc), []

    def give_one_back(call):
        told.append(call)
        if call.wanted_bytes:
            held.pop()

    id = gc.on_pressure(give_one_back)
    gc.tensor([8 * MIB], "uint8", "device")
    asked = [call for call in told if call.wanted_bytes]
    assert asked == [PressureCall("critical", "device", 8 * MIB, False)] and len(held) == 7
    assert gc.remove_pressure_callback(id) and not gc.remove_pressure_callback(id)

    held += fill(gc, 1)
    with pytest.raises(OutOfMemory):
        gc.tensor([8 * MIB], "uint8", "device")
    assert len([call for call in told if call.wanted_bytes]) == 1


def test_levels_are_told_once_on_the_way_up(gc):
    levels = []
    gc.on_pressure(lambda call: levels.append(call.level))
    held = fill(gc)
    assert levels == ["moderate", "critical"] or levels == ["moderate", "high", "critical"]
    assert held and gc.pressure().level == "critical" and gc.pressure().pool_shares["device"] == 1.0
    assert gc.get_statistics().memory_pressure == 1.0


def test_a_callback_that_calls_the_collector_is_refused_and_may_remove_itself(gc, monkeypatch):
    raised, calls = [], []
    monkeypatch.setattr("sys.unraisablehook", lambda hook: raised.append(str(hook.exc_value)))

    def misbehave(call):
        calls.append(call)
        gc.remove_pressure_callback(id)
        gc.allocate(ObjectType.ARRAY, 8)

    held = fill(gc)
    id = gc.on_pressure(misbehave)
    for _ in range(2):
        with pytest.raises(OutOfMemory):
            gc.tensor([8 * MIB], "uint8", "device")
    assert len(calls) == 1 and held
    assert len(raised) == 1 and "in the midst of its request" in raised[0]


def test_a_callback_is_kept_and_let_go_of(gc):
    class Callback:
        def __call__(self, call):
            pass

    kept, removed = Callback(), Callback()
    gone, gone_too = weakref.ref(kept), weakref.ref(removed)
    gc.on_pressure(kept)
    gc.remove_pressure_callback(gc.on_pressure(removed))
    del kept, removed
    cycles.collect()
    assert gone() is not None and gone_too() is None
    gc.shutdown()
    assert gone() is None
    with pytest.raises(RuntimeError):
        gc.on_pressure(print)
    with pytest.raises(TypeError):
        GarbageCollector().remove_pressure_callback("one")


def test_callbacks_of_several_threads_end_before_they_are_removed(gc):
    running, held = [], fill(gc)
    id = gc.on_pressure(lambda call: running.append(1))

    def work():
        for _ in range(20):
            with pytest.raises(OutOfMemory):
                gc.tensor([8 * MIB], "uint8", "device")

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert gc.remove_pressure_callback(id)
    after = len(running)
    for thread in threads:
        thread.join()
    assert len(running) == after and held


def test_a_root_stays_until_it_was_removed_as_often_as_it_was_added(gc):
    node, tensor = gc.allocate(ObjectType.STRUCT, 8, references=1), gc.tensor([4])
    node.set_reference(0, tensor)
    weak = node.weak()
    for _ in range(2):
        gc.add_root(node)
    gc.add_root(tensor)
    del node
    gc.force_full_collection()
    assert weak() is not None

    gc.remove_root(weak())
    gc.force_full_collection()
    assert np.asarray(weak().get_reference(0)).shape == (4,)
    gc.remove_root(weak())
    gc.force_full_collection()
    assert weak() is None

    gc.remove_root(tensor)
    with pytest.raises(ValueError, match="no root"):
        gc.remove_root(tensor)
    with pytest.raises(TypeError):
        gc.add_root(7)
    with pytest.raises(ValueError, match="another collector"):
        GarbageCollector().add_root(tensor)


def test_figures_come_in_groups_that_add_up():
    gc = GarbageCollector(GCConfiguration(young_gen_size_mb=1, device="sim:64MiB"))
    held = [gc.allocate(ObjectType.ARRAY, 100) for _ in range(500)] + [gc.tensor([1000])]
    gc.collect(0)
    gc.force_full_collection()

    groups = gc.get_detailed_statistics()

    assert set(groups) == {"gc_stats", "heap_stats", "generational_stats", "reference_stats", "system_stats",
                           "allocation_stats", "payload_stats", "pause_stats"}
    generations, pauses = groups["generational_stats"], groups["pause_stats"]
    assert sum(row["object_count"] for row in generations) == len(held)
    assert [row["collection_count"] for row in generations] == [1, 0, 1]
    assert groups["reference_stats"]["memory_usage_by_type"].keys() == {"array", "Tensor"}
    assert groups["gc_stats"]["total_objects"] == 500
    assert groups["payload_stats"]["pools"][0]["live_bytes"] == 4000
    assert pauses["pauses"]["count"] == 2 == sum(pauses["collections_by_trigger"].values())
    assert pauses["pauses"]["p50_ms"] <= pauses["pauses"]["p99_ms"] <= pauses["pauses"]["max_ms"]
    assert pauses["pauses"]["total_ms"] == pytest.approx(groups["gc_stats"]["total_pause_time_ms"])
    assert groups["heap_stats"]["used_bytes"] + 4000 == groups["gc_stats"]["used_bytes"]
    assert 0 < groups["system_stats"]["system_memory_available"] <= groups["system_stats"]["system_memory_total"]
    gc.shutdown()
