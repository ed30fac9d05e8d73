// Device memory in the emulator: the host's, each piece by itself, so that an address sanitizer sees
// where one ends.
#include "tests/kernels/device_memory.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "tests/simt/engine.hpp"

namespace tenure::testing {

namespace {
constexpr std::align_val_t kAlignment{256};  // as cudaMalloc gives it
}  // namespace

std::string why_no_device() { return {}; }

void use_order(unsigned seed) {
  simt::Options& options = simt::options();
  options.seed = seed;
  options.workers = seed == 0 ? 1 : 2;
  options.preempt = seed == 0 ? 0 : 8;
}

unsigned share_of(unsigned runs) { return std::max(1u, runs / TENURE_TEST_SHARE); }

std::byte* take_device_memory(std::size_t bytes) {
  return static_cast<std::byte*>(::operator new(bytes, kAlignment));
}
void give_device_memory(std::byte* memory) { ::operator delete(memory, kAlignment); }

std::byte* take_shared_memory(std::size_t bytes) {
  std::byte* const memory = take_device_memory(bytes);
  std::memset(memory, 0, bytes);
  return memory;
}
void give_shared_memory(std::byte* memory) { give_device_memory(memory); }

void copy_to_device(std::byte* device, const void* host, std::size_t bytes) {
  if (bytes > 0) {
    std::memcpy(device, host, bytes);
  }
}
void copy_from_device(void* host, const std::byte* device, std::size_t bytes) {
  if (bytes > 0) {
    std::memcpy(host, device, bytes);
  }
}

}  // namespace tenure::testing
