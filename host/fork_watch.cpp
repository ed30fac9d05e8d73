#include "core/backend/fork_watch.hpp"

#include <pthread.h>

#include <array>
#include <utility>

#include "core/base/check.hpp"

namespace tenure {

/// All watches of the process, by rank.
class ForkRegistry {
 public:
  static ForkRegistry& instance() {
    // Why never destroyed: the program's last destructors may still end watches, and fork.
    static ForkRegistry& registry = *new ForkRegistry;
    return registry;
  }

  void add(ForkWatch& watch) {
    const std::scoped_lock lock(mutex_);
    ForkWatch*& first = first_[static_cast<std::size_t>(watch.rank_)];
    watch.after_ = first;
    if (first != nullptr) {
      first->before_ = &watch;
    }
    first = &watch;
  }
  void remove(ForkWatch& watch) {
    const std::scoped_lock lock(mutex_);
    (watch.before_ == nullptr ? first_[static_cast<std::size_t>(watch.rank_)]
                              : watch.before_->after_) = watch.after_;
    if (watch.after_ != nullptr) {
      watch.after_->before_ = watch.before_;
    }
  }

 private:
  ForkRegistry() {
    const int refused =
        pthread_atfork([] { instance().begin(); }, [] { instance().end(&ForkSteps::in_parent); },
                       [] { instance().end(&ForkSteps::in_child); });
    check(refused == 0, "the system has memory for three more functions to call at a fork");
  }

  // Why the registry's own lock stays taken: nobody may come or go before the fork is over.
  void begin() {
    mutex_.lock();
    for (ForkWatch* const first : first_) {
      for (ForkWatch* watch = first; watch != nullptr; watch = watch->after_) {
        watch->steps_.before();
      }
    }
  }
  // Backends first: a pool that is set right may ask them.
  void end(std::function<void()> ForkSteps::*step) {
    for (std::size_t rank = kForkRanks; rank-- > 0;) {
      for (ForkWatch* watch = first_[rank]; watch != nullptr; watch = watch->after_) {
        (watch->steps_.*step)();
      }
    }
    mutex_.unlock();
  }

  std::mutex mutex_;
  std::array<ForkWatch*, kForkRanks> first_{};  // the latest of each rank; guarded by mutex_
};

namespace {

// Why before anybody watches: of those who are called ahead of a fork the earliest comes last. So who
// registers later, and calls us with a lock of its own held, as the C ABI does, has that taken first.
[[maybe_unused]] const ForkRegistry& registered_first = ForkRegistry::instance();

}  // namespace

ForkWatch::ForkWatch(ForkRank rank, ForkSteps steps) : rank_(rank), steps_(std::move(steps)) {
  ForkRegistry::instance().add(*this);
}

ForkWatch::~ForkWatch() { ForkRegistry::instance().remove(*this); }

}  // namespace tenure
