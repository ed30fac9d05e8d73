"""Numba's external memory management, against Numba itself where it is; its contexts, which only a
device has, are stood in for."""
import gc as python_gc
import types

import pytest

pytest.importorskip("numba.cuda", reason="Numba's CUDA target is not installed: pip install numba-cuda")
from numba import cuda  # noqa: E402

import tenure.numba  # noqa: E402
from tenure import OutOfMemory  # noqa: E402

MIB = 1 << 20


class Context:
    def __init__(self, number=0):
        self.device = types.SimpleNamespace(id=number)


def test_numba_takes_it():
    try:
        cuda.set_memory_manager(tenure.numba.MemoryManager)  # asks for the version, without a context
        assert cuda.cudadrv.driver._memory_manager is tenure.numba.MemoryManager
    finally:
        cuda.cudadrv.driver._memory_manager = None
    assert tenure.numba._numba_memory_manager(context=None).interface_version == 1


def test_pointers_lie_in_the_pool_and_come_back_with_their_last_reference(gc):
    manager = tenure.numba.memory_manager(gc)(context=Context())
    manager.initialize()
    pointer = manager.memalloc(3 * MIB)
    assert pointer.size == 3 * MIB and pointer.device_pointer_value % 512 == 0
    assert gc.get_clients()[0].name == "numba"
    owned = pointer.own()
    del pointer
    python_gc.collect()
    if gc.get_clients()[0].live_bytes:  # an OwnedPointer holds it
        del owned
        python_gc.collect()
    assert gc.get_clients()[0].live_bytes == 0


def test_memory_is_told_as_the_pool_has_it(gc):
    manager = tenure.numba.memory_manager(gc)(context=Context())
    assert manager.get_memory_info() == cuda.MemoryInfo(free=64 * MIB, total=64 * MIB)
    pointer = manager.memalloc(16 * MIB)
    assert manager.get_memory_info().free == 48 * MIB
    pointer.free()
    assert manager.get_memory_info().free == 64 * MIB


def test_no_room_is_a_memory_error(gc):
    manager = tenure.numba.memory_manager(gc)(context=Context())
    with pytest.raises(OutOfMemory):
        manager.memalloc(100 * MIB)


def test_what_cannot_be_done_says_so(gc):
    manager = tenure.numba.memory_manager(gc)(context=Context(3))
    with pytest.raises(RuntimeError, match="not for 3"):
        manager.memalloc(MIB)
    with pytest.raises(NotImplementedError):
        manager.get_ipc_handle(None)


def test_cleanup_is_put_off_and_reset(gc):
    manager = tenure.numba.memory_manager(gc)(context=Context())
    pointer = manager.memalloc(MIB)
    with manager.defer_cleanup():
        pointer.free()
    assert gc.get_clients()[0].live_bytes == 0
    manager.reset()
