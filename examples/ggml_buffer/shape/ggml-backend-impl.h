// What this example needs of ggml, in the shape of its header of the same name (ggml-org/ggml), so that
// it builds and runs where ggml is not: the names, and the order of the fields. A program of ggml's
// puts ggml's folders in the place of this one.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {

struct ggml_tensor {
  std::int64_t ne[4];
  std::size_t nb[4];
  void* data;
};
enum ggml_status { GGML_STATUS_ALLOC_FAILED = -2, GGML_STATUS_SUCCESS = 0 };
enum ggml_backend_buffer_usage { GGML_BACKEND_BUFFER_USAGE_ANY = 0 };

typedef struct ggml_backend_buffer_type* ggml_backend_buffer_type_t;
typedef struct ggml_backend_buffer* ggml_backend_buffer_t;
typedef struct ggml_backend_device* ggml_backend_dev_t;

struct ggml_backend_buffer_type_i {
  const char* (*get_name)(ggml_backend_buffer_type_t type);
  ggml_backend_buffer_t (*alloc_buffer)(ggml_backend_buffer_type_t type, std::size_t size);
  std::size_t (*get_alignment)(ggml_backend_buffer_type_t type);
  std::size_t (*get_max_size)(ggml_backend_buffer_type_t type);  // may be null, as the next
  std::size_t (*get_alloc_size)(ggml_backend_buffer_type_t type, const ggml_tensor* tensor);
  bool (*is_host)(ggml_backend_buffer_type_t type);
};

struct ggml_backend_buffer_type {
  ggml_backend_buffer_type_i iface;
  ggml_backend_dev_t device;
  void* context;
};

struct ggml_backend_buffer_i {
  void (*free_buffer)(ggml_backend_buffer_t buffer);
  void* (*get_base)(ggml_backend_buffer_t buffer);
  ggml_status (*init_tensor)(ggml_backend_buffer_t buffer, ggml_tensor* tensor);
  void (*memset_tensor)(ggml_backend_buffer_t buffer, ggml_tensor* tensor, std::uint8_t value,
                        std::size_t offset, std::size_t size);
  void (*set_tensor)(ggml_backend_buffer_t buffer, ggml_tensor* tensor, const void* data,
                     std::size_t offset, std::size_t size);
  void (*get_tensor)(ggml_backend_buffer_t buffer, const ggml_tensor* tensor, void* data,
                     std::size_t offset, std::size_t size);
  bool (*cpy_tensor)(ggml_backend_buffer_t buffer, const ggml_tensor* from, ggml_tensor* to);
  void (*clear)(ggml_backend_buffer_t buffer, std::uint8_t value);
  void (*reset)(ggml_backend_buffer_t buffer);
};

struct ggml_backend_buffer {
  ggml_backend_buffer_i iface;
  ggml_backend_buffer_type_t buft;
  void* context;
  std::size_t size;
  ggml_backend_buffer_usage usage;
};

inline ggml_backend_buffer_t ggml_backend_buffer_init(ggml_backend_buffer_type_t type,
                                                      ggml_backend_buffer_i calls, void* context,
                                                      std::size_t size) {
  return new ggml_backend_buffer{calls, type, context, size, GGML_BACKEND_BUFFER_USAGE_ANY};
}

inline void ggml_backend_buffer_free(ggml_backend_buffer_t buffer) {
  if (buffer != nullptr) {
    buffer->iface.free_buffer(buffer);
    delete buffer;
  }
}

}  // extern "C"
