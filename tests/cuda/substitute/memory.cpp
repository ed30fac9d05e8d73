// Memory in one piece: of the device, managed, and of the host.
#include <sys/mman.h>

#include "tests/cuda/substitute/world.hpp"

namespace tenure::substitute {

namespace {

constexpr std::size_t kAlignment = 512;  // what cudaMalloc gives at the least

// Pages with room for `bytes` at their end, and a page behind that nobody may touch. Every second block
// of whole pages, by the seed, begins and ends inside of pages all the same.
Block new_block(Block::Kind kind, std::size_t bytes) {
  Block block;
  block.kind = kind;
  block.bytes = bytes;
  block.slack = bytes % kPage == 0 && world().random() % 2 == 0 ? kAlignment : 0;
  block.page_bytes = round_up(bytes + block.slack, kPage) + kPage;
  void* const pages = mmap(nullptr, block.page_bytes, PROT_NONE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  block.pages = pages == MAP_FAILED ? nullptr : static_cast<std::byte*>(pages);
  if (block.pages == nullptr) {
    return block;
  }
  block.page_bytes -= kPage;
  if (kind == Block::Kind::kManaged || kind == Block::Kind::kHost) {
    mprotect(block.pages, block.page_bytes, PROT_READ | PROT_WRITE);
  }
  return block;
}

std::byte* keep(Block block) {
  if (block.pages == nullptr) {
    return nullptr;
  }
  std::byte* const base =
      block.pages + block.page_bytes - round_up(block.bytes, kAlignment) - block.slack;
  block.device = device_of_call();
  world().blocks[base] = block;
  return base;
}

cudaError_t give_block(const Call& call, Block::Kind kind, void** base, std::size_t bytes) {
  if (bytes == 0) {
    return call.answer(cudaErrorInvalidValue);
  }
  const int device = device_of_call();
  const std::size_t counted = kind == Block::Kind::kDevice ? round_up(bytes, kAlignment) : 0;
  if (!world().take(device, counted)) {
    return call.answer(cudaErrorMemoryAllocation);
  }
  Block block = new_block(kind, bytes);
  block.counted = counted;
  *base = keep(block);
  return call.answer(*base == nullptr ? cudaErrorMemoryAllocation : cudaSuccess);
}

// Frees once all work of all streams is done, as the real one waits.
cudaError_t free_block(Call& call, void* base, bool of_host) {
  if (base == nullptr) {
    return cudaSuccess;
  }
  World& w = world();
  if (const cudaError_t status = w.wait_until(call.lock(), [&] { return w.is_idle(); });
      status != cudaSuccess) {
    return call.answer(status);
  }
  const auto found = w.blocks.find(static_cast<std::byte*>(base));
  const bool is_there = found != w.blocks.end() && found->second.kind != Block::Kind::kMapping &&
                        found->second.kind != Block::Kind::kRegistered &&
                        (found->second.kind == Block::Kind::kHost) == of_host;
  if (!is_there) {
    w.misuses.push_back("memory was freed that is not there");
    return call.answer(cudaErrorInvalidValue);
  }
  w.erase(found->first);
  return cudaSuccess;
}

bool is_managed(const void* base, std::size_t bytes) {
  const auto* const block = world().block_at(base);
  return block != nullptr && block->second.kind == Block::Kind::kManaged &&
         world().may_touch(base, bytes);
}

bool is_place(const cudaMemLocation& location) {
  return location.type == cudaMemLocationTypeHost ||
         (location.type == cudaMemLocationTypeDevice && location.id >= 0 &&
          location.id < world().machine.devices);
}

int number_of(const cudaMemLocation& location) {
  return location.type == cudaMemLocationTypeHost ? cudaCpuDeviceId : location.id;
}

}  // namespace

bool World::take(int device, std::size_t bytes) {
  std::size_t& taken = used.at(static_cast<std::size_t>(device));
  if (bytes > machine.device_bytes - taken) {
    return false;
  }
  taken += bytes;
  return true;
}

void World::erase(std::byte* base) {
  const auto found = blocks.find(base);
  const Block& block = found->second;
  used.at(static_cast<std::size_t>(block.device)) -= block.counted;
  if (block.kind != Block::Kind::kRegistered) {
    munmap(block.pages, block.page_bytes + kPage);
  }
  blocks.erase(found);
}

const std::pair<std::byte* const, Block>* World::block_at(const void* address) const {
  auto* const place = static_cast<std::byte*>(const_cast<void*>(address));
  auto found = blocks.upper_bound(place);
  if (found == blocks.begin()) {
    return nullptr;
  }
  --found;
  return place < found->first + found->second.bytes ? &*found : nullptr;
}

bool World::is_pageable(const void* address) const { return block_at(address) == nullptr; }

bool World::may_touch(const void* address, std::size_t bytes) const {
  const auto* place = static_cast<const std::byte*>(address);
  const std::byte* const end = place + bytes;
  if (place == nullptr) {
    return false;
  }
  // Reserved addresses with nothing behind them are no host memory.
  auto reserved = reservations.upper_bound(const_cast<std::byte*>(place));
  const bool is_reserved = reserved != reservations.begin() &&
                           place < std::prev(reserved)->first + std::prev(reserved)->second;
  if (block_at(place) == nullptr) {
    return !is_reserved;
  }
  while (place < end) {
    const auto* const block = block_at(place);
    if (block == nullptr || !block->second.is_open) {
      return false;
    }
    place = block->first + block->second.bytes;
  }
  return true;
}

bool World::reaches(int device, const void* address, std::size_t bytes, bool is_copy) const {
  const auto* place = static_cast<const std::byte*>(address);
  for (const std::byte* const end = place + bytes; place < end;) {
    const auto* const found = block_at(place);
    if (found == nullptr) {
      return true;
    }
    const Block& block = found->second;
    const std::pair both(device, block.device);
    const bool is_open = device == block.device ||
                         (block.kind == Block::Kind::kMapping  ? block.peers.contains(device)
                          : block.kind != Block::Kind::kDevice ? true
                          : block.is_pooled ? is_copy || pool_peers.contains(both)
                                            : is_copy || peers.contains(both));
    if (!is_open) {
      return false;
    }
    place = found->first + block.bytes;
  }
  return true;
}

}  // namespace tenure::substitute

using namespace tenure::substitute;

extern "C" {

cudaError_t cudaMalloc(void** base, std::size_t bytes) {
  const Call call("cudaMalloc");
  return call.is_refused() ? call.status() : give_block(call, Block::Kind::kDevice, base, bytes);
}

cudaError_t cudaFree(void* base) {
  Call call("cudaFree");
  return call.is_refused() ? call.status() : free_block(call, base, false);
}

cudaError_t cudaMallocManaged(void** base, std::size_t bytes, unsigned int flags) {
  const Call call("cudaMallocManaged");
  if (call.is_refused()) {
    return call.status();
  }
  if (!world().machine.has_managed_memory) {
    return call.answer(cudaErrorNotSupported);
  }
  return flags == cudaMemAttachGlobal ? give_block(call, Block::Kind::kManaged, base, bytes)
                                      : call.answer(cudaErrorInvalidValue);
}

cudaError_t cudaHostAlloc(void** base, std::size_t bytes, unsigned int) {
  const Call call("cudaHostAlloc");
  return call.is_refused() ? call.status() : give_block(call, Block::Kind::kHost, base, bytes);
}

cudaError_t cudaFreeHost(void* base) {
  Call call("cudaFreeHost");
  return call.is_refused() ? call.status() : free_block(call, base, true);
}

// The memory is there at once; that its first use must be ordered behind this stream is not shown.
cudaError_t cudaMallocAsync(void** base, std::size_t bytes, cudaStream_t stream) {
  const Call call("cudaMallocAsync");
  if (call.is_refused()) {
    return call.status();
  }
  if (!world().machine.has_memory_pools) {
    return call.answer(cudaErrorNotSupported);
  }
  if (world().stream_of(stream) == nullptr) {
    return call.answer(cudaErrorInvalidResourceHandle);
  }
  const cudaError_t status = give_block(call, Block::Kind::kDevice, base, bytes);
  if (status == cudaSuccess) {
    world().blocks.at(static_cast<std::byte*>(*base)).is_pooled = true;
  }
  return status;
}

cudaError_t cudaFreeAsync(void* base, cudaStream_t stream) {
  const Call call("cudaFreeAsync");
  if (call.is_refused()) {
    return call.status();
  }
  CUstream_st* const target = world().stream_of(stream);
  const auto found = world().blocks.find(static_cast<std::byte*>(base));
  if (target == nullptr || found == world().blocks.end() ||
      found->second.kind != Block::Kind::kDevice) {
    return call.answer(cudaErrorInvalidValue);
  }
  Operation operation;
  operation.run = [base] {
    const World::Lock lock(world().mutex);
    Block& block = world().blocks.at(static_cast<std::byte*>(base));
    if (world().is_in_use(static_cast<std::byte*>(base), block.bytes)) {
      world().misuses.push_back("memory was freed in stream order while other work uses it");
    }
    world().erase(static_cast<std::byte*>(base));
  };
  target->queue.push_back(std::move(operation));
  return cudaSuccess;
}

cudaError_t cudaHostRegister(void* base, std::size_t bytes, unsigned int) {
  const Call call("cudaHostRegister");
  if (call.is_refused()) {
    return call.status();
  }
  if (base == nullptr || bytes == 0) {
    return call.answer(cudaErrorInvalidValue);
  }
  auto* const place = static_cast<std::byte*>(base);
  const auto next = world().blocks.lower_bound(place);
  if (world().block_at(place) != nullptr ||
      (next != world().blocks.end() && next->first < place + bytes)) {
    return call.answer(cudaErrorHostMemoryAlreadyRegistered);
  }
  Block block;
  block.kind = Block::Kind::kRegistered;
  block.bytes = block.page_bytes = bytes;
  block.pages = place;
  world().blocks[place] = block;
  return cudaSuccess;
}

cudaError_t cudaHostUnregister(void* base) {
  const Call call("cudaHostUnregister");
  if (call.is_refused()) {
    return call.status();
  }
  const auto found = world().blocks.find(static_cast<std::byte*>(base));
  if (found == world().blocks.end() || found->second.kind != Block::Kind::kRegistered) {
    return call.answer(cudaErrorHostMemoryNotRegistered);
  }
  if (world().is_in_use(found->first, found->second.bytes)) {
    world().misuses.push_back("memory was unregistered while work in flight uses it");
  }
  world().blocks.erase(found);
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  const Call call("cudaMemGetInfo");
  if (call.is_refused()) {
    return call.status();
  }
  const auto device = static_cast<std::size_t>(device_of_call());
  *total = world().machine.device_bytes;
  *free = *total - world().used.at(device);
  return cudaSuccess;
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* address) {
  const Call call("cudaPointerGetAttributes");
  if (call.is_refused()) {
    return call.status();
  }
  *attributes = {};
  attributes->type = cudaMemoryTypeUnregistered;
  const auto* const block = world().block_at(address);
  if (block == nullptr) {
    return cudaSuccess;
  }
  const Block::Kind kind = block->second.kind;
  const bool is_host = kind == Block::Kind::kHost || kind == Block::Kind::kRegistered;
  attributes->type = is_host                         ? cudaMemoryTypeHost
                     : kind == Block::Kind::kManaged ? cudaMemoryTypeManaged
                                                     : cudaMemoryTypeDevice;
  attributes->device = block->second.device;
  attributes->devicePointer = const_cast<void*>(address);
  attributes->hostPointer =
      is_host || kind == Block::Kind::kManaged ? const_cast<void*>(address) : nullptr;
  return cudaSuccess;
}

cudaError_t cudaMemAdvise(const void* base, std::size_t bytes, cudaMemoryAdvise advice,
                          cudaMemLocation location) {
  const Call call("cudaMemAdvise");
  if (call.is_refused()) {
    return call.status();
  }
  if (!is_managed(base, bytes) || !is_place(location)) {
    return call.answer(cudaErrorInvalidValue);
  }
  if (!world().machine.has_concurrent_managed_access) {
    return call.answer(cudaErrorInvalidDevice);
  }
  world().hints.push_back(
      {.at = base, .bytes = bytes, .device = number_of(location), .advice = advice});
  return cudaSuccess;
}

// An operation of the stream that does nothing: memory that goes before it is a misuse.
cudaError_t cudaMemPrefetchAsync(const void* base, std::size_t bytes, cudaMemLocation location,
                                 unsigned int flags, cudaStream_t stream) {
  const Call call("cudaMemPrefetchAsync");
  if (call.is_refused()) {
    return call.status();
  }
  CUstream_st* const target = world().stream_of(stream);
  if (!is_managed(base, bytes) || !is_place(location) || target == nullptr || flags != 0) {
    return call.answer(cudaErrorInvalidValue);
  }
  if (!world().machine.has_concurrent_managed_access) {
    return call.answer(cudaErrorInvalidDevice);
  }
  Operation operation;
  operation.touches.push_back({static_cast<std::byte*>(const_cast<void*>(base)), bytes});
  target->queue.push_back(std::move(operation));
  world().hints.push_back(
      {.at = base, .bytes = bytes, .device = number_of(location), .is_prefetch = true});
  return cudaSuccess;
}

}  // extern "C"
