// What a CUDA call answered, as the library's errors.
//
// Invariant: no error of ours stays behind in the runtime, where the next caller of
// cudaGetLastError, a user's own code perhaps, would take it for its own.
#pragma once

#include <cuda.h>
#include <cuda_runtime_api.h>

#include <optional>
#include <string_view>

#include "tenure/result.hpp"

namespace tenure {

/// The error of a call that failed, and clears it; nothing where it did not.
///
/// call     its name, for the sentence
/// returns  kOutOfMemory: no memory; kDeviceLost: the context is beyond use, and the process has to
///          start again; kUnsupported: no driver, no device, or not on this one; kBadArgument: what
///          was passed; kDeviceRefused: all else
[[nodiscard]] std::optional<Error> take_error(cudaError_t status, std::string_view call);

/// The same of a function of the driver, which leaves nothing to be cleared.
[[nodiscard]] std::optional<Error> take_error(CUresult status, std::string_view call);

}  // namespace tenure
