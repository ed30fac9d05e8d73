// Virtual memory management: functions of the driver, which cuda/ asks for by their names. Physical
// memory is a file in memory, so that it keeps its bytes when it is mapped elsewhere.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "tests/cuda/substitute/world.hpp"

namespace tenure::substitute {

namespace {

constexpr std::size_t kGranularity = std::size_t{2} << 20;

std::byte* at(CUdeviceptr address) { return reinterpret_cast<std::byte*>(address); }

CUresult is_good(bool condition) { return condition ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE; }

CUresult address_reserve(CUdeviceptr* base, std::size_t bytes, std::size_t alignment, CUdeviceptr,
                         unsigned long long) {
  const DriverCall call("cuMemAddressReserve");
  if (call.is_refused()) {
    return call.status();
  }
  if (bytes == 0 || bytes % kGranularity != 0) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  // Some more on either side: an aligned start, and nothing of ours right behind it.
  const std::size_t step = alignment < kGranularity ? kGranularity : alignment;
  void* const mapped = mmap(nullptr, bytes + 2 * step, PROT_NONE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) {
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  auto* const first = static_cast<std::byte*>(mapped);
  auto* const start = at(round_up(reinterpret_cast<std::uintptr_t>(mapped) + 1, step));
  munmap(first, static_cast<std::size_t>(start - first));
  const std::byte* const end = first + bytes + 2 * step;
  munmap(start + bytes, static_cast<std::size_t>(end - (start + bytes)));
  world().reservations[start] = bytes;
  *base = reinterpret_cast<CUdeviceptr>(start);
  return CUDA_SUCCESS;
}

CUresult address_free(CUdeviceptr base, std::size_t bytes) {
  const DriverCall call("cuMemAddressFree");
  if (call.is_refused()) {
    return call.status();
  }
  const auto found = world().reservations.find(at(base));
  if (found == world().reservations.end() || found->second != bytes) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  const auto inside = world().blocks.lower_bound(at(base));
  if (inside != world().blocks.end() && inside->first < at(base) + bytes) {
    world().misuses.push_back("addresses were given up while memory is mapped there");
    return CUDA_ERROR_INVALID_VALUE;
  }
  munmap(found->first, bytes);
  world().reservations.erase(found);
  return CUDA_SUCCESS;
}

CUresult create(CUmemGenericAllocationHandle* handle, std::size_t bytes,
                const CUmemAllocationProp* properties, unsigned long long) {
  const DriverCall call("cuMemCreate");
  if (call.is_refused()) {
    return call.status();
  }
  const bool is_ours = properties->type == CU_MEM_ALLOCATION_TYPE_PINNED &&
                       properties->location.type == CU_MEM_LOCATION_TYPE_DEVICE &&
                       properties->location.id >= 0 &&
                       properties->location.id < world().machine.devices;
  if (!is_ours || bytes == 0 || bytes % kGranularity != 0) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  if (!world().take(properties->location.id, bytes)) {
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  const int file = memfd_create("device memory", MFD_CLOEXEC);
  if (file < 0 || ftruncate(file, static_cast<off_t>(bytes)) != 0) {
    world().used.at(static_cast<std::size_t>(properties->location.id)) -= bytes;
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  *handle = ++world().last_handle;
  world().physical[*handle] = {bytes, properties->location.id, file, 0};
  return CUDA_SUCCESS;
}

// Memory is gone once it is released and mapped nowhere.
void forget_if_unused(CUmemGenericAllocationHandle handle) {
  const Physical& memory = world().physical.at(handle);
  if (memory.file < 0 && memory.mappings == 0) {
    world().used.at(static_cast<std::size_t>(memory.device)) -= memory.bytes;
    world().physical.erase(handle);
  }
}

CUresult release(CUmemGenericAllocationHandle handle) {
  const DriverCall call("cuMemRelease");
  if (call.is_refused()) {
    return call.status();
  }
  const auto found = world().physical.find(handle);
  if (found == world().physical.end() || found->second.file < 0) {
    world().misuses.push_back("memory was released that is not there");
    return CUDA_ERROR_INVALID_VALUE;
  }
  close(found->second.file);
  found->second.file = -1;
  forget_if_unused(handle);
  return CUDA_SUCCESS;
}

CUresult map(CUdeviceptr base, std::size_t bytes, std::size_t offset,
             CUmemGenericAllocationHandle handle, unsigned long long) {
  const DriverCall call("cuMemMap");
  if (call.is_refused()) {
    return call.status();
  }
  World& w = world();
  const auto what = w.physical.find(handle);
  auto where = w.reservations.upper_bound(at(base));
  if (what == w.physical.end() || what->second.file < 0 || bytes != what->second.bytes ||
      offset != 0 || where == w.reservations.begin()) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  --where;
  const auto next = w.blocks.lower_bound(at(base));
  const bool is_free = w.block_at(at(base)) == nullptr &&
                       (next == w.blocks.end() || next->first >= at(base) + bytes);
  if (!is_free || at(base) + bytes > where->first + where->second || base % kGranularity != 0) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  if (mmap(at(base), bytes, PROT_NONE, MAP_SHARED | MAP_FIXED, what->second.file, 0) ==
      MAP_FAILED) {
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  Block block;
  block.kind = Block::Kind::kMapping;
  block.bytes = block.page_bytes = bytes;
  block.pages = at(base);
  block.is_open = false;
  block.device = what->second.device;
  w.blocks[at(base)] = block;
  w.behind[at(base)] = handle;
  ++what->second.mappings;
  return CUDA_SUCCESS;
}

CUresult unmap(CUdeviceptr base, std::size_t bytes) {
  const DriverCall call("cuMemUnmap");
  if (call.is_refused()) {
    return call.status();
  }
  World& w = world();
  std::byte* const end = at(base) + bytes;
  // All that begins inside, which has to tile it: no mapping is cut.
  std::byte* place = at(base);
  while (place < end) {
    const auto found = w.blocks.find(place);
    if (found == w.blocks.end() || found->second.kind != Block::Kind::kMapping ||
        place + found->second.bytes > end) {
      return CUDA_ERROR_INVALID_VALUE;
    }
    place += found->second.bytes;
  }
  if (w.is_in_use(at(base), bytes)) {
    w.misuses.push_back("memory was unmapped while work in flight uses it");
  }
  for (place = at(base); place < end;) {
    const auto found = w.blocks.find(place);
    const CUmemGenericAllocationHandle handle = w.behind.at(place);
    place += found->second.bytes;
    w.behind.erase(found->first);
    w.blocks.erase(found);
    --w.physical.at(handle).mappings;
    forget_if_unused(handle);
  }
  mmap(at(base), bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  return is_good(bytes != 0);
}

CUresult set_access(CUdeviceptr base, std::size_t bytes, const CUmemAccessDesc* access,
                    std::size_t count) {
  const DriverCall call("cuMemSetAccess");
  if (call.is_refused()) {
    return call.status();
  }
  World& w = world();
  const bool is_ours = count != 0 && std::all_of(access, access + count, [&](const auto& one) {
                         return one.location.type == CU_MEM_LOCATION_TYPE_DEVICE &&
                                one.location.id >= 0 && one.location.id < w.machine.devices &&
                                one.flags == CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
                       });
  const auto is_open_to = [&](const Block& block) {
    return std::all_of(access, access + count, [&](const auto& one) {
      return one.location.id == block.device || w.machine.has_peers;
    });
  };
  std::byte* const end = at(base) + bytes;
  for (std::byte* place = at(base); place < end;) {
    const auto found = w.blocks.find(place);
    if (!is_ours || found == w.blocks.end() || found->second.kind != Block::Kind::kMapping) {
      return CUDA_ERROR_INVALID_VALUE;
    }
    if (!is_open_to(found->second)) {
      return CUDA_ERROR_INVALID_DEVICE;
    }
    place += found->second.bytes;
  }
  for (std::byte* place = at(base); place < end;) {
    Block& block = w.blocks.at(place);
    for (std::size_t k = 0; k < count; ++k) {
      if (access[k].location.id == block.device) {
        block.is_open = true;
      } else {
        block.peers.insert(access[k].location.id);
      }
    }
    place += block.bytes;
  }
  return CUDA_SUCCESS;
}

CUresult granularity(std::size_t* bytes, const CUmemAllocationProp*,
                     CUmemAllocationGranularity_flags) {
  const DriverCall call("cuMemGetAllocationGranularity");
  if (call.is_refused()) {
    return call.status();
  }
  *bytes = kGranularity;
  return CUDA_SUCCESS;
}

template <class Function>
void* pointer(Function* function) {
  return reinterpret_cast<void*>(function);
}

}  // namespace

void* mapping_function(const std::string& name) {
  static const std::map<std::string, void*> table{
      {"cuMemAddressReserve", pointer<decltype(cuMemAddressReserve)>(address_reserve)},
      {"cuMemAddressFree", pointer<decltype(cuMemAddressFree)>(address_free)},
      {"cuMemCreate", pointer<decltype(cuMemCreate)>(create)},
      {"cuMemRelease", pointer<decltype(cuMemRelease)>(release)},
      {"cuMemMap", pointer<decltype(cuMemMap)>(map)},
      {"cuMemUnmap", pointer<decltype(cuMemUnmap)>(unmap)},
      {"cuMemSetAccess", pointer<decltype(cuMemSetAccess)>(set_access)},
      {"cuMemGetAllocationGranularity",
       pointer<decltype(cuMemGetAllocationGranularity)>(granularity)}};
  const auto found = table.find(name);
  return found == table.end() ? nullptr : found->second;
}

}  // namespace tenure::substitute
