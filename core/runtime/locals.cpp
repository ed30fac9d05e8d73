// Locals that are made or ended off the fast path: the first on a page of the stack, and those that
// do not lie on their thread's stack.
#include "core/base/check.hpp"
#include "core/heap/local_scan.hpp"
#include "core/runtime/mutator.hpp"
#include "tenure/detail/fast_path.hpp"

namespace tenure::detail {

namespace {

// Whether the window may come to cover the link: it lies on the stack of the mutator's thread.
bool may_be_tagged(MutatorCore& core, const LocalLink& link) {
  if (core.state == nullptr || core.window.stays_closed) {
    return false;
  }
  const std::optional<StackRange>& stack = core.state->stack();
  return stack && stack->contains(&link);
}

}  // namespace

void link_local_slowly(MutatorCore& core, LocalLink& link) noexcept {
  if (may_be_tagged(core, link)) {
    widen(core.window, link);
    tag(link, core.window.key);
    return;
  }
  link.below = core.locals;
  core.locals = &link;
}

void unlink_local(MutatorCore& core, LocalLink& link) noexcept {
  LocalLink** at = &core.locals;
  while (*at != &link) {
    check(*at != nullptr, "a local ended on another thread than it was made on");
    at = &(*at)->below;
  }
  *at = link.below;
}

}  // namespace tenure::detail
