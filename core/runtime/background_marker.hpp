// The thread that marks beside running mutators. It counts as one of them while it works, so that a
// stop waits for it as for any other, and is away in between.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

#include "core/runtime/mutator.hpp"
#include "core/runtime/safepoint.hpp"

namespace tenure {

class BackgroundMarker {
 public:
  /// Works for a moment; false when there is nothing to do until the next `wake`.
  using Work = std::function<bool(MutatorState& self)>;

  explicit BackgroundMarker(Safepoint& safepoint) : safepoint_(safepoint) {}
  BackgroundMarker(const BackgroundMarker&) = delete;
  BackgroundMarker& operator=(const BackgroundMarker&) = delete;
  ~BackgroundMarker() { end(); }

  /// Has the thread call `work` until it gives false. Starts the thread if there is none yet.
  ///
  /// threads  in a stop too: the thread goes on once that is over
  void wake(RuntimeState& runtime, const Work& work);

  /// Ends the thread; the caller is running or has no mutator.
  void end();

  [[nodiscard]] bool is_started() const { return thread_.joinable(); }

 private:
  void serve(RuntimeState& runtime, const Work& work);

  Safepoint& safepoint_;
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable wanted_;
  bool is_wanted_ = false;  // guarded by mutex_
  std::atomic<bool> is_over_{false};
};

}  // namespace tenure
