// Thrust's memory from a runtime's pool: what algorithms take for a while, and what containers hold.
//
//   ThrustAllocator temporaries(allocator, stream);
//   thrust::sort(thrust::cuda::par(temporaries).on(stream), first, last);
//
//   using Resource = ThrustResource<thrust::mr::memory_resource<thrust::cuda::pointer<void>>>;
//   Resource resource(allocator);
//   thrust::mr::allocator<float, Resource> elements(&resource);
//
// It reads no header of Thrust's.
#pragma once

#include <cstddef>

#include "tenure/plugins/device_resource.hpp"

namespace tenure {

/// For an execution policy: bytes while an algorithm runs, in order of its stream.
///
/// errors   throws as `allocate_or_throw`, through the algorithm; on Thrust's OpenMP back end the
///          program ends, as no exception comes out of its loops
/// threads  as the algorithm; it may be copied. The AddressAllocator outlives it
class ThrustAllocator {
 public:
  using value_type = char;

  /// stream   the policy's, as the device has it; null is the default stream
  explicit ThrustAllocator(AddressAllocator& allocator, void* stream = nullptr)
      : allocator_(&allocator), stream_(stream) {}

  [[nodiscard]] char* allocate(std::ptrdiff_t bytes) {
    return static_cast<char*>(allocate_or_throw(*allocator_, static_cast<std::size_t>(bytes),
                                                kPayloadAlignment, stream_));
  }
  void deallocate(char* address, std::size_t) noexcept {
    release_on(*allocator_, address, stream_);
  }

 private:
  AddressAllocator* allocator_;
  void* stream_;
};

/// For containers, by thrust::mr::allocator.
///
/// Base     thrust::mr::memory_resource<Pointer>, with the pointer to void of the system whose memory it
///          is: thrust::cuda::pointer<void> for device memory
/// errors   throws as `allocate_or_throw`
/// threads  anyone. The AddressAllocator outlives it, and it what was allocated
template <class Base>
class ThrustResource final : public Base {
 public:
  using Pointer = typename Base::pointer;

  /// stream   whose work uses the containers first
  explicit ThrustResource(AddressAllocator& allocator, void* stream = nullptr)
      : allocator_(allocator), stream_(stream) {}

  [[nodiscard]] Pointer do_allocate(std::size_t bytes, std::size_t alignment) override {
    return Pointer(allocate_or_throw(allocator_, bytes, alignment, stream_));
  }
  void do_deallocate(Pointer address, std::size_t, std::size_t) noexcept override {
    release_on(allocator_, unwrap(address), stream_);
  }
  [[nodiscard]] bool do_is_equal(const Base& other) const noexcept override {
    return this == &other;
  }

 private:
  AddressAllocator& allocator_;
  void* stream_;
};

}  // namespace tenure
