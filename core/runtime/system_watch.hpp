// Who looks at the machine's memory: a thread that reads it now and then and says when a level was
// passed upwards.
//
// Invariant: the thread is started by the first who wants to know, so that a program that asks for
// nothing has none.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

#include "core/backend/platform.hpp"
#include "core/pressure/levels.hpp"

namespace tenure {

class SystemWatch {
 public:
  using Read = std::function<MemoryReading()>;
  using Tell = std::function<void(PressureLevel)>;

  /// period_ms   between two looks; 0: no thread
  /// tell        on the thread that looked, with no lock held
  SystemWatch(std::uint64_t period_ms, Read read, Tell tell)
      : period_ms_(period_ms), read_(std::move(read)), tell_(std::move(tell)) {}
  SystemWatch(const SystemWatch&) = delete;
  SystemWatch& operator=(const SystemWatch&) = delete;
  ~SystemWatch() { end(); }

  /// Starts the thread, if there is none and it did not end. It looks at once.
  ///
  /// threads  anyone
  void start();

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
  void end();

 private:
  void serve();

  const std::uint64_t period_ms_;
  const Read read_;
  const Tell tell_;
  std::mutex mutex_;
  std::condition_variable over_;
  std::thread thread_;  // guarded by mutex_, as what follows
  bool is_over_ = false;
  LevelTracker level_;
  std::uint64_t looks_ = 0;
};

}  // namespace tenure
