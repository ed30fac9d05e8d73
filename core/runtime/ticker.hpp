// A thread that does the same thing every so often until it is ended.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

namespace tenure {

class Ticker {
 public:
  /// period_ms   between two calls; 0: no thread
  /// work        on the thread, with no lock held
  Ticker(std::uint64_t period_ms, std::function<void()> work)
      : period_ms_(period_ms), work_(std::move(work)) {}
  Ticker(const Ticker&) = delete;
  Ticker& operator=(const Ticker&) = delete;
  ~Ticker() { end(); }

  /// Starts the thread, if there is none and it did not end. It works at once.
  ///
  /// threads  anyone
  void start();

  /// Ends the thread, for good; what it does just now is done first. Twice is as good as once.
  ///
  /// threads  anyone; from `work` it is a fault that stops the program
  void end();

 private:
  void serve();

  const std::uint64_t period_ms_;
  const std::function<void()> work_;
  std::mutex mutex_;
  std::condition_variable over_;
  std::thread thread_;  // guarded by mutex_, as what follows
  bool is_over_ = false;
};

}  // namespace tenure
