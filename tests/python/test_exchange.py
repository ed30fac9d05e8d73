"""DLPack's C table of functions, called as other libraries call it: past Python, by its addresses; and by
tvm-ffi, where that is installed."""
import ctypes
import gc as cycles

import numpy as np
import pytest

import tenure
from tenure import Closed, GarbageCollector, Tensor

CPU, CUDA = 1, 2
FLOAT = 2
NAME = b"dlpack_exchange_api"


class Device(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int32), ("id", ctypes.c_int32)]


class DataType(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16)]


class View(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("device", Device), ("ndim", ctypes.c_int32), ("dtype", DataType),
                ("shape", ctypes.POINTER(ctypes.c_int64)), ("strides", ctypes.POINTER(ctypes.c_int64)),
                ("byte_offset", ctypes.c_uint64)]


class Managed(ctypes.Structure):
    pass


Deleter = ctypes.PYFUNCTYPE(None, ctypes.POINTER(Managed))
Managed._fields_ = [("major", ctypes.c_uint32), ("minor", ctypes.c_uint32), ("context", ctypes.c_void_p),
                    ("deleter", Deleter), ("flags", ctypes.c_uint64), ("tensor", View)]
SetError = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p)


class Table(ctypes.Structure):
    _fields_ = [("major", ctypes.c_uint32), ("minor", ctypes.c_uint32), ("older", ctypes.c_void_p),
                ("allocate", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(View),
                                              ctypes.POINTER(ctypes.POINTER(Managed)), ctypes.c_void_p, SetError)),
                ("from_object", ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object,
                                                  ctypes.POINTER(ctypes.POINTER(Managed)))),
                ("to_object", ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.POINTER(Managed),
                                                ctypes.POINTER(ctypes.py_object))),
                ("view_object", ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.POINTER(View))),
                ("current_stream", ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_int32, ctypes.c_int32,
                                                     ctypes.POINTER(ctypes.c_void_p)))]


@pytest.fixture
def table():
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return Table.from_address(pointer(Tensor.__dlpack_c_exchange_api__, NAME))


def prototype(shape, device=CPU, bits=32):
    extents = (ctypes.c_int64 * len(shape))(*shape)
    return View(None, Device(device, 0), len(shape), DataType(FLOAT, bits, 1), extents, None, 0)


def allocate(table, view):
    out, errors = ctypes.POINTER(Managed)(), []
    note = SetError(lambda _, kind, message: errors.append((kind.decode(), message.decode())))
    status = table.allocate(ctypes.byref(view), ctypes.byref(out), None, note)
    assert (status, len(errors)) in ((0, 0), (-1, 1))
    return out, errors


def live_bytes(gc):
    return sum(pool.live_bytes for pool in gc.get_pools())


def test_the_table_is_of_a_version_that_consumers_know(table):
    assert (table.major, table.minor >= 2, table.older) == (1, True, None)
    stream = ctypes.c_void_p(7)
    assert table.current_stream(CPU, 0, ctypes.byref(stream)) == 0 and stream.value is None


def test_a_tensor_is_looked_at_in_place(gc, table):
    tensor, view = gc.tensor([3, 5]), View()
    assert table.view_object(tensor, ctypes.byref(view)) == 0
    assert (view.data, view.ndim, view.device.type) == (tensor.address, 2, CPU)
    assert (view.shape[:2], view.strides[:2]) == ([3, 5], [5, 1])
    assert (view.dtype.code, view.dtype.bits, view.dtype.lanes) == (FLOAT, 32, 1)


def test_what_was_handed_out_keeps_the_bytes_until_its_deleter_is_called(gc, table):
    tensor, out = gc.tensor([1000]), ctypes.POINTER(Managed)()
    np.from_dlpack(tensor)[:] = 3
    assert table.from_object(tensor, ctypes.byref(out)) == 0
    address = tensor.address
    del tensor
    gc.force_full_collection()
    assert out.contents.tensor.data == address and live_bytes(gc) == 4000
    assert gc.shutdown().views_outstanding == 1
    assert (np.ctypeslib.as_array((ctypes.c_float * 1000).from_address(address)) == 3).all()
    out.contents.deleter(out)


def test_another_librarys_tensor_becomes_one_of_ours_without_a_copy(gc, table):
    tensor, out, made = gc.tensor([4]), ctypes.POINTER(Managed)(), ctypes.py_object()
    np.from_dlpack(tensor)[:] = [1, 2, 3, 4]
    assert table.from_object(tensor, ctypes.byref(out)) == 0
    assert table.to_object(out, ctypes.byref(made)) == 0
    taken = made.value
    ctypes.pythonapi.Py_DecRef(ctypes.py_object(taken))  # what `to_object` gave; `taken` has its own
    assert type(taken) is Tensor and taken.is_foreign and taken.address == tensor.address
    assert np.from_dlpack(taken).tolist() == [1, 2, 3, 4]


def test_a_tensor_that_is_refused_stays_its_givers(gc, table):
    tensor, out, made = gc.tensor([1]), ctypes.POINTER(Managed)(), ctypes.py_object()
    assert table.from_object(tensor, ctypes.byref(out)) == 0
    for change in ("major", "ndim"):
        of = out.contents if change == "major" else out.contents.tensor
        before = getattr(of, change)
        setattr(of, change, 9)
        with pytest.raises((BufferError, ValueError)):
            table.to_object(out, ctypes.byref(made))
        setattr(of, change, before)
    out.contents.deleter(out)
    assert gc.shutdown().views_outstanding == 0


def test_memory_that_is_asked_for_comes_from_the_shared_collector_and_goes_back(table):
    shared = tenure.shared_collector()
    before = live_bytes(shared)
    out, _ = allocate(table, prototype([256, 3]))
    tensor = out.contents.tensor
    assert (tensor.shape[:2], tensor.strides[:2], live_bytes(shared)) == ([256, 3], [3, 1], before + 3072)
    ctypes.memset(tensor.data, 1, 3072)
    out.contents.deleter(out)
    assert live_bytes(shared) == before


def test_what_cannot_be_had_is_said_by_its_kind(table):
    assert allocate(table, prototype([2**40]))[1][0][0] == "MemoryError"
    assert allocate(table, prototype([-1]))[1][0][0] == "ValueError"
    assert allocate(table, prototype([1], CUDA))[1][0][0] == "BufferError"


def test_misuse_is_an_exception(gc, table):
    tensor, out, view = gc.tensor([3]), ctypes.POINTER(Managed)(), View()
    with pytest.raises(TypeError, match="another object"):
        table.from_object([1], ctypes.byref(out))
    with pytest.raises(TypeError):
        table.view_object(Tensor.__new__(Tensor), ctypes.byref(view))
    gc.shutdown()
    with pytest.raises(Closed):
        table.view_object(tensor, ctypes.byref(view))


def test_tvm_ffi_takes_our_tensors_and_gives_ours_back(gc):
    tvm_ffi = pytest.importorskip("tvm_ffi", reason="tvm-ffi is not installed here")
    echo = tvm_ffi.get_global_func("testing.echo")
    tensor = gc.tensor([2, 3])
    np.from_dlpack(tensor)[:] = 5

    back = echo(tensor)

    assert type(back) is Tensor and back.address == tensor.address and back.shape == (2, 3)
    address = back.address
    del tensor
    cycles.collect()
    gc.force_full_collection()
    assert back.address == address and (np.from_dlpack(back) == 5).all()
    assert (np.from_dlpack(tvm_ffi.from_dlpack(back)) == 5).all()
