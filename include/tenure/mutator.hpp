// Threads that work in a heap: attached, away for a while, or sharing one attachment.
#pragma once

#include <memory>
#include <mutex>

#include "tenure/detail/fast_path.hpp"

namespace tenure {

class Runtime;
class RuntimeState;  // core/runtime

/// A thread's attachment to a runtime: it may hold objects from here on, and stops when asked to.
///
/// threads  made, used and ended by one thread. Several at a time nest; the newest one is current.
class Mutator {
 public:
  explicit Mutator(Runtime& runtime);
  /// For the library.
  explicit Mutator(RuntimeState& runtime);
  Mutator(const Mutator&) = delete;
  Mutator& operator=(const Mutator&) = delete;
  ~Mutator();

  /// A safepoint: stops here while somebody collects, and runs finalizers whose turn it is. For
  /// loops that compute long and allocate nothing.
  void poll();

  [[nodiscard]] detail::MutatorCore& core() const { return *core_; }

 private:
  friend class SharedMutator;
  void become_current();
  void resign();

  detail::MutatorCore* core_;
  detail::MutatorCore* outer_ = nullptr;  // current before this one
};

/// A mutator that any thread may use for a while, one at a time, and that is away in between: for
/// doors whose calls come from anywhere, such as another language's.
///
/// threads  anyone; a second user waits for the first
class SharedMutator {
 public:
  explicit SharedMutator(Runtime& runtime);
  SharedMutator(const SharedMutator&) = delete;
  SharedMutator& operator=(const SharedMutator&) = delete;
  ~SharedMutator();

  /// While one is there, its thread may hold objects.
  class Use {
   public:
    explicit Use(SharedMutator& shared);
    /// Waits for nobody: where another thread uses it, or a collection is under way, this is no use,
    /// as `is_there` says. For callers that hold what those may be waiting for.
    Use(SharedMutator& shared, std::try_to_lock_t);
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    ~Use();
    [[nodiscard]] bool is_there() const { return lock_.owns_lock(); }
    [[nodiscard]] Mutator& mutator() { return *shared_.mutator_; }

   private:
    SharedMutator& shared_;
    std::unique_lock<std::mutex> lock_;
  };

 private:
  std::mutex mutex_;
  std::unique_ptr<Mutator> mutator_;  // guarded by mutex_
};

/// A stretch in which the thread touches no object: a blocking call, foreign code, a long wait.
/// Collections do not wait for it.
class Away {
 public:
  explicit Away(Mutator& mutator);
  Away(const Away&) = delete;
  Away& operator=(const Away&) = delete;
  /// Comes back, and waits for a collection under way to end.
  ~Away();

 private:
  detail::MutatorCore* core_;
};

/// Runs a safepoint for the thread's current mutator, if it has one.
void poll();

namespace detail {
[[nodiscard]] inline MutatorCore& core_of(Mutator& mutator) { return mutator.core(); }
}  // namespace detail

}  // namespace tenure
