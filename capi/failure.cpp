#include "capi/failure.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <string>

namespace tenure::capi {

namespace {

constexpr std::size_t kRoom = 1024;  // tenure.h promises a byte less

// Why not a string: it has no destructor, so that a thread that is ending may still fail.
constinit thread_local std::array<char, kRoom> sentence_of_thread{};

tenure_status status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kOutOfMemory:
      return TENURE_OUT_OF_MEMORY;
    case ErrorCode::kOverBudget:
      return TENURE_OVER_BUDGET;
    case ErrorCode::kDeviceRefused:
      return TENURE_DEVICE_REFUSED;
    case ErrorCode::kDeviceLost:
      return TENURE_DEVICE_LOST;
    case ErrorCode::kUnsupported:
      return TENURE_UNSUPPORTED;
    case ErrorCode::kBadArgument:
      return TENURE_BAD_ARGUMENT;
    case ErrorCode::kBadConfig:
      return TENURE_BAD_CONFIG;
    case ErrorCode::kBadTrace:
    case ErrorCode::kFile:
      return TENURE_FILE;
    case ErrorCode::kClosed:
      return TENURE_CLOSED;
    case ErrorCode::kAsleep:
      return TENURE_ASLEEP;
  }
  return TENURE_INTERNAL;
}

}  // namespace

tenure_status fail(tenure_status status, std::string_view sentence) noexcept {
  const std::size_t length = std::min(sentence.size(), kRoom - 1);
  std::memcpy(sentence_of_thread.data(), sentence.data(), length);
  sentence_of_thread[length] = '\0';
  return status;
}

tenure_status fail(const Error& error) noexcept {
  return fail(status_of(error.code), error.message);
}

tenure_status fail_with_null(std::string_view what) noexcept {
  return guarded([&] {
    return fail(TENURE_BAD_ARGUMENT,
                "null was given where a pointer to " + std::string(what) + " is needed");
  });
}

tenure_status fail_with_exception() noexcept {
  try {
    throw;
  } catch (const Failure& failure) {
    return fail(status_of(failure.code()), failure.what());
  } catch (const std::bad_alloc&) {
    return fail(TENURE_OUT_OF_MEMORY, "no memory for the library's own tables");
  } catch (const std::exception& thrown) {
    return fail(TENURE_INTERNAL, thrown.what());
  } catch (...) {
    return fail(TENURE_INTERNAL, "an exception that is no std::exception");
  }
}

}  // namespace tenure::capi

using tenure::capi::sentence_of_thread;

const char* tenure_last_error() { return sentence_of_thread.data(); }

const char* tenure_version() { return TENURE_VERSION; }

const char* tenure_status_name(tenure_status status) {
  // Why by number: whoever calls from C may give any.
  switch (static_cast<int>(status)) {
    case TENURE_OK:
      return "ok";
    case TENURE_OUT_OF_MEMORY:
      return "out of memory";
    case TENURE_OVER_BUDGET:
      return "over budget";
    case TENURE_DEVICE_REFUSED:
      return "device refused";
    case TENURE_DEVICE_LOST:
      return "device lost";
    case TENURE_UNSUPPORTED:
      return "unsupported";
    case TENURE_BAD_ARGUMENT:
      return "bad argument";
    case TENURE_BAD_CONFIG:
      return "bad config";
    case TENURE_FILE:
      return "file";
    case TENURE_CLOSED:
      return "closed";
    case TENURE_BAD_HANDLE:
      return "bad handle";
    case TENURE_WRONG_THREAD:
      return "wrong thread";
    case TENURE_BUSY:
      return "busy";
    case TENURE_INTERNAL:
      return "internal";
    case TENURE_ASLEEP:
      return "asleep";
    default:
      return "unknown status";
  }
}
