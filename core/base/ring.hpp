// Lists whose links lie in what they list: joining and leaving is a few stores, from wherever one is.
//
// Invariant: a link that is in no ring is a ring by itself, so that leaving twice does no harm.
#pragma once

namespace tenure {

/// A place in a ring, or the ring's own head.
struct RingLink {
  RingLink() = default;
  RingLink(const RingLink&) = delete;
  RingLink& operator=(const RingLink&) = delete;

  [[nodiscard]] bool is_alone() const { return next == this; }

  void leave() {
    previous->next = next;
    next->previous = previous;
    previous = this;
    next = this;
  }
  /// Leaves where it is, and stands before `other` from now on: last, where that is a head.
  void join(RingLink& other) {
    leave();
    previous = other.previous;
    next = &other;
    previous->next = this;
    other.previous = this;
  }
  /// Takes all that `head` leads, which leads nothing then.
  void take_all(RingLink& head) {
    if (!head.is_alone()) {
      join(head);
      head.leave();
    }
  }

  RingLink* previous = this;
  RingLink* next = this;
};

}  // namespace tenure
