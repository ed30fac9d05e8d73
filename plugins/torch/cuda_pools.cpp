#include "plugins/torch/cuda_pools.hpp"

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include "tenure/config.hpp"
#include "tenure/plugins/memory_resource.hpp"

namespace tenure {

namespace {

constexpr int kMostDevices = 1024;  // a number beyond is none of CUDA's

std::string words_of(int device) { return "device " + std::to_string(device); }

[[noreturn]] void refuse(const Error& error) {
  if (error.code == ErrorCode::kOutOfMemory || error.code == ErrorCode::kOverBudget) {
    throw OutOfPayload(error.message);
  }
  throw Failure(error);
}

// Of the pool that PyTorch draws from, once it is open.
Bytes limit_of(Runtime& runtime) {
  for (const PoolPressure& pool : runtime.pressure().pools) {
    if (pool.kind == MemoryKind::kDevice) {
      return pool.limit;
    }
  }
  return kUnlimited;
}

}  // namespace

TorchCudaPools::TorchCudaPools(Opens opens) : opens_(std::move(opens)) {}

Result<Runtime> TorchCudaPools::open_cuda(int device) {
  Result<Config> config = config_from_environment();
  if (!config) {
    return config.failure();
  }
  config->device = "cuda:" + std::to_string(device);
  Result<Runtime> runtime = Runtime::open(*config);
  if (runtime && runtime->config().device != config->device) {
    return Error{ErrorCode::kBadConfig, "PyTorch asked for " + words_of(device) +
                                            ", and TENURE_DEVICE says \"" +
                                            runtime->config().device + "\"; unset it"};
  }
  return runtime;
}

AddressAllocator* TorchCudaPools::find(int device) {
  const std::scoped_lock lock(mutex_);
  const auto number = static_cast<std::size_t>(device);
  return device >= 0 && number < devices_.size() ? devices_[number].allocator.get() : nullptr;
}

std::vector<AddressAllocator*> TorchCudaPools::all() {
  const std::scoped_lock lock(mutex_);
  std::vector<AddressAllocator*> found;
  for (const Device& device : devices_) {
    if (device.allocator != nullptr) {
      found.push_back(device.allocator.get());
    }
  }
  return found;
}

AddressAllocator& TorchCudaPools::at(int device) {
  if (AddressAllocator* const known = find(device)) {
    return *known;
  }
  if (device < 0 || device >= kMostDevices) {
    refuse({ErrorCode::kBadArgument, "CUDA has no " + words_of(device)});
  }
  const std::scoped_lock opening(opening_);
  if (AddressAllocator* const known = find(device)) {
    return *known;  // another thread was quicker
  }
  Result<Runtime> opened = opens_(device);
  if (!opened) {
    refuse(opened.failure());
  }
  auto owned = std::make_unique<Runtime>(std::move(*opened));
  auto allocator = std::make_unique<AddressAllocator>(*owned, "torch");
  return add(device, {std::move(owned), std::move(allocator)});
}

AddressAllocator& TorchCudaPools::add(int device, Device made) {
  const std::scoped_lock lock(mutex_);
  const auto number = static_cast<std::size_t>(device);
  if (devices_.size() <= number) {
    devices_.resize(number + 1);
  }
  devices_[number] = std::move(made);
  return *devices_[number].allocator;
}

Result<void> TorchCudaPools::share(int device, Runtime& runtime) {
  if (device < 0 || device >= kMostDevices) {
    return Error{ErrorCode::kBadArgument, "CUDA has no " + words_of(device)};
  }
  const std::scoped_lock opening(opening_);
  if (find(device) != nullptr) {
    return Error{ErrorCode::kBadArgument, "PyTorch was served on " + words_of(device) +
                                              " already; share before its first use"};
  }
  add(device, {nullptr, std::make_unique<AddressAllocator>(runtime, "torch")});
  return {};
}

void* TorchCudaPools::allocate(std::ptrdiff_t size, int device, void* stream) {
  if (size < 0) {
    refuse({ErrorCode::kBadArgument, "PyTorch asked for " + std::to_string(size) + " bytes"});
  }
  if (size == 0) {
    return nullptr;
  }
  AddressAllocator& allocator = at(device);
  const Result<StreamId> known = allocator.runtime().adopt_stream(stream);
  if (!known) {
    refuse(known.failure());
  }
  const Result<std::byte*> got =
      allocator.allocate(Bytes{static_cast<std::uint64_t>(size)}, *known);
  if (!got) {
    refuse(got.failure());
  }
  return *got;
}

void TorchCudaPools::release(void* address, int device) {
  if (address == nullptr) {
    return;
  }
  AddressAllocator* const allocator = find(device);
  if (allocator == nullptr || !allocator->release(address)) {
    std::fprintf(
        stderr, "tenure: PyTorch freed %p on device %d, which was not allocated for it, or twice\n",
        address, device);
    std::abort();
  }
}

void TorchCudaPools::record_stream(void* address, void* stream) {
  if (address == nullptr) {
    return;
  }
  // Which device is not said. Why each is asked: a machine has few, and the call is rare.
  for (AddressAllocator* const allocator : all()) {
    if (allocator->owns(address)) {
      const Result<StreamId> known = allocator->runtime().adopt_stream(stream);
      if (!known) {
        refuse(known.failure());
      }
      allocator->used_on(address, *known);
      return;
    }
  }
  refuse({ErrorCode::kBadArgument, "a stream was recorded for memory that is not PyTorch's"});
}

void TorchCudaPools::trim() {
  for (AddressAllocator* const allocator : all()) {
    allocator->runtime().trim();
  }
}

void TorchCudaPools::limit(double fraction, int device) {
  if (!(fraction >= 0.0 && fraction <= 1.0)) {
    refuse({ErrorCode::kBadArgument,
            "a fraction of memory is 0 to 1, not " + std::to_string(fraction)});
  }
  AddressAllocator& allocator = at(device);
  Runtime& runtime = allocator.runtime();
  // Opens the pool, whose limit is not known before.
  value_or_throw(runtime.limit_client(allocator.client(), MemoryKind::kDevice, {}));
  const auto all = static_cast<double>(limit_of(runtime).count());
  value_or_throw(runtime.limit_client(allocator.client(), MemoryKind::kDevice,
                                      {.hard = Bytes{static_cast<std::uint64_t>(fraction * all)}}));
}

}  // namespace tenure
