// Device memory on a device.
#include "tests/kernels/device_memory.hpp"

#include <cuda_runtime_api.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace tenure::testing {

namespace {

void expect(cudaError_t status, const char* call) {
  if (status != cudaSuccess) {
    std::fprintf(stderr, "%s: %s\n", call, cudaGetErrorString(status));
    std::abort();
  }
}

}  // namespace

std::string why_no_device() {
  int count = 0;  // left unwritten where there is no driver
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaSuccess && count > 0) {
    return {};
  }
  static_cast<void>(cudaGetLastError());
  return std::string("no CUDA device: ") + cudaGetErrorString(status);
}

void use_order(unsigned /*seed*/) {}
unsigned share_of(unsigned runs) { return runs; }

std::byte* take_device_memory(std::size_t bytes) {
  void* memory = nullptr;
  expect(cudaMalloc(&memory, bytes > 0 ? bytes : 1), "cudaMalloc");
  return static_cast<std::byte*>(memory);
}
void give_device_memory(std::byte* memory) { expect(cudaFree(memory), "cudaFree"); }

std::byte* take_shared_memory(std::size_t bytes) {
  void* memory = nullptr;
  expect(cudaHostAlloc(&memory, bytes, cudaHostAllocMapped), "cudaHostAlloc");
  std::memset(memory, 0, bytes);
  return static_cast<std::byte*>(memory);
}
void give_shared_memory(std::byte* memory) { expect(cudaFreeHost(memory), "cudaFreeHost"); }

void copy_to_device(std::byte* device, const void* host, std::size_t bytes) {
  expect(cudaMemcpy(device, host, bytes, cudaMemcpyHostToDevice), "cudaMemcpy to the device");
}
void copy_from_device(void* host, const std::byte* device, std::size_t bytes) {
  expect(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
  expect(cudaMemcpy(host, device, bytes, cudaMemcpyDeviceToHost), "cudaMemcpy from the device");
}

}  // namespace tenure::testing
