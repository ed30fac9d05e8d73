// Who solves the layouts that pools ask for, off the path of those who lease: a thread of its own, or
// whoever waits for plans where a runtime starts no threads.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "core/payload/pool.hpp"

namespace tenure {

class Planner {
 public:
  /// may_start   whether a thread may be started
  explicit Planner(bool may_start) : may_start_(may_start) {}
  Planner(const Planner&) = delete;
  Planner& operator=(const Planner&) = delete;
  ~Planner() { end(); }

  /// Has a plan made for what the pool found. Starts the thread if there is none yet; where none may
  /// be started, nothing happens until somebody waits.
  ///
  /// pool      outlives the planner's end
  /// threads   anyone; no lock is held that the pool takes
  void ask(PayloadPool& pool);

  /// Makes what plan the pool lacks now, and waits until none is under way.
  ///
  /// threads   anyone
  void await(PayloadPool& pool);

  /// Ends the thread, for good. A plan that is being made is finished first.
  void end();

 private:
  void serve();
  static void solve(PayloadPool& pool);

  const bool may_start_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::thread thread_;
  std::vector<PayloadPool*> asking_;  // guarded by mutex_
  bool is_solving_ = false;           // guarded by mutex_
  bool is_over_ = false;              // guarded by mutex_
};

}  // namespace tenure
