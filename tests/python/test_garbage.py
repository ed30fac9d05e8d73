"""Python's own collector, run because a pool is short of memory."""
import gc as python_gc
import threading

import pytest

from tenure import OutOfMemory

MIB = 1 << 20


@pytest.fixture(autouse=True)
def cycles_stay():
    """Python finds no cycles by itself."""
    python_gc.collect()
    python_gc.disable()
    yield
    python_gc.enable()


class Array:
    """Another library's array: it frees its memory when it ends, and is in a cycle with itself."""

    address = 0  # where there was no room

    def __init__(self, pool, size):
        self.pool = pool
        self.address = pool.allocate(size)
        self.me = self

    def __del__(self):
        self.pool.free(self.address)


class Layer:
    def __init__(self, gc, size):
        self.weights = gc.tensor([size], "uint8", "device")
        self.me = self


def test_cycles_that_hold_device_memory_fill_the_device_by_themselves(gc):
    pool = gc.plug("arrays", "device")
    with pytest.raises(OutOfMemory, match="64 MiB"):
        for _ in range(20):
            Array(pool, 8 * MIB)
    python_gc.collect()


def test_cycles_that_hold_others_arrays_are_found_before_a_request_is_refused(gc):
    gc.watch_garbage()
    pool = gc.plug("arrays", "device")
    for _ in range(100):
        Array(pool, 8 * MIB)
    (client,) = gc.get_clients()
    assert client.peak_live_bytes <= 64 * MIB
    python_gc.collect()
    assert gc.get_clients()[0].live_bytes == 0


def test_cycles_that_hold_tensors_are_found_before_a_request_is_refused(gc):
    with pytest.raises(OutOfMemory):
        for _ in range(20):
            Layer(gc, 8 * MIB)
    gc.watch_garbage()
    for _ in range(100):
        Layer(gc, 8 * MIB)


def test_what_is_held_is_still_refused(gc):
    gc.watch_garbage()
    pool = gc.plug("arrays", "device")
    held = [Array(pool, 8 * MIB) for _ in range(8)]
    with pytest.raises(OutOfMemory, match="foreign collectors"):
        Array(pool, 8 * MIB)
    assert len({array.address for array in held}) == 8


def test_a_finalizer_that_calls_the_collector_is_refused_and_nothing_hangs(gc, monkeypatch):
    raised = []
    monkeypatch.setattr("sys.unraisablehook", lambda info: raised.append(str(info.exc_value)))  # no frames

    class Talkative(Layer):
        def __del__(self):
            gc.tensor([8])

    gc.watch_garbage()
    for _ in range(20):
        Talkative(gc, 8 * MIB)
    gc.unwatch_garbage()
    del Talkative.__del__  # of those that are left, once the collector is gone
    assert raised and all("in the midst of its request" in error for error in raised)


def test_it_ends_with_unwatch_and_is_registered_once(gc):
    gc.watch_garbage()
    gc.watch_garbage()
    gc.unwatch_garbage()
    pool = gc.plug("arrays", "device")
    with pytest.raises(OutOfMemory):
        for _ in range(20):
            Array(pool, 8 * MIB)
    python_gc.collect()
    gc.unwatch_garbage()


def test_threads_that_ask_at_once_do_not_wait_for_each_other_for_ever(gc):
    gc.watch_garbage()
    pool = gc.plug("arrays", "device")

    def churn():
        for _ in range(60):
            try:
                Array(pool, 4 * MIB)
                Layer(gc, 4 * MIB)
            except OutOfMemory:
                pass  # the others hold it

    threads = [threading.Thread(target=churn) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
        assert not thread.is_alive()
