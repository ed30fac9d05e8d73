"""PyTorch's memory from Tenure's pools.

    import tenure.torch
    tenure.torch.install_cpu()      # before the first tensors that are to lie there

Needs `libtenure_torch.so`, which is built beside this package where PyTorch's headers are found.
"""
import ctypes
import os
import pathlib
import threading

from . import GarbageCollector, shared_collector

__all__ = ["install_cpu"]

_NAME = "libtenure_torch.so"
_installing = threading.Lock()
_installed = None


def install_cpu(collector: GarbageCollector | None = None, *, client: str = "torch",
                library: str | os.PathLike | None = None):
    """Has PyTorch take the memory of all CPU tensors from the host pool of `collector`, by default
    `tenure.shared_collector()`, from now on: once a process, and best before other threads use PyTorch.

    `client` is the name of the account, for `get_clients` and `limit_client`; a request that finds no
    room raises PyTorch's OutOfMemoryError, a RuntimeError, with Tenure's sentence. The pool's memory
    stays until the process ends, also when the collector is shut down. Any thread may call PyTorch
    then, and a forked child too. `library` is where libtenure_torch.so lies, else the environment's
    TENURE_TORCH_LIBRARY, this package, or where the loader looks.

    Gives the allocator, with `allocations` and `allocated_bytes`. Raises RuntimeError where it was
    installed before, ImportError where the library is not to be had.
    """
    global _installed
    with _installing:
        if _installed is not None:
            raise RuntimeError("PyTorch's CPU tensors come from Tenure already, once a process")
        loaded = _load(library)
        allocator = (collector or shared_collector()).plug(client, "host")
        status = loaded.tenure_torch_install_cpu(ctypes.c_void_p(allocator.table_address))
        if status != 0:
            raise RuntimeError(f"{_NAME} refused (status {status}): somebody else installed it before, "
                               "or it is another version's")
        _installed = allocator
        return allocator


def _load(library):
    import torch  # noqa: F401  its libraries, which ours needs, are loaded by it

    if library is None:
        beside = pathlib.Path(__file__).with_name(_NAME)
        library = os.environ.get("TENURE_TORCH_LIBRARY") or (beside if beside.exists() else _NAME)
    try:
        return ctypes.CDLL(str(library))
    except OSError as error:
        raise ImportError(f"{_NAME} is not to be had ({error}); it is built with the package where "
                          "PyTorch's headers are: Debian's libtorch-dev, or pip's with "
                          "CMAKE_PREFIX_PATH set to torch's folder") from error
