// Where callbacks run: on a thread that is attached through the C ABI. A runtime opened here has no
// other mutators.
#pragma once

#include <new>

#include "capi/registry.hpp"

namespace tenure::capi {

/// The calling thread's attachment to the runtime, which it has.
[[nodiscard]] inline Attachment& callback_thread(std::uint64_t runtime) {
  Attachment* const attachment = attachment_of_thread(runtime);
  if (attachment == nullptr) {
    throw std::bad_alloc();
  }
  return *attachment;
}

}  // namespace tenure::capi
