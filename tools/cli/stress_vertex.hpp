// An object of the random graphs, as the heap holds it.
#pragma once

#include <cstdint>

#include "tenure/make.hpp"
#include "tenure/runtime.hpp"
#include "tenure/tensor.hpp"

namespace tenure::cli {

using StressId = std::uint64_t;  // 0: none

struct Vertex {
  Ref<Vertex> first;
  Ref<Vertex> second;
  Ref<RefArray<Vertex>> fan;  // any number more
  Ref<Tensor> tensor;         // whose first bytes are the vertex's id
  StressId id = 0;
  static auto tenure_type() {
    return describe("Vertex", &Vertex::first, &Vertex::second, &Vertex::fan, &Vertex::tensor);
  }
};

}  // namespace tenure::cli
