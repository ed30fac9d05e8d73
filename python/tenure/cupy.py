"""CuPy's arrays from Tenure's pools.

    import cupy, tenure.cupy
    cupy.cuda.set_allocator(tenure.cupy.allocator())
"""
import collections.abc

from . import GarbageCollector, shared_collector

__all__ = ["allocator", "c_function_allocator"]


class _Owner:
    """Frees an address when CuPy lets go of it."""

    __slots__ = ("_pool", "_address")

    def __init__(self, pool, address):
        self._pool = pool
        self._address = address

    def __del__(self):
        self._pool.free(self._address)


def allocator(collector: GarbageCollector | None = None, *, client: str = "cupy",
              memory: str = "device", device: int = 0) -> collections.abc.Callable:
    """A function for `cupy.cuda.set_allocator`: memory in order of CuPy's current stream, from the pool of
    `collector`, by default `tenure.shared_collector()`, which must be the one of `device`.

    Bytes come back when the array's last reference goes, behind the stream that it was made on; an array
    that other streams use must live until they are done, as with CuPy's own pool. Raises OutOfMemory, a
    MemoryError, with a sentence; ValueError where CuPy's current device is another.
    """
    import cupy

    pool = (collector or shared_collector()).plug(client, memory)

    def allocate(size: int):
        current = cupy.cuda.runtime.getDevice()
        if current != device:
            raise ValueError(f"this allocator has memory of device {device}, and CuPy's current one is "
                             f"{current}")
        address = pool.allocate(size, cupy.cuda.get_current_stream().ptr)
        owner = _Owner(pool, address) if size else None
        return cupy.cuda.MemoryPointer(cupy.cuda.UnownedMemory(address, size, owner, device), 0)

    allocate.pool = pool
    return allocate


def c_function_allocator(collector: GarbageCollector | None = None, *, client: str = "cupy",
                         memory: str = "device"):
    """The same as a `cupy.cuda.CFunctionAllocator`, with no Python between CuPy and the pool; its `malloc`
    goes to `cupy.cuda.set_allocator`. CuPy names no stream there and looks for no error: memory is in
    order of the default stream, and where there is no room its address is 0."""
    import cupy

    pool = (collector or shared_collector()).plug(client, memory)
    return cupy.cuda.CFunctionAllocator(*pool.c_functions, pool)
