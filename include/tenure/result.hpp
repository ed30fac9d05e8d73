// What a call gives that may fail for a reason in the world outside: memory, a device, a file, an
// option. Bugs are not errors; they stop the program where they are found.
//
// Invariant: a Result holds a value or an error, never neither; reading the one that is not there
// stops the program.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace tenure {

/// What the caller can do about it decides the code; the sentence says what happened.
enum class ErrorCode : std::uint8_t {
  kOutOfMemory,    // the ladder was climbed to its end; names what is held, and by whom
  kOverBudget,     // a limit the user set stands in the way; memory itself may be there
  kDeviceRefused,  // this call failed; the backend is still usable
  kDeviceLost,     // the backend can do nothing more; what it held is gone
  kUnsupported,    // not on this machine, or not in this build
  kBadArgument,    // the caller's mistake; nothing was changed
  kBadConfig,      // an option is unknown, out of range, or contradicts another
  kBadTrace,       // a trace is malformed; names file and line
  kFile,           // a file cannot be read or written
  kClosed,         // the runtime was shut down
  kAsleep,         // the pool's memory was given away; wake it
};

/// The code's name as it stands in messages: "out of memory".
[[nodiscard]] std::string_view to_string(ErrorCode code);

/// A failure: what the caller can do, and one sentence with the numbers in it.
struct Error {
  ErrorCode code;
  std::string message;
};

/// What `value_or_throw` throws. Its `what()` is the error's sentence.
class Failure : public std::runtime_error {
 public:
  explicit Failure(const Error& error) : std::runtime_error(error.message), code_(error.code) {}
  [[nodiscard]] ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

namespace detail {
[[noreturn]] void read_of_missing_value(const Error& error);
[[noreturn]] void read_of_missing_error();
[[noreturn]] void throw_failure(const Error& error);
}  // namespace detail

/// A value, or the reason why there is none.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}      // NOLINT: a value is a result
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: so is a failure
  [[nodiscard]] bool ok() const { return value_.has_value(); }
  explicit operator bool() const { return ok(); }

  [[nodiscard]] T& value() & {
    require_value();
    return *value_;
  }
  [[nodiscard]] const T& value() const& {
    require_value();
    return *value_;
  }
  [[nodiscard]] T&& value() && {
    require_value();
    return std::move(*value_);
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  /// The error, to be looked at or passed up.
  [[nodiscard]] const Error& failure() const {
    if (ok()) detail::read_of_missing_error();
    return error_;
  }

 private:
  void require_value() const {
    if (!ok()) [[unlikely]] {
      detail::read_of_missing_value(error_);
    }
  }

  std::optional<T> value_;
  Error error_{};
};

/// Success without a value, or the reason why there was none.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: a failure is a result
  [[nodiscard]] bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  [[nodiscard]] const Error& failure() const {
    if (ok()) detail::read_of_missing_error();
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

/// The value, for those who want exceptions.
///
/// errors   throws Failure where there is no value
template <class T>
T value_or_throw(Result<T>&& result) {
  if (!result.ok()) detail::throw_failure(result.failure());
  return std::move(result).value();
}
inline void value_or_throw(Result<void>&& result) {
  if (!result.ok()) detail::throw_failure(result.failure());
}

}  // namespace tenure
