#include "cuda/mirror_range.hpp"

#include <algorithm>
#include <string>

#include "core/base/bitmap.hpp"
#include "tenure/object.hpp"

namespace tenure {

namespace {

constexpr std::uint64_t kCageBytes = kCageGranules * kGranuleBytes;
constexpr std::uint64_t kRegionBytes = std::uint64_t{kGranulesPerRegion} * kGranuleBytes;
constexpr std::uint64_t kLeastChunk = 2u << 20;

Result<void> done(CUresult status, const char* call) {
  if (status == CUDA_SUCCESS) {
    return {};
  }
  const std::string words =
      std::string(call) + " failed (CUresult " + std::to_string(static_cast<int>(status)) + ")";
  return Error{
      status == CUDA_ERROR_OUT_OF_MEMORY ? ErrorCode::kOutOfMemory : ErrorCode::kDeviceRefused,
      words};
}

}  // namespace

Result<std::unique_ptr<MirrorRange>> MirrorRange::open(int device) {
  const Result<Driver> driver = load_driver();
  if (!driver) {
    return driver.failure();
  }
  if (!driver->can_map()) {
    return Error{ErrorCode::kUnsupported, "the CUDA driver maps no memory into reserved addresses"};
  }
  std::unique_ptr<MirrorRange> range(new MirrorRange(*driver));
  if (Result<void> reserved = range->reserve(device); !reserved) {
    return reserved.failure();
  }
  return range;
}

Result<void> MirrorRange::reserve(int device) {
  CUdevice handle = 0;
  int can_map = 0;
  Result<void> found = done(driver_.device_get(&handle, device), "cuDeviceGet");
  if (found) {
    found = done(driver_.device_attribute(
                     &can_map, CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED, handle),
                 "cuDeviceGetAttribute");
  }
  if (!found) {
    return found;
  }
  if (can_map == 0) {
    return Error{ErrorCode::kUnsupported,
                 "device " + std::to_string(device) + " maps no memory into reserved addresses"};
  }
  memory_.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  memory_.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  memory_.location.id = device;
  std::size_t granularity = 0;
  if (Result<void> asked =
          done(driver_.granularity(&granularity, &memory_, CU_MEM_ALLOC_GRANULARITY_RECOMMENDED),
               "cuMemGetAllocationGranularity");
      !asked) {
    return asked;
  }
  chunk_ = std::max<std::uint64_t>(granularity, kLeastChunk);
  CUdeviceptr base = 0;
  if (Result<void> reserved =
          done(driver_.reserve(&base, kCageBytes, chunk_, 0, 0), "cuMemAddressReserve");
      !reserved) {
    return reserved;
  }
  base_ = base;
  there_.assign(kCageBytes / chunk_ / kBitsPerWord + 1, 0);
  return {};
}

MirrorRange::~MirrorRange() {
  for (const Run& run : runs_) {
    static_cast<void>(driver_.unmap(base_ + run.offset, run.size));
  }
  if (base_ != 0) {
    static_cast<void>(driver_.free_addresses(base_, kCageBytes));
  }
}

Result<void> MirrorRange::map_regions(std::uint32_t first, std::uint32_t count) {
  const std::uint64_t end = ((std::uint64_t{first} + count) * kRegionBytes + chunk_ - 1) / chunk_;
  std::uint64_t chunk = next_clear_bit(there_.data(), first * kRegionBytes / chunk_, end);
  while (chunk < end) {
    const std::uint64_t run_end = next_set_bit(there_.data(), chunk, end);
    if (Result<void> mapped = map_run(chunk, run_end - chunk); !mapped) {
      return mapped;
    }
    chunk = next_clear_bit(there_.data(), run_end, end);
  }
  return {};
}

Result<void> MirrorRange::map_run(std::uint64_t first_chunk, std::uint64_t chunks) {
  const std::uint64_t size = chunks * chunk_;
  const std::uint64_t offset = first_chunk * chunk_;
  CUmemGenericAllocationHandle handle{};
  if (Result<void> created = done(driver_.create(&handle, size, &memory_, 0), "cuMemCreate");
      !created) {
    return created;
  }
  Result<void> mapped = done(driver_.map(base_ + offset, size, 0, handle, 0), "cuMemMap");
  // The mapping keeps the memory; nobody needs its name any more.
  static_cast<void>(driver_.release(handle));
  if (!mapped) {
    return mapped;
  }
  CUmemAccessDesc access{};
  access.location = memory_.location;
  access.flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
  if (Result<void> allowed =
          done(driver_.set_access(base_ + offset, size, &access, 1), "cuMemSetAccess");
      !allowed) {
    static_cast<void>(driver_.unmap(base_ + offset, size));
    return allowed;
  }
  for (std::uint64_t chunk = first_chunk; chunk < first_chunk + chunks; ++chunk) {
    set_bit(there_.data(), chunk);
  }
  runs_.push_back({offset, size});
  mapped_ += Bytes{size};
  return {};
}

}  // namespace tenure
