// The summaries on the computer itself: on Thrust's plain and its OpenMP back end.
#include <thrust/system/cpp/execution_policy.h>
#include <thrust/system/omp/execution_policy.h>

#include "tests/contract/summary_contract.hpp"

namespace tenure::testing {

namespace {

struct Plain {
  static auto policy() { return thrust::cpp::par; }
};
struct OpenMp {
  static auto policy() { return thrust::omp::par; }
};

}  // namespace

INSTANTIATE_TYPED_TEST_SUITE_P(Plain, SummaryContract, Plain);
INSTANTIATE_TYPED_TEST_SUITE_P(OpenMp, SummaryContract, OpenMp);

}  // namespace tenure::testing
