#include "core/observe/ring.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace tenure {

std::shared_ptr<EventPiece> EventLog::fresh() {
  // Why without value-initialising: a piece is 96 KiB, and read only where it was written.
  std::shared_ptr<EventPiece> piece(new EventPiece);
  const std::scoped_lock lock(mutex_);
  while (rows_.size() >= kMostPieces) {
    const Row& oldest = rows_.front();
    lost_ += oldest.piece->count.load(std::memory_order_relaxed) - oldest.taken;
    rows_.pop_front();  // a thread that writes to it still does so in vain
  }
  rows_.push_back({.piece = piece});
  return piece;
}

void EventLog::add(const Event& event) {
  const std::scoped_lock lock(mutex_);
  if (own_.size() == kMostOwn) {
    own_.pop_front();
    ++lost_;
  }
  own_.push_back(event);
}

EventBatch EventLog::take() {
  struct Part {
    std::shared_ptr<EventPiece> piece;
    std::uint32_t first;
    std::uint32_t end;
  };
  std::vector<Part> parts;
  EventBatch batch;
  {
    const std::scoped_lock lock(mutex_);
    for (Row& row : rows_) {
      const std::uint32_t end = row.piece->count.load(std::memory_order_acquire);
      if (end > row.taken) {
        parts.push_back({row.piece, std::exchange(row.taken, end), end});
      }
    }
    std::erase_if(rows_, [](const Row& row) { return row.taken == EventPiece::kSize; });
    batch.events.assign(own_.begin(), own_.end());
    own_.clear();
    batch.lost = std::exchange(lost_, 0);
  }
  // Why only here: who wants a fresh piece does not wait for the copying.
  for (const Part& part : parts) {
    const Event* const events = part.piece->events.data();
    batch.events.insert(batch.events.end(), events + part.first, events + part.end);
  }
  std::ranges::stable_sort(batch.events, {}, &Event::time_ns);
  return batch;
}

void EventLog::drop_pieces() {
  const std::scoped_lock lock(mutex_);
  rows_.clear();
}

void EventLog::clear() {
  const std::scoped_lock lock(mutex_);
  rows_.clear();
  own_.clear();
  lost_ = 0;
}

}  // namespace tenure
