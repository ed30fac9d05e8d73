// The numbers that C programs name kinds of memory and types of elements by, checked.
#pragma once

#include <cstdint>
#include <string>

#include "capi/failure.hpp"
#include "tenure/payload.hpp"
#include "tenure/tensor.hpp"

namespace tenure::capi {

static_assert(TENURE_HOST == static_cast<int>(MemoryKind::kHost));
static_assert(TENURE_DEVICE == static_cast<int>(MemoryKind::kDevice));
static_assert(TENURE_BOOL == static_cast<int>(ElementType::kBool));
static_assert(TENURE_FLOAT32 == static_cast<int>(ElementType::kFloat32));
static_assert(TENURE_COMPLEX128 == static_cast<int>(ElementType::kComplex128));
static_assert(TENURE_MAX_RANK == kMaxRank);

[[nodiscard]] inline bool is_memory_kind(std::int32_t kind) {
  return kind >= TENURE_HOST && kind <= TENURE_DEVICE;
}
[[nodiscard]] inline bool is_element(std::int32_t element) {
  return element >= TENURE_BOOL && element <= TENURE_COMPLEX128;
}
[[gnu::cold]] inline tenure_status fail_with_kind(std::int32_t kind) {
  return fail(TENURE_BAD_ARGUMENT, "there is no kind of memory " + std::to_string(kind));
}

}  // namespace tenure::capi
