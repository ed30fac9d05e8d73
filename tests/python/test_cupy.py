"""CuPy's allocator over a pool, against a stand-in of the parts of CuPy that it calls, in their exact
signatures: CuPy itself does nothing without a device."""
import ctypes
import sys
import types

import pytest

import tenure.cupy
from tenure import OutOfMemory

MIB = 1 << 20


class MemoryPointer:
    def __init__(self, mem, offset):
        self.mem = mem
        self.ptr = mem.ptr + offset


class UnownedMemory:
    def __init__(self, ptr, size, owner, device_id=-1):
        self.ptr, self.size, self._owner, self.device_id = ptr, size, owner, device_id


class CFunctionAllocator:
    def __init__(self, param, malloc_func, free_func, owner):
        self._param = ctypes.c_void_p(param)
        self._malloc = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t,
                                         ctypes.c_int)(malloc_func)
        self._free = ctypes.PYFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p,
                                       ctypes.c_int)(free_func)
        self._owner = owner

    def malloc(self, size):
        return self._malloc(self._param, size, 0)

    def free(self, address):
        self._free(self._param, address, 0)


@pytest.fixture
def cupy(monkeypatch):
    module = types.ModuleType("cupy")
    module.current = 0
    module.stream = types.SimpleNamespace(ptr=0)
    module.cuda = types.SimpleNamespace(
        MemoryPointer=MemoryPointer, UnownedMemory=UnownedMemory,
        CFunctionAllocator=CFunctionAllocator, get_current_stream=lambda: module.stream,
        runtime=types.SimpleNamespace(getDevice=lambda: module.current))
    monkeypatch.setitem(sys.modules, "cupy", module)
    return module


def test_arrays_lie_in_the_pool_and_come_back_with_their_last_reference(gc, cupy):
    allocate = tenure.cupy.allocator(gc)
    array = allocate(3 * MIB)
    view = MemoryPointer(array.mem, 512)
    assert array.mem.size == 3 * MIB and array.ptr % 512 == 0 and array.mem.device_id == 0
    assert gc.get_clients()[0].name == "cupy"
    del array
    assert gc.get_clients()[0].live_bytes == 3 * MIB
    del view
    assert gc.get_clients()[0].live_bytes == 0


def test_nothing_is_address_0(gc, cupy):
    assert tenure.cupy.allocator(gc)(0).ptr == 0


def test_the_current_stream_is_told(gc, cupy):
    allocate = tenure.cupy.allocator(gc)
    cupy.stream.ptr = 0x5000
    assert allocate(MIB).ptr
    cupy.stream.ptr = 2 ** 70
    with pytest.raises(TypeError):  # so it came there
        allocate(MIB)


def test_another_device_is_refused(gc, cupy):
    allocate = tenure.cupy.allocator(gc)
    cupy.current = 1
    with pytest.raises(ValueError, match="device 0"):
        allocate(MIB)


def test_no_room_is_a_memory_error_and_a_limit_is_cupys_alone(gc, cupy):
    allocate = tenure.cupy.allocator(gc)
    with pytest.raises(MemoryError):
        allocate(100 * MIB)
    gc.limit_client("cupy", "device", hard_bytes=MIB)
    with pytest.raises(OutOfMemory, match='client "cupy" may hold 1 MiB'):
        allocate(2 * MIB)
    assert gc.plug("other", "device").allocate(2 * MIB)


def test_two_libraries_draw_from_one_pool(gc, cupy):
    first = tenure.cupy.allocator(gc)(32 * MIB)
    address = first.ptr
    del first
    assert gc.plug("other", "device").allocate(32 * MIB) == address


def test_functions_in_c_need_no_python(gc, cupy):
    allocator = tenure.cupy.c_function_allocator(gc)
    address = allocator.malloc(3 * MIB)
    assert address % 512 == 0
    assert gc.get_clients()[0].live_bytes == 3 * MIB
    allocator.free(address)
    assert gc.get_clients()[0].live_bytes == 0
    assert allocator.malloc(100 * MIB) is None
