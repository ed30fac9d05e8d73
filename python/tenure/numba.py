"""Numba's device arrays from Tenure's pools: its external memory management, version 1.

    from numba import cuda
    import tenure.numba
    cuda.set_memory_manager(tenure.numba.MemoryManager)

or NUMBA_CUDA_MEMORY_MANAGER=tenure.numba in the environment, before the first use of a device.
"""
import contextlib
import ctypes

from numba import cuda

from . import GarbageCollector, shared_collector

__all__ = ["MemoryManager", "memory_manager"]


class MemoryManager(cuda.HostOnlyCUDAMemoryManager):
    """Device memory from the pool of `tenure.shared_collector()`; pinned and managed memory stay Numba's.

    Bytes come back when the last array over them goes, behind Numba's default stream, which Numba's own
    streams are ordered with. Raises OutOfMemory, a MemoryError.
    """

    client = "numba"
    device = 0  # whose memory the collector's pool is
    collector: GarbageCollector | None = None

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._pool = None

    @property
    def interface_version(self):
        return 1

    def initialize(self):
        """Opens the pool. Numba calls it for each context before anything else."""
        if self._pool is not None:
            return
        number = self.context.device.id
        if number != self.device:
            raise RuntimeError(f"Tenure was given to Numba for device {self.device}, not for {number}")
        self._pool = (self.collector or shared_collector()).plug(self.client, "device")
        self._pool.free(self._pool.allocate(1))

    def memalloc(self, size):
        """The address of `size` bytes, as Numba's AutoFreePointer."""
        self.initialize()
        pool, address = self._pool, self._pool.allocate(size)
        return cuda.cudadrv.driver.AutoFreePointer(
            self.context, ctypes.c_void_p(address), size, finalizer=lambda: pool.free(address))

    def get_ipc_handle(self, memory):
        """Raises NotImplementedError: a pool's memory is mapped, and CUDA shares only what it allocated."""
        raise NotImplementedError("memory of Tenure's pools cannot be shared with another process")

    def get_memory_info(self):
        """What may still be leased of the pool, and all that it may hold, in bytes."""
        self.initialize()
        for pool in (self.collector or shared_collector()).get_pools():
            if pool.memory == "device":
                return cuda.MemoryInfo(free=max(0, pool.limit_bytes - pool.live_bytes),
                                       total=pool.limit_bytes)
        raise NotImplementedError("the pool is not open")

    @contextlib.contextmanager
    def defer_cleanup(self):
        """Freeing calls no driver and waits for nothing: there is nothing of ours to put off."""
        with super().defer_cleanup():
            yield


def memory_manager(collector: GarbageCollector, *, client: str = "numba", device: int = 0) -> type:
    """A MemoryManager of another collector, account or device, for `cuda.set_memory_manager`."""
    return type("MemoryManager", (MemoryManager,),
                {"collector": collector, "client": client, "device": device})


_numba_memory_manager = MemoryManager
