"""Mistakes are exceptions, never a crash: in arguments, of other collectors, after the end, after a
fork; and 100,000 random calls."""
import os
import random
import subprocess
import sys

import numpy as np
import pytest

import tenure
from tenure import Closed, GarbageCollector, GCConfiguration, GCMode, ObjectType

WRONG = (ValueError, TypeError, IndexError, MemoryError, OverflowError, BufferError, RuntimeError)


@pytest.mark.parametrize("field, value", [
    ("num_generations", 0), ("num_generations", 9), ("young_gen_size_mb", 0),
    ("max_pause_time_ms", 0.0), ("max_pause_time_ms", float("nan")), ("compaction_threshold", 2.0),
    ("collection_ratio", [1, 2]), ("mode", 17), ("device", "toaster"), ("heap_limit_mb", -1),
    ("young_gen_size_mb", "large"), ("young_gen_size_mb", 2**40), ("device", None)])
def test_a_configuration_is_refused(field, value):
    with pytest.raises((ValueError, TypeError, RuntimeError, OverflowError)):
        GarbageCollector(GCConfiguration(**{field: value}))


@pytest.mark.parametrize("arguments", [
    (ObjectType.SCALAR, 7), (ObjectType.ARRAY, -1), (ObjectType.ARRAY, 2**64), (99, 8), (-1, 8),
    (ObjectType.ARRAY, 2**63), (ObjectType.ARRAY, 2**40), (ObjectType.STRUCT, 8, 65537),
    (ObjectType.STRUCT, 8, -1), ("array", 8), (None, None), ()])
def test_an_allocation_is_refused(gc, arguments):
    with pytest.raises(WRONG):
        gc.allocate(*arguments)


@pytest.mark.parametrize("arguments", [
    ([-1],), ([2**62, 8],), ([1] * 9,), ([2], "float7"), ([2], "float32", "attic"), ("shape",),
    ([2**36],)])
def test_a_tensor_is_refused(gc, arguments):
    with pytest.raises(WRONG):
        gc.tensor(*arguments)


def test_slots_and_targets_are_checked(gc):
    node = gc.allocate(ObjectType.STRUCT, 8, references=2)
    other = GarbageCollector()
    for slot, value in ((2, None), (-1, None), (0, 7), (0, "x"),
                        (0, other.allocate(ObjectType.ARRAY, 1)), (2**40, node)):
        with pytest.raises(WRONG):
            node.set_reference(slot, value)
    with pytest.raises(IndexError):
        node.get_reference(2)
    with pytest.raises(TypeError):
        node.set_finalizer(7)
    with pytest.raises(TypeError):
        node.weak(7)
    for bad in (7, "text", object(), np.array(["text"])):
        with pytest.raises(WRONG):
            gc.from_dlpack(bad)
    for bad in (-1, 3, "all"):
        with pytest.raises(WRONG):
            gc.collect(bad)
    other.shutdown()


@pytest.mark.filterwarnings("ignore:nanobind")
def test_classes_cannot_be_made_without_a_collector(gc):
    node = gc.allocate(ObjectType.STRUCT, 8, references=1)
    for kind in (tenure.GCObject, tenure.Tensor, tenure.WeakReference):
        with pytest.raises(TypeError):
            kind()
        bare = kind.__new__(kind)
        for call in (lambda: memoryview(bare), lambda: node.set_reference(0, bare),
                     lambda: np.from_dlpack(bare), lambda: bare.address, lambda: bare.weak()):
            with pytest.raises((TypeError, BufferError, AttributeError, RuntimeError)):
                call()
    collector = GarbageCollector.__new__(GarbageCollector)
    with pytest.raises(TypeError):
        collector.allocate(ObjectType.ARRAY, 8)


def test_everything_is_refused_after_the_end():
    gc = GarbageCollector()
    node = gc.allocate(ObjectType.STRUCT, 8, references=1)
    large = gc.allocate(ObjectType.ARRAY, 1 << 20)
    tensor, weak = gc.tensor([2]), node.weak()
    gc.shutdown()
    calls = [lambda: gc.allocate(ObjectType.ARRAY, 1), lambda: gc.tensor([1]), gc.get_statistics,
             gc.force_full_collection, gc.collect, gc.run_finalizers, weak,
             lambda: gc.optimize_for_workload(["real_time"]), lambda: node.get_reference(0),
             lambda: node.set_reference(0, node), lambda: node.set_finalizer(print), node.weak,
             node.pin, lambda: node.address, lambda: large.address, lambda: tensor.address,
             lambda: gc.from_dlpack(np.arange(2))]
    for call in calls:
        with pytest.raises(Closed):
            call()
    for look in (node, large, tensor):
        with pytest.raises(BufferError):
            memoryview(look)
    assert node.size == 8 and not node.is_alive and gc.shutdown().objects_released == 0
    repr((node, large, tensor, weak))


