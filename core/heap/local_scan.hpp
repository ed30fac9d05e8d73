// A stop's look through the stretch of a stack where locals lie, for those that live.
#pragma once

#include <cstdint>

#include "tenure/detail/fast_path.hpp"

namespace tenure {

/// The first word of [at, end) that is its own address xor `key`, or `end`.
[[nodiscard]] const std::uintptr_t* find_tag(const std::uintptr_t* at, const std::uintptr_t* end,
                                             std::uintptr_t key);

/// Has the window cover the link, too, and all between: whole pages.
void widen(detail::LocalWindow& window, const detail::LocalLink& link);

/// Calls `visit(LocalLink&)` for each tagged local of a mutator. The mutator is stopped, or runs this.
template <class Visit>
void for_each_tagged(const detail::LocalWindow& window, Visit visit) {
  const auto* at = reinterpret_cast<const std::uintptr_t*>(window.first);
  const auto* const end = at + window.bytes / sizeof(std::uintptr_t);
  while ((at = find_tag(at, end, window.key)) != end) {
    visit(*reinterpret_cast<detail::LocalLink*>(const_cast<std::uintptr_t*>(at)));
    ++at;
  }
}

/// Takes pages from the window's ends on which no local lives, so that what a deep recursion once used
/// is not looked through for ever. In a stop.
void narrow(detail::LocalWindow& window);

}  // namespace tenure
