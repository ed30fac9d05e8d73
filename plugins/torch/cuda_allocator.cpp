// The functions that PyTorch's pluggable allocator of CUDA memory looks for by their names:
//
//   allocator = torch.cuda.memory.CUDAPluggableAllocator(
//       "libtenure_torch_cuda.so", "tenure_torch_alloc", "tenure_torch_free")
//   torch.cuda.memory.change_current_allocator(allocator)
//
// Source: torch/csrc/cuda/CUDAPluggableAllocator.h. PyTorch does not look at what comes back: memory
// that cannot be had is an exception, which it passes on to Python as it is.
#include <sys/types.h>

#include "plugins/torch/cuda_allocator.hpp"

namespace {

// Why never deleted: PyTorch frees until the process ends, and the driver may end before.
tenure::TorchCudaPools& pools() {
  static auto* const all = new tenure::TorchCudaPools;
  return *all;
}

}  // namespace

namespace tenure {

TorchCudaPools& torch_cuda_pools() { return pools(); }

}  // namespace tenure

extern "C" {

void* tenure_torch_alloc(ssize_t size, int device, void* stream) {
  return pools().allocate(size, device, stream);
}

void tenure_torch_free(void* address, ssize_t, int device, void*) {
  pools().release(address, device);
}

void tenure_torch_record_stream(void* address, void* stream) {
  pools().record_stream(address, stream);
}

void tenure_torch_reset() { pools().trim(); }

void tenure_torch_memory_fraction(double fraction, int device) { pools().limit(fraction, device); }

}  // extern "C"
