// Who looks at the machine's memory: a thread that reads it now and then and says when a level was
// passed upwards.
//
// Invariant: the thread is started by the first who wants to know, so that a program that asks for
// nothing has none.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <utility>

#include "core/backend/platform.hpp"
#include "core/pressure/levels.hpp"
#include "core/runtime/ticker.hpp"

namespace tenure {

class SystemWatch {
 public:
  using Read = std::function<MemoryReading()>;
  using Tell = std::function<void(PressureLevel)>;

  /// period_ms   between two looks; 0: no thread
  /// tell        on the thread that looked, with no lock held
  SystemWatch(std::uint64_t period_ms, Read read, Tell tell)
      : read_(std::move(read)), tell_(std::move(tell)), ticker_(period_ms, [this] { look(); }) {}
  SystemWatch(const SystemWatch&) = delete;
  SystemWatch& operator=(const SystemWatch&) = delete;

  /// Starts the thread, if there is none and it did not end. It looks at once.
  ///
  /// threads  anyone
  void start() { ticker_.start(); }

  /// Looks at the memory once.
  ///
  /// threads  anyone
  void look() { look_at(read_()); }
  void look_at(const MemoryReading& reading);

  /// How often somebody looked.
  [[nodiscard]] std::uint64_t looks();

  /// Ends the thread, for good; what it tells just now is told first. Twice is as good as once.
  ///
  /// threads  anyone but those that are told
  void end() { ticker_.end(); }

 private:
  const Read read_;
  const Tell tell_;
  std::mutex mutex_;
  LevelTracker level_;       // guarded by mutex_
  std::uint64_t looks_ = 0;  // likewise
  Ticker ticker_;            // ends before what it looks at does
};

}  // namespace tenure
