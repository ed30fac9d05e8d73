// CUDA's calls for hints about managed memory, as CUDA 12 and 13 have them: one takes a device's number,
// the other a location.
#pragma once

#include <cuda_runtime_api.h>

#include "tenure/bytes.hpp"

namespace tenure {

/// device   or cudaCpuDeviceId, for the host
[[nodiscard]] cudaError_t advise_pages(const void* at, Bytes size, cudaMemoryAdvise advice,
                                       int device);
/// The same, and in stream order.
[[nodiscard]] cudaError_t prefetch_pages(const void* at, Bytes size, int device,
                                         cudaStream_t stream);

}  // namespace tenure
