// How a call fails: a status for the caller, a sentence for the calling thread, and nothing thrown.
#pragma once

#include <string_view>

#include "capi/abi.hpp"
#include "tenure/result.hpp"

namespace tenure::capi {

/// Keeps the sentence for `tenure_last_error`, cut to what it has room for.
///
/// returns  `status`
[[gnu::cold]] tenure_status fail(tenure_status status, std::string_view sentence) noexcept;
[[gnu::cold]] tenure_status fail(const Error& error) noexcept;
/// The exception under way as a failure. Within a handler.
[[gnu::cold]] tenure_status fail_with_exception() noexcept;

/// Runs `body`, which gives a status; what it throws is a failure too.
template <class Body>
tenure_status guarded(Body body) noexcept {
  try {
    return body();
  } catch (...) {
    return fail_with_exception();
  }
}

/// The failure of a call that was given null where it writes its answer, or takes its options.
[[gnu::cold]] tenure_status fail_with_null(std::string_view what) noexcept;

/// Copies what a caller described, as far as its header knows it.
///
/// given   begins with its size
/// errors  null; smaller than the first version's; larger than ours, which is of a newer header
template <class Struct>
tenure_status take(const Struct* given, Struct& into) {
  if (given == nullptr) {
    return fail_with_null("options");
  }
  if (given->size < sizeof(Struct)) {
    return fail(TENURE_BAD_ARGUMENT, "a struct's size is less than its first version's: set it");
  }
  if (given->size > sizeof(Struct)) {
    return fail(TENURE_UNSUPPORTED, "a struct is larger than this version of the library knows it");
  }
  into = *given;
  return TENURE_OK;
}

/// Whether an answer of that size can be written. Asked before the call changes anything.
template <class Struct>
tenure_status has_room(const Struct* answer) {
  if (answer == nullptr) {
    return fail_with_null("an answer");
  }
  return answer->size >= sizeof(Struct)
             ? TENURE_OK
             : fail(TENURE_BAD_ARGUMENT,
                    "a struct's size is less than its first version's: set it");
}
template <class Struct>
tenure_status has_room_or_null(const Struct* answer) {
  return answer == nullptr ? TENURE_OK : has_room(answer);
}

/// Writes an answer. A larger struct of a newer header keeps what is behind; its size says so.
template <class Struct>
void give(Struct* answer, Struct value) {
  if (answer != nullptr) {
    value.size = sizeof(Struct);
    *answer = value;
  }
}

}  // namespace tenure::capi
