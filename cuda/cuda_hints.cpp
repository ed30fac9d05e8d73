// Hints about unified memory. Why no error where the device refuses one: whoever gave it goes on either
// way, and pages move as they are touched.
#include "cuda/cuda_backend.hpp"
#include "cuda/page_hints.hpp"

namespace tenure {

namespace {

cudaMemoryAdvise cuda_advice(MemoryAdvice advice) {
  switch (advice) {
    case MemoryAdvice::kPreferHost:
    case MemoryAdvice::kPreferDevice:
      return cudaMemAdviseSetPreferredLocation;
    case MemoryAdvice::kPreferNeither:
      return cudaMemAdviseUnsetPreferredLocation;
    case MemoryAdvice::kMostlyRead:
      return cudaMemAdviseSetReadMostly;
    case MemoryAdvice::kReadAndWritten:
      break;
  }
  return cudaMemAdviseUnsetReadMostly;
}

}  // namespace

Result<HintOutcome> CudaBackend::hint(const std::byte* at, Bytes size, const char* what,
                                      const std::function<cudaError_t()>& call, const char* name) {
  if (Result<void> access = require_access(at, size, what); !access) {
    return access.failure();
  }
  // Source: CUDA Runtime API: both are refused for devices without concurrent managed access.
  if (size.is_zero() || kind_of(at) != MemoryKind::kUnified || !host_reads_unified_) {
    return HintOutcome::kIgnored;
  }
  const Result<ContextScope> scope = enter(what);
  std::optional<Error> fault;
  if (scope) {
    fault = health_.take(call(), name);
  } else {
    fault = scope.failure();
  }
  if (!fault) {
    return HintOutcome::kTaken;
  }
  if (fault->code == ErrorCode::kDeviceLost) {
    return *fault;
  }
  return HintOutcome::kIgnored;
}

Result<HintOutcome> CudaBackend::prefetch(StreamId stream, const std::byte* at, Bytes size,
                                          MemorySide side) {
  const Result<cudaStream_t> native = streams_.native(stream, "prefetch");
  if (!native) {
    return native.failure();
  }
  const int target = side == MemorySide::kHost ? cudaCpuDeviceId : options_.device;
  return hint(
      at, size, "prefetch", [&] { return prefetch_pages(at, size, target, *native); },
      "cudaMemPrefetchAsync");
}

Result<HintOutcome> CudaBackend::advise(const std::byte* at, Bytes size, MemoryAdvice advice) {
  const int target = advice == MemoryAdvice::kPreferHost ? cudaCpuDeviceId : options_.device;
  return hint(
      at, size, "advise", [&] { return advise_pages(at, size, cuda_advice(advice), target); },
      "cudaMemAdvise");
}

}  // namespace tenure
