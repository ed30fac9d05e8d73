#include "cuda/mirror_range.hpp"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <string>

#include "core/base/bitmap.hpp"
#include "cuda/done.hpp"
#include "tenure/object.hpp"

namespace tenure {

namespace {

constexpr std::uint64_t kCageBytes = kCageGranules * kGranuleBytes;
constexpr std::uint64_t kRegionBytes = std::uint64_t{kGranulesPerRegion} * kGranuleBytes;
constexpr std::uint64_t kLeastChunk = 2u << 20;
constexpr unsigned int kDriverVersion = 12000;  // whose spellings of the entry points are meant

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

// Why at run time: a program linked with the driver's library does not start where there is none.
template <class Function>
Result<void> find(const char* name, Function& function) {
  void* found = nullptr;
  cudaDriverEntryPointQueryResult answer{};
  if (Result<void> asked =
          tenure::done(cudaGetDriverEntryPointByVersion(name, &found, kDriverVersion,
                                                        cudaEnableDefault, &answer),
                       name);
      !asked) {
    return asked;
  }
  if (answer != cudaDriverEntryPointSuccess || found == nullptr) {
    return Error{ErrorCode::kUnsupported, std::string("the CUDA driver has no ") + name};
  }
  function = reinterpret_cast<Function>(found);
  return {};
}

}  // namespace

struct MirrorRange::Driver {
  decltype(&cuDeviceGet) device = nullptr;
  decltype(&cuDeviceGetAttribute) attribute = nullptr;
  decltype(&cuMemGetAllocationGranularity) granularity = nullptr;
  decltype(&cuMemAddressReserve) reserve = nullptr;
  decltype(&cuMemAddressFree) give_up = nullptr;
  decltype(&cuMemCreate) create = nullptr;
  decltype(&cuMemRelease) release = nullptr;
  decltype(&cuMemMap) map = nullptr;
  decltype(&cuMemUnmap) unmap = nullptr;
  decltype(&cuMemSetAccess) allow = nullptr;

  Result<void> find_all() {
    Result<void> found = find("cuDeviceGet", device);
    const auto next = [&found](const char* name, auto& function) {
      if (found) {
        found = find(name, function);
      }
    };
    next("cuDeviceGetAttribute", attribute);
    next("cuMemGetAllocationGranularity", granularity);
    next("cuMemAddressReserve", reserve);
    next("cuMemAddressFree", give_up);
    next("cuMemCreate", create);
    next("cuMemRelease", release);
    next("cuMemMap", map);
    next("cuMemUnmap", unmap);
    next("cuMemSetAccess", allow);
    return found;
  }
};

MirrorRange::MirrorRange(std::unique_ptr<Driver> driver) : driver_(std::move(driver)) {}

Result<std::unique_ptr<MirrorRange>> MirrorRange::open(int device) {
  auto driver = std::make_unique<Driver>();
  if (Result<void> found = driver->find_all(); !found) {
    return found.failure();
  }
  std::unique_ptr<MirrorRange> range(new MirrorRange(std::move(driver)));
  if (Result<void> reserved = range->reserve(device); !reserved) {
    return reserved.failure();
  }
  return range;
}

Result<void> MirrorRange::reserve(int device) {
  CUdevice handle = 0;
  int can_map = 0;
  Result<void> found = done(driver_->device(&handle, device), "cuDeviceGet");
  if (found) {
    found = done(driver_->attribute(
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
          done(driver_->granularity(&granularity, &memory_, CU_MEM_ALLOC_GRANULARITY_RECOMMENDED),
               "cuMemGetAllocationGranularity");
      !asked) {
    return asked;
  }
  chunk_ = std::max<std::uint64_t>(granularity, kLeastChunk);
  CUdeviceptr base = 0;
  if (Result<void> reserved =
          done(driver_->reserve(&base, kCageBytes, chunk_, 0, 0), "cuMemAddressReserve");
      !reserved) {
    return reserved;
  }
  base_ = base;
  there_.assign(kCageBytes / chunk_ / kBitsPerWord + 1, 0);
  return {};
}

MirrorRange::~MirrorRange() {
  for (const Run& run : runs_) {
    static_cast<void>(driver_->unmap(base_ + run.offset, run.size));
  }
  if (base_ != 0) {
    static_cast<void>(driver_->give_up(base_, kCageBytes));
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
  if (Result<void> created = done(driver_->create(&handle, size, &memory_, 0), "cuMemCreate");
      !created) {
    return created;
  }
  Result<void> mapped = done(driver_->map(base_ + offset, size, 0, handle, 0), "cuMemMap");
  // The mapping keeps the memory; nobody needs its name any more.
  static_cast<void>(driver_->release(handle));
  if (!mapped) {
    return mapped;
  }
  CUmemAccessDesc access{};
  access.location = memory_.location;
  access.flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
  if (Result<void> allowed =
          done(driver_->allow(base_ + offset, size, &access, 1), "cuMemSetAccess");
      !allowed) {
    static_cast<void>(driver_->unmap(base_ + offset, size));
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
