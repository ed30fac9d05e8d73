// A runtime of 1, 2, 3 or 8 generations, in which an object can be raised to any of them.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>

#include "core/heap/heap.hpp"
#include "core/runtime/state.hpp"
#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {

inline Config config_of(std::uint32_t generations) {
  Config config = small_config();
  config.generations = generations;
  config.promotion_age = 1;
  return config;
}

class GenerationsTest : public RuntimeTest, public ::testing::WithParamInterface<std::uint32_t> {
 protected:
  GenerationsTest() : RuntimeTest(config_of(GetParam())) {}

  [[nodiscard]] std::uint32_t oldest() const { return GetParam() - 1; }
  std::uint32_t generation_of(ObjectIndex object) {
    return runtime.state().heap().generation_of(object);
  }
  /// Collects so that what was just made, and lives, is in `generation`.
  void raise_to(std::uint32_t generation) {
    for (std::uint32_t k = 0; k < generation; ++k) {
      collect_up_to(k);
    }
  }
  CollectionReport collect_up_to(std::uint32_t last) {
    return value_or_throw(runtime.collect_up_to(last));
  }
};

inline auto every_shape() { return ::testing::Values(1u, 2u, 3u, 8u); }

}  // namespace tenure::testing
