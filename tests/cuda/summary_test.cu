// The summaries on a device.
#include <thrust/system/cuda/execution_policy.h>

#include "tests/contract/summary_contract.hpp"

namespace tenure::testing {

namespace {

struct Device {
  static auto policy() { return thrust::cuda::par; }
};

}  // namespace

INSTANTIATE_TYPED_TEST_SUITE_P(Device, SummaryContract, Device);

}  // namespace tenure::testing
