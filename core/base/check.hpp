// Stops on bugs: ours, or a contract broken by a caller. What the world does wrong is a Result.
//
// Values, not macros: a misspelt name does not compile, and the condition is always evaluated.
#pragma once

#include <string_view>

namespace tenure {

/// Prints "tenure: <what> (file:line)" to the error stream and aborts.
[[noreturn]] void fail(std::string_view what, const char* file = __builtin_FILE(),
                       int line = __builtin_LINE());

/// Stops the program with a sentence where `holds` is false. On in all builds, so O(1) only.
constexpr void check(bool holds, std::string_view what, const char* file = __builtin_FILE(),
                     int line = __builtin_LINE()) {
  if (!holds) [[unlikely]] {
    fail(what, file, line);
  }
}

/// Whether this build checks what costs more than O(1): heap walks, second traces.
inline constexpr bool kVerify = TENURE_VERIFY != 0;

}  // namespace tenure
