#include "cuda/calls.hpp"

#include <string>

// Why: nvcc and older CMakes fall back to C++17 in silence.
static_assert(__cplusplus >= 202002L, "the CUDA room is C++20, as all others");

namespace tenure {

namespace {

// Source: CUDA Runtime API, "Data types used by CUDA Runtime": of each of these it says that the
// process must be terminated and relaunched, or that the device is gone.
bool is_lost(cudaError_t status) {
  switch (status) {
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorContextIsDestroyed:
    case cudaErrorCudartUnloading:  // the driver has shut down, as the program ends
      return true;
    default:
      return false;
  }
}

ErrorCode code_of(cudaError_t status) {
  if (is_lost(status)) {
    return ErrorCode::kDeviceLost;
  }
  switch (status) {
    case cudaErrorMemoryAllocation:
      return ErrorCode::kOutOfMemory;
    case cudaErrorInsufficientDriver:
    case cudaErrorNoDevice:
    case cudaErrorInvalidDevice:
    case cudaErrorNotSupported:
    case cudaErrorStubLibrary:
    case cudaErrorSystemDriverMismatch:
    case cudaErrorCompatNotSupportedOnDevice:
    case cudaErrorPeerAccessUnsupported:
      return ErrorCode::kUnsupported;
    case cudaErrorInvalidValue:
    case cudaErrorInvalidResourceHandle:
      return ErrorCode::kBadArgument;
    default:
      return ErrorCode::kDeviceRefused;
  }
}

Error error_of(cudaError_t status, std::string_view call) {
  return {code_of(status), std::string(call) + " failed: " + cudaGetErrorString(status) + " (" +
                               cudaGetErrorName(status) + ", " +
                               std::to_string(static_cast<int>(status)) + ")"};
}

}  // namespace

std::optional<Error> take_error(cudaError_t status, std::string_view call) {
  if (status == cudaSuccess) {
    return std::nullopt;
  }
  // Why the answer is dropped: it is `status`, or an older one that its own caller has been told of.
  static_cast<void>(cudaGetLastError());
  return error_of(status, call);
}

std::optional<Error> take_error(CUresult status, std::string_view call) {
  if (status == CUDA_SUCCESS) {
    return std::nullopt;
  }
  // Source: CUDA Runtime API, cudaError: since 10.1 its values are those of CUresult.
  return error_of(static_cast<cudaError_t>(status), call);
}

}  // namespace tenure
