// Copies and fills between places of the host, in a stream's order.
//
// Why not by CUDA's own calls: they do not fill plain memory, and what a copy between two places of the
// host leaves between its bytes is not said.
#pragma once

#include <cuda_runtime_api.h>

#include <functional>

namespace tenure {

/// Runs `work` on a thread of the driver once what is on the stream is done; what comes on the stream
/// after it waits for it. It must not call CUDA, and throws nothing. A device that is lost never runs
/// it.
///
/// cost     some microseconds, beside the work
[[nodiscard]] cudaError_t launch_host_work(cudaStream_t stream, std::function<void()> work);

}  // namespace tenure
