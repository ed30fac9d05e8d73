"""Bytes that Python looks at: buffers, NumPy and DLPack, both ways without a copy."""
import weakref

import numpy as np
import pytest

from tenure import Closed, GarbageCollector, ObjectType


def address(array):
    return array.__array_interface__["data"][0]


@pytest.mark.parametrize("size", [64, 1 << 20])
def test_numpy_sees_the_objects_own_bytes(gc, size):
    made = gc.allocate(ObjectType.VECTOR, size)
    view = np.frombuffer(made, np.float32)
    view[:] = np.arange(size // 4)
    for _ in range(3):
        gc.force_full_collection()
    assert np.array_equal(np.frombuffer(made, np.float32), np.arange(size // 4, dtype=np.float32))
    assert address(np.frombuffer(made, np.uint8)) == address(view)


def test_an_object_moves_again_once_nobody_looks(gc):
    made = gc.allocate(ObjectType.VECTOR, 64)
    view = np.frombuffer(made, np.uint8)
    before = address(view)
    gc.force_full_collection()
    assert address(np.frombuffer(made, np.uint8)) == before
    del view
    for _ in range(6):
        gc.force_full_collection()
    assert address(np.frombuffer(made, np.uint8)) != before


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int16", "int32", "int64", "float16",
                                   "float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("look", [np.asarray, np.from_dlpack])
def test_a_tensor_is_an_array(gc, dtype, look):
    tensor = gc.tensor([3, 5], dtype)
    array = look(tensor)
    assert (array.shape, array.dtype, address(array)) == ((3, 5), np.dtype(dtype), tensor.address)
    array[:] = 1
    assert (look(tensor) == 1).all() and tensor.strides == (5, 1) and tensor.dtype == dtype


def test_a_view_keeps_the_bytes_of_a_tensor_that_nobody_holds(gc):
    array = np.from_dlpack(gc.tensor([1000]))
    array[:] = 3
    for _ in range(3):
        gc.force_full_collection()
        np.asarray(gc.tensor([1000]))[:] = 9
    assert (array == 3).all()
    del array
    assert gc.force_full_collection().payloads_retired >= 1


def test_bfloat16_and_scalars_and_nothing(gc):
    with pytest.raises(BufferError, match="no such element"):
        memoryview(gc.tensor([2], "bfloat16"))
    assert gc.tensor([2], "bfloat16").__dlpack_device__() == (1, 0)
    assert np.asarray(gc.tensor([])).shape == ()
    assert np.asarray(gc.tensor([0, 3])).shape == (0, 3)


@pytest.mark.parametrize("memory", ["host", "pinned", "unified", "device"])
def test_each_kind_of_memory_answers(gc, memory):
    array = np.from_dlpack(gc.tensor([16], memory=memory))
    array[:] = 2
    assert array.sum() == 32


@pytest.mark.parametrize("make", [lambda: np.arange(24.0).reshape(4, 6),
                                  lambda: np.arange(24.0).reshape(4, 6).T[::2],
                                  lambda: np.array(3, np.int64)])
def test_others_memory_is_taken_without_a_copy(gc, make):
    array = make()
    tensor = gc.from_dlpack(array)
    again = np.from_dlpack(tensor)
    assert tensor.is_foreign and address(again) == address(array)
    assert np.array_equal(again, array) and again.strides == array.strides
    assert np.array_equal(np.asarray(memoryview(tensor)), array)


def test_the_heap_keeps_others_memory_and_lets_it_go(gc):
    class Array(np.ndarray):
        pass

    array = np.arange(10).view(Array)
    gone = weakref.ref(array)
    holder = gc.allocate(ObjectType.STRUCT, 8, references=1)
    holder.set_reference(0, gc.from_dlpack(array))
    del array
    gc.force_full_collection()
    assert gone() is not None
    assert np.array_equal(np.from_dlpack(holder.get_reference(0)), np.arange(10))

    holder.set_reference(0, None)
    gc.force_full_collection()
    gc.run_finalizers()
    assert gone() is None


def test_an_object_keeps_a_tensor(gc):
    holder = gc.allocate(ObjectType.STRUCT, 8, references=1)
    holder.set_reference(0, gc.tensor([4]))
    np.asarray(holder.get_reference(0))[:] = 5
    gc.force_full_collection()
    assert np.asarray(holder.get_reference(0)).sum() == 20


def test_views_outlive_the_collector():
    gc = GarbageCollector()
    small, large = gc.allocate(ObjectType.ARRAY, 64), gc.allocate(ObjectType.ARRAY, 1 << 20)
    tensor = gc.tensor([100])
    views = [np.frombuffer(small, np.uint8), np.frombuffer(large, np.uint8), np.asarray(tensor),
             np.from_dlpack(tensor)]
    for view in views:
        view[:] = 1

    assert gc.shutdown().views_outstanding == 4

    with pytest.raises(Closed):
        gc.allocate(ObjectType.ARRAY, 64)
    with pytest.raises(BufferError):
        memoryview(small)
    with pytest.raises(Closed):
        np.from_dlpack(tensor)
    assert [int(view.sum()) for view in views] == [64, 1 << 20, 100, 100]
    del view, views
    assert not small.is_alive


def test_a_readonly_array_is_refused_or_stays_readonly(gc):
    array = np.arange(4)
    array.flags.writeable = False
    with pytest.raises((TypeError, BufferError, ValueError)):
        gc.from_dlpack(array)
