// A buffer type of ggml's over a pool: what llama.cpp and others allocate by it, weights, caches and
// scratch, counts on an account of the runtime's, with its limits and its pressure.
//
//   GgmlBufferType pinned(runtime, "llama", MemoryKind::kPinned);
//   ggml_backend_alloc_ctx_tensors_from_buft(context, pinned.get());
//
// Against ggml's own header `ggml-backend-impl.h`, which buffer types are written to; fields are set by
// their names, as versions add some between.
#pragma once

#include <ggml-backend-impl.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "tenure/plugins/address_allocator.hpp"

/// kind     host, pinned or unified memory: ggml's host code writes there
/// threads  anyone. It outlives its buffers, and the runtime outlives it.
class GgmlBufferType {
 public:
  /// name     what ggml calls the type, and of the account
  /// errors   throws tenure::Failure (kBadArgument): device memory
  GgmlBufferType(tenure::Runtime& runtime, std::string name, tenure::MemoryKind kind)
      : name_(std::move(name)), pool_(runtime, name_, kind) {
    if (kind == tenure::MemoryKind::kDevice) {
      throw tenure::Failure(tenure::Error{tenure::ErrorCode::kBadArgument,
                                          "a device's buffers are written by its own backend"});
    }
    type_.iface.get_name = [](ggml_backend_buffer_type_t type) { return of(type).name_.c_str(); };
    type_.iface.alloc_buffer = allocate;
    type_.iface.get_alignment = [](ggml_backend_buffer_type_t) {
      return tenure::kPayloadAlignment;
    };
    type_.iface.is_host = [](ggml_backend_buffer_type_t) { return true; };
    type_.context = this;
  }
  GgmlBufferType(const GgmlBufferType&) = delete;
  GgmlBufferType& operator=(const GgmlBufferType&) = delete;

  [[nodiscard]] ggml_backend_buffer_type_t get() { return &type_; }
  [[nodiscard]] tenure::AddressAllocator& pool() { return pool_; }

 private:
  static GgmlBufferType& of(ggml_backend_buffer_type_t type) {
    return *static_cast<GgmlBufferType*>(type->context);
  }
  static std::byte* place(const ggml_tensor* tensor, std::size_t offset) {
    return static_cast<std::byte*>(tensor->data) + offset;
  }

  // Null says that there is no room. ggml's buffer takes its context, the address.
  static ggml_backend_buffer_t allocate(ggml_backend_buffer_type_t type, std::size_t size) {
    const tenure::Result<std::byte*> bytes = of(type).pool_.allocate(tenure::Bytes{size});
    if (!bytes) {
      return nullptr;
    }
    ggml_backend_buffer_i calls{};
    calls.free_buffer = [](ggml_backend_buffer_t buffer) {
      of(buffer->buft).pool_.release(buffer->context);
    };
    calls.get_base = [](ggml_backend_buffer_t buffer) { return buffer->context; };
    calls.memset_tensor = [](ggml_backend_buffer_t, ggml_tensor* tensor, std::uint8_t value,
                             std::size_t offset, std::size_t bytes_set) {
      std::memset(place(tensor, offset), value, bytes_set);
    };
    calls.set_tensor = [](ggml_backend_buffer_t, ggml_tensor* tensor, const void* data,
                          std::size_t offset, std::size_t bytes_set) {
      std::memcpy(place(tensor, offset), data, bytes_set);
    };
    calls.get_tensor = [](ggml_backend_buffer_t, const ggml_tensor* tensor, void* data,
                          std::size_t offset, std::size_t bytes_read) {
      std::memcpy(data, place(tensor, offset), bytes_read);
    };
    calls.clear = [](ggml_backend_buffer_t buffer, std::uint8_t value) {
      std::memset(buffer->context, value, buffer->size);
    };
    return ggml_backend_buffer_init(type, calls, *bytes, size);
  }

  std::string name_;
  tenure::AddressAllocator pool_;
  ggml_backend_buffer_type type_{};
};
