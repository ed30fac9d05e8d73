// Cycles that a device marks while mutators run, over the substitute of the CUDA runtime and emulated
// kernels. A shadow of each list says what must be there; the heap is verified after each collection.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "tests/cuda/substitute/substitute.hpp"
#include "tests/simt/launch_hook.hpp"
#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {
namespace {

Config marked_beside(Mode mode) {
  substitute::reset();
  simt::set_launch_hook([](CUstream_st* stream, std::function<void()> run) {
    return static_cast<int>(substitute::enqueue(stream, std::move(run)));
  });
  Config config = small_config();
  config.mode = mode;
  config.marker = MarkerChoice::kCuda;
  config.old_start = 2_MiB;
  config.promotion_age = 1;  // much of what gets old dies there
  config.max_pause_us = 5000;
  return config;
}

// Lists in the slots of an old array, cut, grown and moved about.
class Lists {
 public:
  Lists(Mutator& mutator, std::uint64_t seed)
      : mutator_(mutator),
        random_(seed),
        slots_(make_array<Node>(mutator, kLists)),
        shadow_(kLists) {}

  void step() {
    const std::uint32_t at = draw(kLists);
    switch (draw(4)) {
      case 0:
      case 1: {  // a new head before the old one
        const Local<Node> node = make<Node>(mutator_);
        node->value = static_cast<std::int64_t>(random_());
        node->left = (*slots_)[at];
        shadow_[at].push_front(node->value);
        (*slots_)[at] = node;
        break;
      }
      case 2: {  // two change places: an old object's only way changes, and nothing is allocated
        const std::uint32_t other = draw(kLists);
        const Local<Node> kept(mutator_, (*slots_)[at]);
        (*slots_)[at] = (*slots_)[other];
        (*slots_)[other] = kept;
        std::swap(shadow_[at], shadow_[other]);
        break;
      }
      default:
        if (shadow_[at].size() > kMost) {
          (*slots_)[at] = nullptr;
          shadow_[at].clear();
        }
    }
  }

  /// How many lists are not what they should be.
  [[nodiscard]] std::uint32_t wrong() const {
    std::uint32_t wrong = 0;
    for (std::uint32_t at = 0; at < kLists; ++at) {
      const Node* node = (*slots_)[at].get();
      bool same = true;
      for (const std::int64_t value : shadow_[at]) {
        same = same && node != nullptr && node->value == value;
        node = same ? node->left.get() : nullptr;
      }
      wrong += same && node == nullptr ? 0 : 1;
    }
    return wrong;
  }

 private:
  static constexpr std::uint32_t kLists = 3000;
  static constexpr std::size_t kMost = 12;

  std::uint32_t draw(std::uint32_t below) { return static_cast<std::uint32_t>(random_() % below); }

  Mutator& mutator_;
  std::mt19937_64 random_;
  Local<RefArray<Node>> slots_;
  std::vector<std::deque<std::int64_t>> shadow_;
};

class DeviceCyclesTest : public ::testing::TestWithParam<Mode> {
 protected:
  DeviceCyclesTest() : runtime_(value_or_throw(Runtime::open(marked_beside(GetParam())))) {}

  // Until so many cycles were marked by the device, or the host had to.
  [[nodiscard]] bool goes_on(std::uint64_t cycles) const {
    const Statistics now = runtime_.statistics();
    return now.cycles.on_device < cycles && now.marker_fallbacks == 0 &&
           std::chrono::steady_clock::now() < end_;
  }

  Runtime runtime_;
  std::chrono::steady_clock::time_point end_ =
      std::chrono::steady_clock::now() + std::chrono::seconds(120);
};

TEST_P(DeviceCyclesTest, FindWhatLivesWhileMutatorsRun) {
  constexpr std::uint64_t kCycles = 4;
  constexpr int kSteps = 2000;
  std::atomic<std::uint32_t> wrong{0};
  const auto mutate = [&](std::uint64_t seed) {
    Mutator mutator(runtime_);
    Lists lists(mutator, seed);
    while (goes_on(kCycles)) {
      for (int step = 0; step < kSteps; ++step) {
        lists.step();
      }
      wrong += lists.wrong();
    }
  };
  std::thread other(mutate, 2);
  mutate(1);
  other.join();

  const Statistics now = runtime_.statistics();
  EXPECT_EQ(wrong.load(), 0u);
  EXPECT_GE(now.cycles.on_device, kCycles);
  EXPECT_EQ(now.marker_fallbacks, 0u) << now.marker_fallback;
  EXPECT_EQ(now.cycles.on_device, now.cycles.ended);
  EXPECT_GT(now.cycles.bytes_allocated, 0_B);  // while one was under way
  EXPECT_GT(now.cycles.copy_rounds, now.cycles.ended);
  EXPECT_GT(now.cycles.copied_beside, 0_B);
}

TEST_P(DeviceCyclesTest, SayWhyTheHostMarkedInItsPlace) {
  {
    Mutator mutator(runtime_);
    Lists lists(mutator, 3);
    while (goes_on(1)) {
      for (int step = 0; step < 500; ++step) {
        lists.step();
      }
    }
    substitute::fail("cudaMemcpyAsync", 4, cudaErrorLaunchFailure);
    while (goes_on(1000)) {
      for (int step = 0; step < 500; ++step) {
        lists.step();
      }
    }
    EXPECT_EQ(lists.wrong(), 0u);
  }
  const Statistics now = runtime_.statistics();
  EXPECT_NE(now.marker_fallback.find("cudaMemcpyAsync"), std::string::npos)
      << now.marker_fallback << "; cycles begun " << now.cycles.begun << ", ended "
      << now.cycles.ended << ", abandoned " << now.cycles.abandoned << "; collections "
      << now.young_collections << " young, " << now.full_collections << " full";
}

INSTANTIATE_TEST_SUITE_P(Modes, DeviceCyclesTest,
                         ::testing::Values(Mode::kConcurrent, Mode::kIncremental),
                         [](const auto& of) {
                           return of.param == Mode::kConcurrent ? "Concurrent" : "Incremental";
                         });

}  // namespace
}  // namespace tenure::testing
