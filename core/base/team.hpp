// A fixed team of threads that runs one function on each member: the workers of a collection.
//
// Invariant: threads are started by the first run that needs them and end with the team, so that a
// runtime that never collects in parallel has none.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace tenure {

/// threads  one runner at a time
class Team {
 public:
  using Work = std::function<void(std::uint32_t member)>;

  /// members  1 at least, the caller among them
  explicit Team(std::uint32_t members) : members_(members) {}
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;
  ~Team() { dismiss(); }

  [[nodiscard]] std::uint32_t size() const { return members_; }

  /// Calls `work(0)` here and `work(1)`, `work(2)`, ... on the others, and returns once all have
  /// returned. What the caller wrote before is seen by all, what they wrote is seen after.
  ///
  /// members  how many take part, `size()` at most
  void run(std::uint32_t members, const Work& work);
  void run(const Work& work) { run(members_, work); }

  /// Ends the threads. A later run starts them again.
  void dismiss();

 private:
  void start(std::uint32_t count);
  void serve(std::uint32_t member);

  std::uint32_t members_;
  std::vector<std::thread> threads_;  // member 1, 2, ...; the runner's

  std::mutex mutex_;
  std::condition_variable begin_;
  std::condition_variable end_;
  const Work* work_ = nullptr;  // guarded by mutex_, all below too
  std::uint32_t wanted_ = 0;    // members below this one take part in the run
  std::uint64_t run_ = 0;       // counts runs
  std::uint32_t busy_ = 0;      // members other than the runner that have not returned
  bool over_ = false;
};

}  // namespace tenure
