// CUDA's answers as errors. Needs no driver: the runtime is linked in.
#include "cuda/calls.hpp"

#include <gtest/gtest.h>

namespace tenure {
namespace {

ErrorCode code_of(cudaError_t status) {
  const std::optional<Error> error = take_error(status, "cudaCall");
  EXPECT_TRUE(error.has_value());
  return error ? error->code : ErrorCode::kClosed;
}

TEST(CudaCallsTest, FindsNoErrorInSuccess) {
  EXPECT_FALSE(take_error(cudaSuccess, "cudaCall").has_value());
}

TEST(CudaCallsTest, SaysWhatTheCallerCanDo) {
  EXPECT_EQ(code_of(cudaErrorMemoryAllocation), ErrorCode::kOutOfMemory);
  EXPECT_EQ(code_of(cudaErrorIllegalAddress), ErrorCode::kDeviceLost);
  EXPECT_EQ(code_of(cudaErrorECCUncorrectable), ErrorCode::kDeviceLost);
  EXPECT_EQ(code_of(cudaErrorInsufficientDriver), ErrorCode::kUnsupported);
  EXPECT_EQ(code_of(cudaErrorNoDevice), ErrorCode::kUnsupported);
  EXPECT_EQ(code_of(cudaErrorInvalidValue), ErrorCode::kBadArgument);
  EXPECT_EQ(code_of(cudaErrorUnknown), ErrorCode::kDeviceRefused);
}

TEST(CudaCallsTest, NamesTheCallTheStatusAndItsNumber) {
  const std::string message = take_error(cudaErrorNoDevice, "cudaGetDeviceCount")->message;

  EXPECT_NE(message.find("cudaGetDeviceCount failed"), std::string::npos) << message;
  EXPECT_NE(message.find("cudaErrorNoDevice, 100"), std::string::npos) << message;
}

TEST(CudaCallsTest, ClearsTheErrorThatItTook) {
  if (cudaPeekAtLastError() == cudaErrorInsufficientDriver) {
    GTEST_SKIP() << "without a driver the runtime answers each call with the same error";
  }
  const cudaError_t status = cudaSetDevice(-1);  // no machine has it
  ASSERT_NE(status, cudaSuccess);
  ASSERT_EQ(cudaPeekAtLastError(), status);

  ASSERT_TRUE(take_error(status, "cudaSetDevice").has_value());

  EXPECT_EQ(cudaPeekAtLastError(), cudaSuccess);
}

}  // namespace
}  // namespace tenure
