// Events as threads write them, in pieces of memory of one thread each:
//
//   thread:  [ piece ]: events [0, count), then nothing      written without waiting
//                |  full
//                v
//   log:     piece, piece, piece ... the oldest go where there are too many
//
// Whoever reads takes what stands before `count` in all pieces, the ones being written included. So no
// writer is stopped, and none waits but to hand in a piece for another.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <utility>

#include "tenure/events.hpp"

namespace tenure {

/// threads  one writer; anyone reads the events before `count`
struct EventPiece {
  static constexpr std::uint32_t kSize = 4096;  // 96 KiB

  std::atomic<std::uint32_t> count{0};
  std::array<Event, kSize> events;

  bool is_written = true;  // by a ring, from here on; guarded by the log, as what follows
  std::uint32_t readers = 0;
};

/// threads  anyone
class EventLog {
 public:
  static constexpr std::size_t kMostPieces = 256;  // a million events, 24 MiB

  /// A piece to write to. Once the most there may be are there, it is the oldest of those that nobody
  /// writes to.
  ///
  /// finished  the caller's piece until now; may be null
  [[nodiscard]] std::shared_ptr<EventPiece> exchange(std::shared_ptr<EventPiece> finished);
  /// Nobody writes to it any more.
  void finish(const std::shared_ptr<EventPiece>& piece);

  /// Adds an event of the runtime's own.
  void add(const Event& event);

  /// The events since the last time, by time.
  [[nodiscard]] EventBatch take();

  /// Forgets all events but the runtime's own, and the pieces they stand in.
  void drop_pieces();
  void clear();

 private:
  struct Row {
    std::shared_ptr<EventPiece> piece;
    std::uint32_t taken = 0;
  };
  static constexpr std::size_t kMostOwn = 65'536;

  [[nodiscard]] std::shared_ptr<EventPiece> take_oldest();

  std::mutex mutex_;       // guards what follows
  std::deque<Row> rows_;   // pieces, the oldest first
  std::deque<Event> own_;  // the runtime's, not taken yet
  std::uint64_t lost_ = 0;
};

/// Where one thread writes.
///
/// threads  its thread; ends in a stop, or with the thread
class EventRing {
 public:
  /// log      outlives the ring
  EventRing(EventLog& log, std::uint16_t thread)
      : log_(log), piece_(log.exchange(nullptr)), thread_(thread) {}
  EventRing(const EventRing&) = delete;
  EventRing& operator=(const EventRing&) = delete;
  ~EventRing() { log_.finish(piece_); }

  /// Whether the ring's time is old enough to be set anew.
  [[nodiscard]] bool wants_time() const { return used_ % kSameTime == 0; }
  void set_time(std::uint64_t now_ns) { now_ns_ = now_ns; }

  void add_allocation(std::uint32_t type, std::uint64_t bytes) {
    if (used_ == EventPiece::kSize) [[unlikely]] {
      piece_ = log_.exchange(std::move(piece_));
      used_ = 0;
    }
    Event& event = piece_->events[used_];
    __builtin_prefetch(&event + kAhead, 1);  // the rings are larger than the caches near a core
    event = {.time_ns = now_ns_,
             .amount = bytes,
             .subject = type,
             .thread = thread_,
             .kind = EventKind::kAllocation};
    // Why release: whoever reads the count reads the event.
    piece_->count.store(++used_, std::memory_order_release);
  }

 private:
  // Measured: reading the clock costs 20 to 30 ns, three times what the event does.
  static constexpr std::uint32_t kSameTime = 64;
  static constexpr std::uint32_t kAhead = 32;  // events

  EventLog& log_;
  std::shared_ptr<EventPiece> piece_;
  std::uint32_t used_ = 0;  // of the piece
  std::uint16_t thread_;
  std::uint64_t now_ns_ = 0;
};

}  // namespace tenure
