// Which moments of which stream come before work that is put on a stream from now on: vector clocks
// over events, waits and what the host saw reached.
//
// A stream's time is counted in ticks, one for each use that ended on it. An event carries the clock
// of its stream; whoever waits for it, or the host where it saw it reached, learns that clock. Source:
// Mattern, Virtual Time and Global States of Distributed Systems, 1989.
//
// Invariant: what `is_behind` says follows from calls that were made, never from how long work took.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "tenure/payload.hpp"

namespace tenure {

/// threads  one at a time
class StreamClocks {
 public:
  /// A moment on a stream, that work put on it later comes behind.
  struct Moment {
    StreamId stream = StreamId::kDefault;
    std::uint64_t tick = 0;
    friend bool operator==(const Moment&, const Moment&) = default;
  };

  /// Now, on a stream; later moments of it have larger ticks.
  [[nodiscard]] Moment tick(StreamId stream);

  /// An event was recorded behind all that is on its stream.
  void recorded(StreamEvent event);
  /// Work put on `waiter` from now on comes behind `event`. One that nobody recorded here is passed
  /// over: nothing is known to be behind it.
  void waited(StreamId waiter, StreamEvent event);
  /// The host saw `event` reached, and all before it on its stream.
  void observed(StreamEvent event);

  /// Whether work put on `stream` from now on comes behind `moment`.
  [[nodiscard]] bool is_behind(StreamId stream, Moment moment) const;
  /// Whether the host saw that all before `moment` was over.
  [[nodiscard]] bool is_over(Moment moment) const { return reaches(host_, moment); }

  /// Clocks of events that are kept: those that nobody saw reached.
  [[nodiscard]] std::uint64_t events() const;

 private:
  using Clock = std::vector<std::uint64_t>;  // by stream: the last tick that comes before

  struct Row {
    Clock clock;
    std::map<std::uint64_t, Clock>
        events;  // by sequence number; those the host has not seen reached
  };

  [[nodiscard]] Row& row_of(StreamId stream);
  [[nodiscard]] static bool reaches(const Clock& clock, Moment moment);
  static void join(Clock& clock, const Clock& other);

  std::vector<Row> rows_;  // by stream
  Clock host_;             // comes before all that is put on any stream from now on
};

}  // namespace tenure
