// What libtenure_torch_cuda.so exports for PyTorch, in the signatures that it calls by. `stream` is a
// cudaStream_t.
#pragma once

#include <sys/types.h>

#include "plugins/torch/cuda_pools.hpp"

namespace tenure {

/// What the functions below stand for: one a process, which is never ended.
[[nodiscard]] TorchCudaPools& torch_cuda_pools();

}  // namespace tenure

#pragma GCC visibility push(default)
extern "C" {

/// The two that PyTorch is given by name. `size` is in bytes; 0 gives null.
///
/// errors   alloc: throws a bad_alloc that says why; free: a pointer of others' stops the program
void* tenure_torch_alloc(ssize_t size, int device, void* stream);
void tenure_torch_free(void* address, ssize_t size, int device, void* stream);

/// For `set_record_stream_fn`, `set_reset_fn` and `set_memory_fraction_fn`, by their addresses: work on
/// another stream uses the bytes; memory that nothing uses goes back; PyTorch is limited.
void tenure_torch_record_stream(void* address, void* stream);
void tenure_torch_reset();
void tenure_torch_memory_fraction(double fraction, int device);

}  // extern "C"
#pragma GCC visibility pop
