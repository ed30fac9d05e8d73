#include "tenure/result.hpp"

#include <array>

#include "core/base/check.hpp"

namespace tenure {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::kOutOfMemory:
      return "out of memory";
    case ErrorCode::kOverBudget:
      return "over budget";
    case ErrorCode::kDeviceRefused:
      return "device refused";
    case ErrorCode::kDeviceLost:
      return "device lost";
    case ErrorCode::kUnsupported:
      return "unsupported";
    case ErrorCode::kBadArgument:
      return "bad argument";
    case ErrorCode::kBadConfig:
      return "bad configuration";
    case ErrorCode::kBadTrace:
      return "bad trace";
    case ErrorCode::kFile:
      return "file";
    case ErrorCode::kClosed:
      return "closed";
    case ErrorCode::kAsleep:
      return "asleep";
  }
  fail("an error code that does not exist");
}

namespace detail {

void read_of_missing_value(const Error& error) {
  fail("the value of a failed result was read; it failed with: " + error.message);
}

void read_of_missing_error() { fail("the error of a result that did not fail was read"); }

void throw_failure(const Error& error) { throw Failure(error); }

}  // namespace detail

}  // namespace tenure
