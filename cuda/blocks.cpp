#include "cuda/blocks.hpp"

#include <cstdint>
#include <optional>
#include <string>

#include "cuda/page_hints.hpp"
#include "host/pages.hpp"

namespace tenure {

namespace {

bool is_aligned(const void* address) {
  return reinterpret_cast<std::uintptr_t>(address) % page_bytes().count() == 0;
}

}  // namespace

Result<void> DeviceBlocks::open() {
  int has_pools = 0;
  if (std::optional<Error> fault =
          health_.take(cudaDeviceGetAttribute(&has_pools, cudaDevAttrMemoryPoolsSupported, device_),
                       "cudaDeviceGetAttribute")) {
    return *fault;
  }
  if (has_pools == 0) {
    return {};
  }
  if (std::optional<Error> fault =
          health_.take(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking),
                       "cudaStreamCreateWithFlags")) {
    return *fault;
  }
  return {};
}

// Why a stream's allocator, where there is one: cudaFree waits for all of the device.
Result<void*> DeviceBlocks::allocate_in_order(Bytes size) {
  void* raw = nullptr;
  if (std::optional<Error> fault =
          health_.take(cudaMallocAsync(&raw, size.count(), stream_), "cudaMallocAsync")) {
    return *fault;
  }
  // So that any stream may use it. Nothing else is on this one: it takes no time.
  if (std::optional<Error> fault =
          health_.take(cudaStreamSynchronize(stream_), "cudaStreamSynchronize")) {
    free_raw(MemoryKind::kDevice, raw);
    return *fault;
  }
  return raw;
}

Result<void*> DeviceBlocks::allocate_raw(MemoryKind kind, Bytes size) {
  if (kind == MemoryKind::kDevice && stream_ != nullptr) {
    return allocate_in_order(size);
  }
  void* raw = nullptr;
  std::optional<Error> fault;
  if (kind == MemoryKind::kDevice) {
    fault = health_.take(cudaMalloc(&raw, size.count()), "cudaMalloc");
  } else if (kind == MemoryKind::kUnified) {
    fault = health_.take(cudaMallocManaged(&raw, size.count(), cudaMemAttachGlobal),
                         "cudaMallocManaged");
  } else {
    fault = health_.take(cudaHostAlloc(&raw, size.count(), cudaHostAllocPortable), "cudaHostAlloc");
  }
  if (fault) {
    return *fault;
  }
  return raw;
}

void DeviceBlocks::free_raw(MemoryKind kind, void* raw) {
  if (kind == MemoryKind::kDevice && stream_ != nullptr) {
    health_.insist("cudaFreeAsync", [&] { return cudaFreeAsync(raw, stream_); });
    // The pool lets go of what was freed when its stream is waited for.
    health_.insist("cudaStreamSynchronize", [&] { return cudaStreamSynchronize(stream_); });
  } else if (kind == MemoryKind::kPinned) {
    health_.insist("cudaFreeHost", [&] { return cudaFreeHost(raw); });
  } else {
    health_.insist("cudaFree", [&] { return cudaFree(raw); });
  }
}

Result<std::byte*> DeviceBlocks::allocate(MemoryKind kind, Bytes size) {
  Result<void*> raw = allocate_raw(kind, size);
  if (raw && !is_aligned(*raw)) {
    // CUDA promises 256 bytes of alignment, and gives large blocks far more: this is rare.
    free_raw(kind, *raw);
    raw = allocate_raw(kind, size + page_bytes());
  }
  if (!raw) {
    return Error{raw.failure().code, "cannot allocate " + to_string(size) + " of " +
                                         std::string(to_string(kind)) +
                                         " memory: " + raw.failure().message};
  }
  if (kind == MemoryKind::kUnified) {
    // A hint: a device that refuses it moves pages as they are touched.
    static_cast<void>(health_.take(
        advise_pages(*raw, size, cudaMemAdviseSetPreferredLocation, device_), "cudaMemAdvise"));
  }
  const std::uint64_t page = page_bytes().count();
  const std::uint64_t first = reinterpret_cast<std::uintptr_t>(*raw);
  auto* const base = reinterpret_cast<std::byte*>((first + page - 1) / page * page);
  blocks_[base] = {*raw, kind};
  return base;
}

void DeviceBlocks::deallocate(std::byte* base) {
  const auto found = blocks_.find(base);
  free_raw(found->second.kind, found->second.raw);
  blocks_.erase(found);
}

// A pool's memory is opened by the pool, other memory by the device that is to reach it, whose context
// has to be current.
Result<void> DeviceBlocks::open_to(int peer, DeviceContext& context_of_peer) {
  if (stream_ != nullptr) {
    cudaMemPool_t pool = nullptr;
    if (std::optional<Error> fault = health_.take(cudaDeviceGetDefaultMemPool(&pool, device_),
                                                  "cudaDeviceGetDefaultMemPool")) {
      return *fault;
    }
    cudaMemAccessDesc access{};
    access.location.type = cudaMemLocationTypeDevice;
    access.location.id = peer;
    access.flags = cudaMemAccessFlagsProtReadWrite;
    if (std::optional<Error> fault =
            health_.take(cudaMemPoolSetAccess(pool, &access, 1), "cudaMemPoolSetAccess")) {
      return *fault;
    }
    return {};
  }
  const Result<ContextScope> scope = context_of_peer.enter();
  if (!scope) {
    return scope.failure();
  }
  const cudaError_t status = cudaDeviceEnablePeerAccess(device_, 0);
  std::optional<Error> fault = health_.take(status, "cudaDeviceEnablePeerAccess");
  if (fault && status != cudaErrorPeerAccessAlreadyEnabled) {
    return *fault;
  }
  return {};
}

void DeviceBlocks::close() {
  for (const auto& [base, block] : blocks_) {
    free_raw(block.kind, block.raw);
  }
  blocks_.clear();
  if (stream_ != nullptr) {
    health_.insist("cudaStreamDestroy", [&] { return cudaStreamDestroy(stream_); });
    stream_ = nullptr;
  }
}

}  // namespace tenure
