// In-order streams on a clock that moves only when it is told to. When work starts and ends is known
// as soon as it is put on its stream, since it waits only for what was put on streams before it.
//
//   stream 1   [ work 1 ][   work 2    ]e1
//   stream 2   [work 3]      wait(e1)   [ work 4 ]
//   ------------------------------^now------------------> the clock
//
// Invariant: effects are handed out in the order of their ends, and those of one end in the order
// in which they were submitted; so an effect never comes before one it was ordered behind.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "host/use_order.hpp"
#include "tenure/payload.hpp"

namespace tenure {

/// What work does, and the bytes that it does it to.
struct Effect {
  std::function<void()> run;    // may be empty
  std::vector<DeviceUse> uses;  // must stay mapped until it ran
};

/// threads  one at a time
class VirtualStreams {
 public:
  VirtualStreams() : streams_(1) {}  // the default stream

  [[nodiscard]] StreamId make();
  /// Work on it goes on to its end, and its events stay; nothing more can be put on it.
  void end(StreamId stream);
  [[nodiscard]] bool has(StreamId stream) const;
  /// Whether there is such a stream, or was.
  [[nodiscard]] bool had(StreamId stream) const;

  [[nodiscard]] std::uint64_t now_ns() const { return now_ns_; }

  /// Puts work behind all that is on the stream. It starts no earlier than now.
  void submit(StreamId stream, std::uint64_t duration_ns, Effect effect);

  [[nodiscard]] StreamEvent record(StreamId stream);
  /// The last event recorded on a stream; 0 before the first.
  [[nodiscard]] std::uint64_t recorded(StreamId stream) const;
  /// The last event reached by now.
  [[nodiscard]] std::uint64_t reached(StreamId stream);
  /// When a recorded event is reached; 0 where it was already.
  [[nodiscard]] std::uint64_t time_of(StreamEvent event) const;
  /// What is put on `waiter` from now on starts after a recorded event.
  void wait(StreamId waiter, StreamEvent event);

  /// When all that was submitted is done; now at the earliest.
  [[nodiscard]] std::uint64_t idle_at() const;

  /// The next effect that ends by `time_ns`, with the clock moved to its end. Nothing when all ran.
  [[nodiscard]] std::optional<Effect> take_due(std::uint64_t time_ns);
  /// Moves the clock on; all effects due by then were taken.
  void set_time(std::uint64_t time_ns);

  /// The first bytes of [base, base + size) that work not yet done uses.
  [[nodiscard]] std::optional<PayloadView> pending_use(const std::byte* base, Bytes size) const;

  /// Takes away all work not yet done. Its events are never reached.
  [[nodiscard]] std::vector<Effect> abandon();

 private:
  struct Event {
    std::uint64_t sequence = 0;
    std::uint64_t time_ns = 0;
  };
  struct Stream {
    bool is_open = true;
    std::uint64_t idle_at_ns = 0;  // all its work so far is done, and all its waits are over
    std::uint64_t recorded = 0;
    std::uint64_t reached = 0;
    std::deque<Event> open;  // recorded, not known to be reached; times never fall
  };

  [[nodiscard]] Stream& at(StreamId stream);
  [[nodiscard]] const Stream& at(StreamId stream) const;

  std::vector<Stream> streams_;
  std::uint64_t now_ns_ = 0;
  std::uint64_t submitted_ = 0;
  std::map<std::pair<std::uint64_t, std::uint64_t>, Effect> pending_;  // by (end, number)
};

}  // namespace tenure
