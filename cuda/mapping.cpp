#include "cuda/mapping.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "host/pages.hpp"

namespace tenure {

namespace {

CUmemAccessDesc access_of(int device) {
  CUmemAccessDesc access{};
  access.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  access.location.id = device;
  access.flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
  return access;
}

CUdeviceptr place_of(const std::byte* base) { return reinterpret_cast<std::uintptr_t>(base); }

}  // namespace

Result<Bytes> DeviceMapping::open(int device, Bytes at_least) {
  int is_supported = 0;
  if (std::optional<Error> fault = health_.take(
          driver_.device_attribute(&is_supported,
                                   CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED, device),
          "cuDeviceGetAttribute")) {
    return *fault;
  }
  if (is_supported == 0) {
    return Bytes{};
  }
  properties_.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  properties_.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  properties_.location.id = device;
  access_ = {access_of(device)};
  std::size_t granularity = 0;
  if (std::optional<Error> fault = health_.take(
          driver_.granularity(&granularity, &properties_, CU_MEM_ALLOC_GRANULARITY_MINIMUM),
          "cuMemGetAllocationGranularity")) {
    return *fault;
  }
  granule_ = std::max(Bytes{granularity}, at_least);
  return granule_;
}

Result<std::byte*> DeviceMapping::reserve(Bytes size) {
  CUdeviceptr base = 0;
  const CUresult status = driver_.reserve(&base, size.count(), granule_.count(), 0, 0);
  std::optional<Error> fault = health_.take(status, "cuMemAddressReserve");
  if (!fault) {
    return reinterpret_cast<std::byte*>(base);
  }
  // Source: the driver says so of sizes that no address space has; ours are whole granules.
  if (status == CUDA_ERROR_INVALID_VALUE) {
    fault->code = ErrorCode::kOutOfMemory;
  }
  return Error{fault->code, "cannot reserve " + to_string(size) +
                                " of the device's addresses: " + fault->message};
}

void DeviceMapping::release(std::byte* base, Bytes size) {
  for (Bytes at; is_stuck(base, size) && at < size; at += granule_) {
    std::byte* const chunk = base + at.count();
    if (is_stuck(chunk, granule_)) {
      stuck_.erase(place_of(chunk), place_of(chunk) + granule_.count());
      unmap(chunk, granule_);
    }
  }
  if (!is_stuck(base, size)) {
    health_.insist("cuMemAddressFree",
                   [&] { return driver_.free_addresses(place_of(base), size.count()); });
  }
}

bool DeviceMapping::is_stuck(const std::byte* base, Bytes size) const {
  return stuck_.covered(place_of(base), place_of(base) + size.count()) != 0;
}

// One chunk of memory behind one granule, which keeps it alive by itself.
Result<void> DeviceMapping::map_chunk(std::byte* base) {
  CUmemGenericAllocationHandle chunk = 0;
  if (std::optional<Error> fault =
          health_.take(driver_.create(&chunk, granule_.count(), &properties_, 0), "cuMemCreate")) {
    return *fault;
  }
  std::optional<Error> fault =
      health_.take(driver_.map(place_of(base), granule_.count(), 0, chunk, 0), "cuMemMap");
  health_.insist("cuMemRelease", [&] { return driver_.release(chunk); });
  if (fault) {
    return *fault;
  }
  return {};
}

Result<void> DeviceMapping::map(std::byte* base, Bytes size) {
  Bytes mapped;
  Result<void> done;
  while (done && mapped < size) {
    std::byte* const at = base + mapped.count();
    if (is_stuck(at, granule_)) {
      stuck_.erase(place_of(at), place_of(at) + granule_.count());  // it is there still
    } else {
      done = map_chunk(at);
    }
    mapped += done ? granule_ : Bytes{};
  }
  if (done) {
    if (std::optional<Error> fault = health_.take(
            driver_.set_access(place_of(base), size.count(), access_.data(), access_.size()),
            "cuMemSetAccess")) {
      done = *fault;
    }
  }
  if (!done && !mapped.is_zero()) {
    unmap(base, mapped);
  }
  return done;
}

Result<void> DeviceMapping::open_to(int peer, std::byte* base, Bytes size) {
  const CUmemAccessDesc access = access_of(peer);
  if (std::optional<Error> fault = health_.take(
          driver_.set_access(place_of(base), size.count(), &access, 1), "cuMemSetAccess")) {
    return *fault;
  }
  return {};
}

void DeviceMapping::open_to(int peer) {
  const bool is_known =
      std::any_of(access_.begin(), access_.end(),
                  [peer](const CUmemAccessDesc& access) { return access.location.id == peer; });
  if (!is_known) {
    access_.push_back(access_of(peer));
  }
}

void DeviceMapping::unmap(std::byte* base, Bytes size) {
  const bool is_done =
      health_.insist("cuMemUnmap", [&] { return driver_.unmap(place_of(base), size.count()); });
  if (!is_done) {
    stuck_.add(place_of(base), place_of(base) + size.count());
  }
}

}  // namespace tenure
