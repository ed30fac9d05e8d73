// Weights and scratch in buffers of ggml's that lie in one pool, as ggml uses a buffer type: it asks for
// a buffer, puts tensors into it by its base and its alignment, and goes through the buffer's calls.
#include <array>
#include <cstdio>
#include <numeric>
#include <string>

#include "examples/ggml_buffer/buffer_type.hpp"
#include "tenure/runtime.hpp"

namespace {

constexpr std::int64_t kNumbers = 1 << 18;
constexpr std::size_t kTensorBytes = kNumbers * sizeof(float);

// As ggml_tallocr_alloc: tensors one behind the other.
std::array<ggml_tensor, 3> place_tensors(ggml_backend_buffer_t buffer) {
  const std::size_t step = buffer->buft->iface.get_alignment(buffer->buft);
  auto* at = static_cast<std::byte*>(buffer->iface.get_base(buffer));
  std::array<ggml_tensor, 3> tensors{};
  for (ggml_tensor& tensor : tensors) {
    tensor.ne[0] = kNumbers;
    tensor.nb[0] = sizeof(float);
    tensor.data = at;
    at += (kTensorBytes + step - 1) / step * step;
  }
  return tensors;
}

tenure::ClientStatistics account(tenure::Runtime& runtime, const std::string& name) {
  for (const tenure::PoolStatistics& pool : runtime.statistics().pools) {
    for (const tenure::ClientStatistics& client : pool.clients) {
      if (client.name == name) return client;
    }
  }
  return {};
}

// Whether what is written into tensors is read from them again, each by itself.
bool keeps_numbers(ggml_backend_buffer_t buffer) {
  std::array<ggml_tensor, 3> tensors = place_tensors(buffer);
  std::array<float, 1000> numbers;
  std::array<float, 1000> back;
  buffer->iface.clear(buffer, 0);
  for (std::size_t k = 0; k < tensors.size(); ++k) {
    std::iota(numbers.begin(), numbers.end(), static_cast<float>(k));
    buffer->iface.set_tensor(buffer, &tensors[k], numbers.data(), kTensorBytes - sizeof numbers,
                             sizeof numbers);
  }
  buffer->iface.memset_tensor(buffer, &tensors[1], 0, 0, kTensorBytes);
  for (std::size_t k = 0; k < tensors.size(); ++k) {
    buffer->iface.get_tensor(buffer, &tensors[k], back.data(), kTensorBytes - sizeof back,
                             sizeof back);
    const float expected = k == 1 ? 0.0F : static_cast<float>(k) + 999;
    if (back[999] != expected) return false;
  }
  return true;
}

}  // namespace

int main() {
  using namespace tenure;
  Runtime runtime = value_or_throw(Runtime::open({.device = "host"}));
  GgmlBufferType pinned(runtime, "ggml", MemoryKind::kPinned);
  ggml_backend_buffer_type_t type = pinned.get();

  ggml_backend_buffer_t weights = type->iface.alloc_buffer(type, 4 * kTensorBytes);
  ggml_backend_buffer_t scratch = type->iface.alloc_buffer(type, 4 * kTensorBytes);
  const bool sound = keeps_numbers(weights) && keeps_numbers(scratch);
  std::printf("%s holds %s in two buffers, %s\n", type->iface.get_name(type),
              to_string(account(runtime, "ggml").live).c_str(), sound ? "whole" : "damaged");

  value_or_throw(
      runtime.limit_client(pinned.pool().client(), MemoryKind::kPinned, {.hard = 9_MiB}));
  std::printf("past its limit it is %s\n",
              type->iface.alloc_buffer(type, 4 * kTensorBytes) == nullptr ? "refused" : "served");

  ggml_backend_buffer_free(scratch);
  ggml_backend_buffer_t again = type->iface.alloc_buffer(type, 4 * kTensorBytes);
  std::printf("freed and asked for again, it is %s\n", again == nullptr ? "refused" : "served");
  ggml_backend_buffer_free(again);
  ggml_backend_buffer_free(weights);
  std::printf("%s are left\n", to_string(account(runtime, "ggml").live).c_str());
}
