#include "cuda/page_hints.hpp"

namespace tenure {

namespace {

// Why templates: a call that the toolkit's header lacks is not looked at.
template <class Location>
Location location_of(int device) {
  Location location{};
  location.type = device == cudaCpuDeviceId ? cudaMemLocationTypeHost : cudaMemLocationTypeDevice;
  location.id = device == cudaCpuDeviceId ? 0 : device;
  return location;
}

template <class Location>
cudaError_t advise(const void* at, Bytes size, cudaMemoryAdvise advice, int device) {
  if constexpr (requires { cudaMemAdvise(at, size.count(), advice, Location{}); }) {
    return cudaMemAdvise(at, size.count(), advice, location_of<Location>(device));
  } else {
    return cudaMemAdvise(at, size.count(), advice, static_cast<decltype(Location::id)>(device));
  }
}

template <class Location>
cudaError_t prefetch(const void* at, Bytes size, int device, cudaStream_t stream) {
  if constexpr (requires { cudaMemPrefetchAsync(at, size.count(), Location{}, 0, stream); }) {
    return cudaMemPrefetchAsync(at, size.count(), location_of<Location>(device), 0, stream);
  } else {
    return cudaMemPrefetchAsync(at, size.count(), static_cast<decltype(Location::id)>(device),
                                stream);
  }
}

}  // namespace

cudaError_t advise_pages(const void* at, Bytes size, cudaMemoryAdvise advice, int device) {
  return advise<cudaMemLocation>(at, size, advice, device);
}

cudaError_t prefetch_pages(const void* at, Bytes size, int device, cudaStream_t stream) {
  return prefetch<cudaMemLocation>(at, size, device, stream);
}

}  // namespace tenure
