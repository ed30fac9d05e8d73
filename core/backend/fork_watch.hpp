// What has to be at rest while the process is forked. The child has one thread: what another was in the
// middle of stays so there for ever, and a lock that it held is never given up. The host annex answers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>

namespace tenure {

/// In which order locks are taken ahead of a fork: as everywhere, whoever calls before who is called.
/// Pools that evict lease pinned memory with their own lock held.
enum class ForkRank : std::uint8_t { kRuntime, kPool, kPinnedPool, kCheckedBackend, kBackend };
inline constexpr std::size_t kForkRanks = 5;

struct ForkSteps {
  std::function<void()> before;     // takes what must be at rest
  std::function<void()> in_parent;  // gives it up
  std::function<void()> in_child;   // sets right what the missing threads left, and gives it up
};

/// Calls the steps on the thread that forks, around each fork, while it exists. Ends before what its
/// steps touch.
///
/// threads  anyone who holds none of the locks that steps take
class ForkWatch {
 public:
  ForkWatch(ForkRank rank, ForkSteps steps);
  /// Has `mutex` at rest.
  ForkWatch(ForkRank rank, std::mutex& mutex)
      : ForkWatch(rank, {[&mutex] { mutex.lock(); }, [&mutex] { mutex.unlock(); },
                         [&mutex] { mutex.unlock(); }}) {}
  ForkWatch(const ForkWatch&) = delete;
  ForkWatch& operator=(const ForkWatch&) = delete;
  ~ForkWatch();

 private:
  friend class ForkRegistry;

  const ForkRank rank_;
  const ForkSteps steps_;
  ForkWatch* before_ = nullptr;  // in the list of its rank
  ForkWatch* after_ = nullptr;
};

}  // namespace tenure