FORK = """
import os, sys, tenure
gc = tenure.GarbageCollector(tenure.GCConfiguration(mode=tenure.GCMode.CONCURRENT))
node = gc.allocate(tenure.ObjectType.STRUCT, 8, references=1)
view = memoryview(node)
node.set_finalizer(lambda dying: None)
child = os.fork()
if child == 0:
    refused = 0
    for call in (gc.force_full_collection, lambda: node.set_reference(0, node),
                 lambda: gc.allocate(tenure.ObjectType.ARRAY, 8), tenure.GarbageCollector):
        try:
            call()
        except RuntimeError:
            refused += 1
    view[0] = 7
    del view
    sys.exit(0 if refused == 4 else 1)
assert os.waitpid(child, 0)[1] == 0
assert gc.force_full_collection().full and view[0] == 0
print("sound")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_has_nothing_and_ends():
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "sound\n", "")


class Fuzzer:
    """Random calls with random arguments, on few collectors that come and go."""

    def __init__(self, seed):
        self.draw = random.Random(seed)
        self.collectors, self.things, self.weak, self.views, self.hooks = [], [], [], [], []
        self.succeeded = self.pressed = 0
        self.open()

    def open(self):
        modes = [GCMode.AUTOMATIC, GCMode.INCREMENTAL, GCMode.MANUAL, GCMode.CONCURRENT]
        self.collectors.append(GarbageCollector(GCConfiguration(
            mode=self.draw.choice(modes), num_generations=self.draw.randrange(1, 5) if
            self.draw.random() < 0.3 else 3, young_gen_size_mb=1, old_gen_size_mb=1,
            heap_limit_mb=16, payload_budget_mb=16, device="sim:16MiB")))

    def size(self):
        return self.draw.choice([0, 1, 8, 16, 24, 100, 5000, 40_000, -1, 2**31, 2**64 - 1, 2**70])

    def thing(self):
        return self.draw.choice(self.things[-20:] + [None, 7]) if self.things else None

    def keep(self, pile, value, most):
        pile.append(value)
        if len(pile) > most:
            del pile[self.draw.randrange(len(pile))]

    def finalize(self, dying):
        if self.draw.random() < 0.3:
            self.keep(self.things, dying, 200)
        if self.draw.random() < 0.2:
            raise RuntimeError("from a finalizer")
        self.call()

    def press(self, call):
        self.pressed += 1
        if call.wanted_bytes:
            self.things.clear()
        self.call()

    def call(self):
        draw, gc = self.draw, self.draw.choice(self.collectors)
        kind = draw.randrange(106)
        if kind < 35:
            self.keep(self.things, gc.allocate(draw.choice([*ObjectType, 99]), self.size(),
                                               draw.choice([0, 0, 1, 2, 3, -1, 10**6])), 200)
        elif kind < 50:
            self.thing().set_reference(draw.randrange(4), self.thing())
        elif kind < 60:
            self.keep(self.things, self.thing().get_reference(draw.randrange(3)), 200)
        elif kind < 68:
            view = memoryview(self.thing())
            if view.nbytes:
                view.cast("B")[draw.randrange(view.nbytes)] = 7
            self.keep(self.views, view, 5)
        elif kind < 73:
            self.keep(self.things, gc.tensor([draw.randrange(-1, 9)] * draw.randrange(10), draw.choice(
                ["float32", "int8", "bfloat16", "float99"]), draw.choice(["host", "device"])), 200)
        elif kind < 78:
            array = np.from_dlpack(self.thing())
            array[...] = 1
            self.keep(self.things, gc.from_dlpack(array), 200)
        elif kind < 82:
            self.thing().set_finalizer(self.finalize if draw.random() < 0.9 else 7)
        elif kind < 86:
            self.keep(self.weak, self.thing().weak(draw.choice([None, self.call, print, 7])
                                                   if draw.random() < 0.2 else None), 20)
        elif kind < 90:
            self.keep(self.things, draw.choice(self.weak)(), 200)
        elif kind < 93:
            draw.choice([self.thing().pin, self.thing().unpin])()
        elif kind < 95:
            gc.collect(draw.choice([None, 0, 0, 0, 1, 2, 3, -1])) if draw.random() < 0.3 else None
        elif kind < 97:
            self.things.clear() if draw.random() < 0.1 else repr(self.thing().references())
        elif kind == 97:
            gc.get_statistics() if draw.random() < 0.1 else self.thing().address
        elif kind == 98:
            gc.add_root(self.thing())
        elif kind < 101:
            gc.remove_root(self.thing())
        elif kind < 103:
            self.keep(self.hooks, gc.on_pressure(draw.choice([self.press, self.call, print, 7])
                                                 if draw.random() < 0.5 else self.press), 5)
        elif kind < 104:
            gc.remove_pressure_callback(draw.choice(self.hooks + [0, -1, "one"]))
        elif kind < 105:
            (gc.pressure if draw.random() < 0.9 else gc.get_detailed_statistics)()
        elif draw.random() < 0.02:
            gc.shutdown()
            if len(self.collectors) > 3:
                self.collectors.remove(gc)
            self.open()
        self.succeeded += 1

    def run(self, calls):
        for _ in range(calls):
            try:
                self.call()
            except (*WRONG, AttributeError):
                pass
        for gc in self.collectors:
            gc.shutdown()


@pytest.mark.parametrize("seed", [1])
def test_random_calls_never_crash(seed, monkeypatch):
    print("seed", seed)
    monkeypatch.setattr("sys.unraisablehook", lambda hook: None)
    fuzzer = Fuzzer(seed)
    fuzzer.run(100_000)
    assert fuzzer.succeeded > 30_000 and fuzzer.pressed > 0
