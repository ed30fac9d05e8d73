"""Deaths: finalizers and callbacks run once, outside of stops, and may do anything."""
import threading

import pytest

from tenure import Closed, GarbageCollector, ObjectType


def make(gc, **options):
    return gc.allocate(ObjectType.STRUCT, 8, **options)


def test_a_finalizer_runs_once_with_its_object(gc):
    told = []
    node = make(gc)
    memoryview(node)[:] = b"farewell"
    node.set_finalizer(lambda dying: told.append(bytes(dying)))
    gc.force_full_collection()
    assert told == []
    del node
    gc.force_full_collection()
    gc.force_full_collection()
    assert told == [b"farewell"] and gc.get_statistics().total_objects == 0


def test_a_finalizer_may_bring_its_object_back_once(gc):
    saved = []
    node = make(gc)
    node.set_finalizer(saved.append)
    del node
    gc.force_full_collection()
    assert saved[0].is_alive
    with pytest.raises(ValueError, match="its next death is final"):
        saved[0].set_finalizer(saved.append)
    saved.clear()
    gc.force_full_collection()
    assert saved == [] and gc.get_statistics().total_objects == 0


def test_a_second_finalizer_takes_the_place_of_the_first(gc):
    told = []
    node = make(gc)
    node.set_finalizer(lambda dying: told.append("first"))
    node.set_finalizer(lambda dying: told.append("second"))
    del node
    gc.force_full_collection()
    assert told == ["second"] and gc.shutdown().finalizers_run == 0


def test_a_finalizer_may_run_anything(gc):
    told = []

    def elsewhere():
        told.append(gc.allocate(ObjectType.ARRAY, 100).size)
        told.append(gc.force_full_collection().full)

    def finalize(dying):
        made = make(gc, references=1)
        made.set_reference(0, dying)
        gc.force_full_collection()
        for _ in range(20_000):
            make(gc)
        other = threading.Thread(target=elsewhere)
        other.start()
        other.join()
        told.append(gc.get_statistics().total_objects > 0)

    make(gc).set_finalizer(finalize)
    gc.force_full_collection()
    assert told == [100, True, True]


def test_a_finalizer_may_shut_down(gc):
    make(gc).set_finalizer(lambda dying: gc.shutdown())
    gc.force_full_collection()
    with pytest.raises(Closed):
        make(gc)


def test_finalizers_run_while_a_program_allocates(gc):
    told = []
    for number in range(1000):
        make(gc).set_finalizer(lambda dying, number=number: told.append(number))
    for _ in range(200_000):
        make(gc)
    assert sorted(told) == list(range(1000))


def test_what_a_finalizer_raises_is_unraisable(gc, monkeypatch):
    raised = []
    monkeypatch.setattr("sys.unraisablehook", lambda hook: raised.append(str(hook.exc_value)))
    told = []

    def fail(dying):
        raise RuntimeError("not today")

    make(gc).set_finalizer(fail)
    make(gc).set_finalizer(lambda dying: told.append(1))
    gc.force_full_collection()
    assert raised == ["not today"] and told == [1]


def test_a_weak_reference_keeps_nothing_and_tells(gc):
    told = []
    node = make(gc)
    weak, silent = node.weak(lambda: told.append("gone")), node.weak()
    gc.force_full_collection()
    assert weak().is_same(node) and silent().is_same(node)
    del node
    gc.force_full_collection()
    assert weak() is None and silent() is None and told == ["gone"]


def test_a_weak_reference_that_was_dropped_tells_nobody(gc):
    told = []
    node = make(gc)
    node.weak(lambda: told.append("gone"))
    del node
    gc.force_full_collection()
    gc.run_finalizers()
    assert told == []


def test_a_weak_reference_is_clear_before_the_finalizer(gc):
    told = []
    node = make(gc)
    weak = node.weak()
    node.set_finalizer(lambda dying: told.append(weak()))
    del node
    gc.force_full_collection()
    assert told == [None]


def test_shutting_down_calls_all_finalizers():
    gc = GarbageCollector()
    told = []
    held = make(gc)
    held.set_finalizer(lambda dying: (told.append("held"), make(gc).set_finalizer(
        lambda other: told.append("late"))))
    report = gc.shutdown()
    assert told == ["held", "late"] and report.finalizers_run == 2
    assert gc.shutdown().finalizers_run == 0
