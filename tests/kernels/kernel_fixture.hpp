// A test that runs kernels, or says why it cannot.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "tests/kernels/device_memory.hpp"

namespace tenure::testing {

class KernelTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string reason = why_no_device(); !reason.empty()) {
      GTEST_SKIP() << reason;
    }
    use_order(0);
  }
};

}  // namespace tenure::testing
