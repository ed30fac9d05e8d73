// What is known of streams: which events a pool recorded, which were reached, and which stream was
// ordered behind which.
//
// Invariant: `is_behind` is never true of a use that may still be going on. What is not known for
// certain is taken to be still going on.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "core/backend/backend.hpp"
#include "core/payload/stream_use.hpp"
#include "tenure/result.hpp"

namespace tenure {

/// threads  the pool's lock
class StreamEpochs {
 public:
  explicit StreamEpochs(Backend& backend) : backend_(backend) {}

  [[nodiscard]] bool knows(StreamId stream) const {
    const auto number = static_cast<std::uint32_t>(stream);
    return number < rows_.size() && rows_[number] != nullptr;
  }

  /// Takes a stream into account.
  ///
  /// errors   kBadArgument: the backend has no such stream; kUnsupported: its number is too large
  [[nodiscard]] Result<void> meet(StreamId stream);
  /// The same for a stream of which it is known that it is there, or was.
  void admit(StreamId stream);

  /// Whether more than one stream was met. Until then everything is in one order, and no event is
  /// needed for reuse.
  [[nodiscard]] bool has_several() const { return known_.size() > 1; }
  [[nodiscard]] const std::vector<StreamId>& known() const { return known_; }

  /// A use that ended no later than now, which was going on until now.
  [[nodiscard]] StreamUse end_use(StreamId stream) {
    Row& row = row_of(stream);
    ++row.uses_in_epoch;
    return {stream, row.epoch};
  }

  /// Whether so many uses ended in a stream's epoch that an event should end it, so that whoever
  /// comes behind them waits for little else.
  [[nodiscard]] bool is_epoch_full(StreamId stream) const {
    return row_of(stream).uses_in_epoch >= kUsesInEpoch;
  }

  /// Records an event, if a use ended since the last one. If the backend refuses, the epoch goes on
  /// and nothing is lost.
  ///
  /// errors   those of Backend::record
  Result<void> end_epoch(StreamId stream);
  /// The same for all streams; gives the last failure, after all were tried.
  Result<void> end_epochs();

  /// Asks how far each stream is that has events to be reached.
  void refresh();

  /// Waits on the host until all uses that ended so far are over.
  ///
  /// errors   those of Backend::record and Backend::synchronize; other streams are waited for first
  [[nodiscard]] Result<void> wait_for_all();

  /// Whether it was over when last asked.
  [[nodiscard]] bool is_over(StreamUse use) const {
    return use.epoch() <= row_of(use.stream()).reached_epoch;
  }
  /// Whether work put on `waiter` from now on comes after the use, as far as is known.
  [[nodiscard]] bool is_behind(StreamId waiter, StreamUse use) const {
    return use.stream() == waiter || is_over(use) ||
           use.epoch() <= behind(row_of(waiter).behind, use.stream());
  }
  /// Whether an event stands behind the use, so that a stream can be made to wait for it.
  [[nodiscard]] bool has_event(StreamUse use) const {
    return use.epoch() < row_of(use.stream()).epoch;
  }

  /// Makes work put on `waiter` from now on come after a use that has an event.
  ///
  /// errors   those of Backend::wait; nothing is ordered then
  [[nodiscard]] Result<void> order_behind(StreamId waiter, StreamUse use);

  [[nodiscard]] std::uint64_t waits_placed() const { return waits_placed_; }

 private:
  // Measured: an event costs a CUDA stream about a microsecond; shared by 64 returns it is a
  // fraction of each. Only programs with several streams pay it.
  static constexpr std::uint32_t kUsesInEpoch = 64;

  using Clock = std::vector<std::uint64_t>;  // [streams]: an epoch of each; missing ones are 0

  struct Row {
    std::uint64_t epoch = 1;           // going on; those before it ended with an event each
    std::uint64_t reached_epoch = 0;   // known to be over, with all before it
    std::uint64_t uses_in_epoch = 0;   // that ended in `epoch`
    std::deque<std::uint64_t> events;  // their sequence numbers: of reached_epoch + 1 to epoch - 1
    Clock behind;                      // what its work from now on comes after
    Clock behind_at_event;             // the same, when its last event was recorded
  };

  [[nodiscard]] Row& row_of(StreamId stream) { return *rows_[static_cast<std::uint32_t>(stream)]; }
  [[nodiscard]] const Row& row_of(StreamId stream) const {
    return *rows_[static_cast<std::uint32_t>(stream)];
  }
  [[nodiscard]] static std::uint64_t behind(const Clock& clock, StreamId stream) {
    const auto number = static_cast<std::uint32_t>(stream);
    return number < clock.size() ? clock[number] : 0;
  }
  static void raise(Clock& clock, StreamId stream, std::uint64_t epoch);
  void refresh(StreamId stream);

  Backend& backend_;
  std::vector<std::unique_ptr<Row>> rows_;  // by stream; null for those never met
  std::vector<StreamId> known_;
  std::uint64_t waits_placed_ = 0;
};

}  // namespace tenure
