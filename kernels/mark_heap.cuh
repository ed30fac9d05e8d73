// The heap, or its copy, as the graph that levels go over: what mark_view.hpp asks of a view.
#pragma once

#include <device_words.hpp>

#include "kernels/mark_view.hpp"

namespace tenure::kernels {

__device__ __forceinline__ std::uint32_t code_of(const MarkView& view, ObjectIndex object) {
  const std::uint32_t region = region_of(object);
  return __ldg(&view.codes[region / kCodesPerWord]) >> (region % kCodesPerWord * 2) & 3;
}

__device__ __forceinline__ std::uint32_t* marks_of(const MarkView& view) { return view.heap.marks; }
__device__ __forceinline__ std::uint32_t bit_of(const MarkView& /*view*/, ObjectIndex object) {
  return mark_bit(object);
}
__device__ __forceinline__ ObjectIndex object_of_bit(const MarkView& view, std::uint32_t bit) {
  return object_of_mark(view.heap, bit);
}
__device__ __forceinline__ std::uint32_t region_of(const MarkView& /*view*/, ObjectIndex object) {
  return region_of(object);
}

// References lie in the object itself, so that is where they are read from.
__device__ __forceinline__ Opened open(const MarkView& view, ObjectIndex object) {
  return {reference_count(view.heap, object), static_cast<std::uint32_t>(object)};
}
__device__ __forceinline__ ObjectIndex target_at(const MarkView& view, std::uint32_t from,
                                                 std::uint32_t k) {
  return reference_at(view.heap, static_cast<ObjectIndex>(from), k);
}

}  // namespace tenure::kernels
