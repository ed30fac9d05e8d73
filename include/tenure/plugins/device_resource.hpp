// A runtime's pool as a memory resource of CUDA's libraries: cuda::mr in the spelling of CCCL 2 and 3.0
// (`allocate_async`) and in that of 3.1 and later (`allocate(stream, ...)`), and RMM by its callbacks.
//
//   tenure::DeviceResource<cuda::mr::device_accessible> pool(runtime, "cudf");
//   cuda::mr::async_resource_ref<cuda::mr::device_accessible> ref(pool);
//
// It reads no header of theirs: what a stream is, and which properties memory has, are arguments.
#pragma once

#include <concepts>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "tenure/plugins/address_allocator.hpp"
#include "tenure/plugins/memory_resource.hpp"

namespace tenure {

/// The pointer in whatever wraps it: the device's handle in cuda::stream_ref and rmm::cuda_stream_view,
/// an address in thrust::cuda::pointer; or the pointer itself.
template <class Wrapped>
[[nodiscard]] void* unwrap(const Wrapped& wrapped) {
  if constexpr (requires { wrapped.get(); }) {
    return static_cast<void*>(wrapped.get());
  } else if constexpr (requires { wrapped.value(); }) {
    return static_cast<void*>(wrapped.value());
  } else {
    return static_cast<void*>(wrapped);
  }
}

/// Bytes of `allocator` for work on a stream of others'.
///
/// alignment  512 at most
/// errors     throws OutOfPayload, a bad_alloc: no room, or such an alignment; Failure: the stream
///            cannot be told from others, the device is lost, or the runtime was closed
[[nodiscard]] inline void* allocate_or_throw(AddressAllocator& allocator, std::size_t bytes,
                                             std::size_t alignment, void* stream) {
  if (alignment > kPayloadAlignment) {
    throw OutOfPayload("payloads lie at multiples of " + std::to_string(kPayloadAlignment) +
                       " bytes, not of " + std::to_string(alignment));
  }
  const StreamId known = value_or_throw(allocator.runtime().adopt_stream(stream));
  // Why at least one: callers ask for nothing, and compare what they get.
  const Result<std::byte*> got = allocator.allocate(Bytes{bytes == 0 ? 1 : bytes}, known);
  if (got) {
    return *got;
  }
  if (got.failure().code == ErrorCode::kOutOfMemory ||
      got.failure().code == ErrorCode::kOverBudget) {
    throw OutOfPayload(got.failure().message);
  }
  throw Failure(got.failure());
}

/// Hands bytes back behind work on a stream of others', which need not be the one they were asked for.
inline void release_on(AddressAllocator& allocator, void* address, void* stream) noexcept {
  // A stream that is not known yet cannot be made known only where memory has run out or the device is
  // lost; the bytes stay behind the stream they were leased for then.
  if (const Result<StreamId> known = allocator.runtime().adopt_stream(stream)) {
    allocator.used_on(address, *known);
  }
  allocator.release(address);
}

/// A client's memory of one kind. Copies are the same resource, and equal.
///
/// Properties  of its memory, as `get_property` is asked for them: cuda::mr::device_accessible, and
///             host_accessible too for pinned and unified memory
/// errors      as `allocate_or_throw`; giving back throws nothing
/// threads     anyone. The runtime outlives the last copy, and that what was allocated
template <class... Properties>
class DeviceResource {
 public:
  /// client   the name of its account
  explicit DeviceResource(Runtime& runtime, std::string_view client,
                          MemoryKind kind = MemoryKind::kDevice)
      : allocator_(std::make_shared<AddressAllocator>(runtime, client, kind)) {}

  // --- without a stream: CCCL 3.1, then before ---------------------------------------------------

  /// Bytes that any stream may use at once: the host waits for the default stream.
  [[nodiscard]] void* allocate_sync(std::size_t bytes, std::size_t alignment = kPayloadAlignment) {
    void* const got = allocate_or_throw(*allocator_, bytes, alignment, nullptr);
    if (const Result<void> idle = allocator_->runtime().synchronize(StreamId::kDefault); !idle) {
      allocator_->release(got);
      throw Failure(idle.failure());
    }
    return got;
  }
  /// All work that uses them is done, or on the default stream.
  void deallocate_sync(void* address, std::size_t, std::size_t = kPayloadAlignment) noexcept {
    allocator_->release(address);
  }
  [[nodiscard]] void* allocate(std::size_t bytes, std::size_t alignment = kPayloadAlignment) {
    return allocate_sync(bytes, alignment);
  }
  void deallocate(void* address, std::size_t, std::size_t = kPayloadAlignment) noexcept {
    allocator_->release(address);
  }

  // --- in stream order: CCCL 3.1, then before ----------------------------------------------------

  template <class Stream>
  [[nodiscard]] void* allocate(Stream stream, std::size_t bytes, std::size_t alignment) {
    return allocate_or_throw(*allocator_, bytes, alignment, unwrap(stream));
  }
  /// Work on `stream` uses the bytes for the last time.
  template <class Stream>
  void deallocate(Stream stream, void* address, std::size_t, std::size_t) noexcept {
    release_on(*allocator_, address, unwrap(stream));
  }
  template <class Stream>
  [[nodiscard]] void* allocate_async(std::size_t bytes, std::size_t alignment, Stream stream) {
    return allocate_or_throw(*allocator_, bytes, alignment, unwrap(stream));
  }
  template <class Stream>
  void deallocate_async(void* address, std::size_t, std::size_t, Stream stream) noexcept {
    release_on(*allocator_, address, unwrap(stream));
  }
  template <class Stream>
  [[nodiscard]] void* allocate_async(std::size_t bytes, Stream stream) {
    return allocate_async(bytes, kPayloadAlignment, stream);
  }
  template <class Stream>
  void deallocate_async(void* address, std::size_t bytes, Stream stream) noexcept {
    deallocate_async(address, bytes, kPayloadAlignment, stream);
  }

  [[nodiscard]] AddressAllocator& allocator() const { return *allocator_; }

  friend bool operator==(const DeviceResource&, const DeviceResource&) = default;
  template <class Property>
  requires(std::same_as<Property, Properties> ||
           ...) friend constexpr void get_property(const DeviceResource&, Property) noexcept {}

 private:
  std::shared_ptr<AddressAllocator> allocator_;
};

/// The two functions of rmm::mr::callback_memory_resource, whose argument is an AddressAllocator:
///
///   rmm::mr::callback_memory_resource pool(
///       tenure::callback_allocate<rmm::cuda_stream_view, rmm::out_of_memory>,
///       tenure::callback_deallocate<rmm::cuda_stream_view>, &allocator, &allocator);
///
/// OutOfMemory  what is thrown where there is no room, made of a sentence
template <class Stream, class OutOfMemory = OutOfPayload>
void* callback_allocate(std::size_t bytes, Stream stream, void* allocator) {
  try {
    return allocate_or_throw(*static_cast<AddressAllocator*>(allocator), bytes, kPayloadAlignment,
                             unwrap(stream));
  } catch (const OutOfPayload& refused) {
    throw OutOfMemory(refused.what());
  }
}
template <class Stream>
void callback_deallocate(void* address, std::size_t, Stream stream, void* allocator) {
  release_on(*static_cast<AddressAllocator*>(allocator), address, unwrap(stream));
}

}  // namespace tenure
