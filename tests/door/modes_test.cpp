// The five modes, told apart by what they do on one load.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tenure/inspect.hpp"
#include "tenure/runtime.hpp"

namespace tenure {
namespace {

struct Node {
  Ref<Node> next;
  Ref<Node> other;
  std::uint64_t id = 0;
  static auto tenure_type() { return describe("Node", &Node::next, &Node::other); }
};

// Lists in the slots of one array that lives long: a step cuts one off, hangs a fresh one in, or moves
// the rest of one to another, so that references go from old to old behind the marker's back.
class Lists {
 public:
  Lists(Mutator& mutator, std::uint32_t slots, std::uint64_t seed)
      : mutator_(mutator),
        random_(seed),
        slots_(make_array<Node>(mutator, slots)),
        shadow_(slots) {}

  void step() {
    const auto at = static_cast<std::uint32_t>(random_() % shadow_.size());
    const auto to = static_cast<std::uint32_t>(random_() % shadow_.size());
    const std::uint64_t dice = random_() % 16;
    if (dice == 0) {
      (*slots_)[at] = nullptr;
      shadow_[at].clear();
    } else if (dice < 4) {
      move_rest(at, to);
    } else {
      push(at);
    }
  }

  [[nodiscard]] std::string compare() const {
    for (std::uint32_t at = 0; at < shadow_.size(); ++at) {
      const Node* node = (*slots_)[at].get();
      for (auto id = shadow_[at].rbegin(); id != shadow_[at].rend(); ++id) {
        if (node == nullptr || node->id != *id) {
          return "slot " + std::to_string(at) + " has lost node " + std::to_string(*id);
        }
        node = node->next.get();
      }
      if (node != nullptr) {
        return "slot " + std::to_string(at) + " has a node too many";
      }
    }
    return {};
  }

 private:
  void push(std::uint32_t at) {
    const Local<Node> node = make<Node>(mutator_);
    node->id = ++last_;
    node->next = (*slots_)[at];
    (*slots_)[at] = node;
    shadow_[at].push_back(last_);
  }
  void move_rest(std::uint32_t from, std::uint32_t to) {
    if (from == to || shadow_[from].size() < 2) {
      return;
    }
    (*slots_)[to] = (*slots_)[from]->next;
    (*slots_)[from]->next = nullptr;
    shadow_[to] = shadow_[from];
    shadow_[to].pop_back();
    shadow_[from].erase(shadow_[from].begin(), shadow_[from].end() - 1);
  }

  Mutator& mutator_;
  std::mt19937_64 random_;
  Local<RefArray<Node>> slots_;
  std::vector<std::vector<std::uint64_t>> shadow_;  // ids by slot, the newest last
  std::uint64_t last_ = 0;
};

Config load(Mode mode) {
  return {.mode = mode,
          .generations = 2,
          .promotion_age = 1,
          .nursery = 256_KiB,
          .old_start = 1_MiB,
          .max_pause_us = 2000,
          .device = "host"};
}

std::size_t threads_of_process() {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
    count += entry.exists() ? 1 : 0;
  }
  return count;
}

// A thread that was joined may still be listed for a moment.
bool comes_down_to(std::size_t threads) {
  for (int k = 0; k < 1000 && threads_of_process() > threads; ++k) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return threads_of_process() <= threads;
}

// Runs the load on so many lists until `enough`, and gives the statistics. By the clock, since a busy
// machine says who runs beside whom: steps alone promise nothing.
template <class Enough>
Statistics run(Runtime& runtime, std::uint64_t seed, Enough enough, std::uint32_t slots = 2500) {
  constexpr std::chrono::seconds kLong{150};
  const auto until = std::chrono::steady_clock::now() + kLong;
  Mutator mutator(runtime);
  Lists lists(mutator, slots, seed);
  while (!enough(runtime.statistics()) && std::chrono::steady_clock::now() < until) {
    for (int step = 0; step < 2000; ++step) {
      lists.step();
    }
  }
  EXPECT_EQ(lists.compare(), "") << "seed " << seed;
  const Statistics statistics = runtime.statistics();
  const CycleStatistics& cycles = statistics.cycles;
  EXPECT_TRUE(enough(statistics)) << "seed " << seed << ": " << statistics.young_collections
                                  << " young and " << statistics.full_collections
                                  << " full collections; cycles: " << cycles.begun << " begun, "
                                  << cycles.ended << " ended, " << cycles.ends_put_off
                                  << " ends put off, " << cycles.abandoned << " abandoned, "
                                  << cycles.bytes_allocated.count() << " B allocated beside them";
  (void)value_or_throw(runtime.collect());
  EXPECT_EQ(lists.compare(), "") << "seed " << seed << ", after a full collection";
  EXPECT_TRUE(verify_heap(runtime).ok()) << "seed " << seed;
  return statistics;
}

bool has_two_cycles(const Statistics& statistics) { return statistics.cycles.ended >= 2; }

TEST(Modes, ManualCollectsNothingByItselfAndHasNoThread) {
  Runtime runtime = value_or_throw(Runtime::open(load(Mode::kManual)));
  const std::size_t before = threads_of_process();
  Mutator mutator(runtime);
  Lists lists(mutator, 100, 1);

  for (int step = 0; step < 200'000; ++step) {
    lists.step();
  }

  EXPECT_EQ(runtime.statistics().collections, 0u);
  EXPECT_LE(threads_of_process(), before);
}

TEST(Modes, AutomaticMarksInOneStopWhatFitsThePauseTarget) {
  Config config = load(Mode::kAutomatic);
  config.max_pause_us = 1'000'000;
  Runtime runtime = value_or_throw(Runtime::open(config));

  const Statistics statistics =
      run(runtime, 2, [](const Statistics& so_far) { return so_far.full_collections >= 3; });

  EXPECT_EQ(statistics.cycles.begun, 0u);
  EXPECT_EQ(statistics.pauses.count(), statistics.collections) << "one stop each";
  EXPECT_EQ(
      statistics
          .collections_by_trigger[static_cast<std::size_t>(CollectionTrigger::kExplicitRequest)],
      0u)
      << "nobody asked";
}

TEST(Modes, BeginWithNoMoreNurseryThanThePauseTargetAllows) {
  Config config = load(Mode::kAutomatic);
  config.nursery = 32_MiB;
  config.max_pause_us = 1000;
  Runtime runtime = value_or_throw(Runtime::open(config));
  Mutator mutator(runtime);

  while (runtime.statistics().bytes_allocated < 8_MiB && runtime.statistics().collections == 0) {
    for (int k = 0; k < 1000; ++k) {
      (void)make<Node>(mutator);
    }
  }

  EXPECT_GT(runtime.statistics().collections, 0u);
}

TEST(Modes, AutomaticSlicesWhatDoesNot) {
  Config config = load(Mode::kAutomatic);
  // Less than a marking takes, and more than its last stop: both take longer under a sanitizer.
  config.max_pause_us = TENURE_TEST_SHARE > 1 ? 2000 : 1000;
  Runtime runtime = value_or_throw(Runtime::open(config));

  const Statistics statistics = run(runtime, 3, has_two_cycles);

  EXPECT_GT(statistics.cycles.slices.count(), 0u);
}

TEST(Modes, AutomaticMarksInOneStopWhateverItTakesWhereItMayNotSlice) {
  Config config = load(Mode::kAutomatic);
  config.max_pause_us = TENURE_TEST_SHARE > 1 ? 2000 : 1000;
  config.incremental = false;
  Runtime runtime = value_or_throw(Runtime::open(config));

  const Statistics statistics =
      run(runtime, 3, [](const Statistics& so_far) { return so_far.full_collections >= 3; });

  EXPECT_EQ(statistics.cycles.begun, 0u);
  EXPECT_EQ(statistics.cycles.slices.count(), 0u);
}

TEST(Modes, IncrementalMarksInSlicesWithoutAThread) {
  Config config = load(Mode::kIncremental);
  config.gc_workers = 1;
  const std::size_t before = threads_of_process();
  Runtime runtime = value_or_throw(Runtime::open(config));
  std::size_t during = 0;

  // Slices prepare, mark and settle: of each at least one, and a few more.
  const auto enough = [&](const Statistics& so_far) {
    during = std::max(during, threads_of_process());
    return has_two_cycles(so_far) && so_far.cycles.slices.count() > 2 * so_far.cycles.ended + 2;
  };
  const Statistics statistics = run(runtime, 4, enough);

  EXPECT_GT(statistics.cycles.bytes_allocated.count(), 0u);
  EXPECT_GT(statistics.cycles.cards_read, 0u);
  EXPECT_LE(during, before);
}

TEST(Modes, TouchMemoryAheadOnAThreadWhereTheHeapGrows) {
  std::thread([] {}).join();  // a sanitizer starts a thread of its own with the first
  for (const Mode mode : {Mode::kManual, Mode::kAutomatic}) {
    const std::size_t before = threads_of_process();
    Config config = load(mode);
    config.gc_workers = 1;
    Runtime runtime = value_or_throw(Runtime::open(config));
    runtime.trim();  // regions that earlier tests used are as good as fresh
    {
      Mutator mutator(runtime);
      const Lists lists(mutator, 2500, 5);
      (void)value_or_throw(runtime.collect(Collect::kFull));
      (void)value_or_throw(runtime.collect(Collect::kFull));
      EXPECT_EQ(threads_of_process(), before + (mode == Mode::kAutomatic ? 1 : 0));
    }
    runtime.close();
    EXPECT_TRUE(comes_down_to(before));
  }
}

TEST(Modes, ConcurrentMarksOnAThreadWhileMutatorsAllocate) {
  std::thread([] {}).join();  // a sanitizer starts a thread of its own with the first
  const std::size_t before = threads_of_process();
  Runtime runtime = value_or_throw(Runtime::open(load(Mode::kConcurrent)));

  // Why so many, and until then: a short marking is over before the mutator has used up a buffer, or
  // before it is given a core again.
  const auto enough = [](const Statistics& so_far) {
    return has_two_cycles(so_far) && so_far.cycles.bytes_allocated > Bytes{};
  };
  const Statistics statistics = run(runtime, 5, enough, 20'000);

  EXPECT_EQ(statistics.cycles.slices.count(), 0u);
  EXPECT_GT(threads_of_process(), before);
  runtime.close();
  EXPECT_TRUE(comes_down_to(before));
}

TEST(Modes, AdaptiveSpreadsAMarkingThatWouldPassThePauseTarget) {
  Config config = load(Mode::kAdaptive);
  config.max_pause_us = 1000;
  Runtime runtime = value_or_throw(Runtime::open(config));

  run(runtime, 6, has_two_cycles);
}

TEST(Modes, MarkBesideMutatorsOfOneGenerationAlone) {
  for (const Mode mode : {Mode::kIncremental, Mode::kConcurrent}) {
    Config config = load(mode);
    config.generations = 1;
    Runtime runtime = value_or_throw(Runtime::open(config));

    run(runtime, 7, has_two_cycles);
  }
}

TEST(Modes, LoseNothingWithSeveralMutators) {
  // Why by the clock: under a sanitizer three threads allocate faster than a slice marks, so that
  // cycles give way to collections in one stop, and how many end says nothing.
  constexpr std::chrono::seconds kLong{4};
  for (const Mode mode : {Mode::kIncremental, Mode::kConcurrent, Mode::kAdaptive}) {
    const auto until = std::chrono::steady_clock::now() + kLong;
    Runtime runtime = value_or_throw(Runtime::open(load(mode)));
    std::vector<std::thread> threads;
    std::atomic<std::uint64_t> faults{0};
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      threads.emplace_back([&runtime, &faults, until, seed] {
        Mutator mutator(runtime);
        Lists lists(mutator, 1000, seed);
        while (std::chrono::steady_clock::now() < until && runtime.statistics().cycles.ended < 3) {
          for (int step = 0; step < 2000; ++step) {
            lists.step();
          }
          faults += lists.compare().empty() ? 0 : 1;
        }
      });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
    const CycleStatistics cycles = runtime.statistics().cycles;
    EXPECT_EQ(faults, 0u) << to_string(mode);
    EXPECT_GT(cycles.begun, 0u) << to_string(mode) << ": " << cycles.begun << " begun, "
                                << cycles.ends_put_off << " ends put off, " << cycles.abandoned
                                << " abandoned";
  }
}

TEST(Modes, EndACycleWithTheProgram) {
  for (int k = 0; k < 5; ++k) {
    Runtime runtime = value_or_throw(Runtime::open(load(Mode::kConcurrent)));
    Mutator mutator(runtime);
    Lists lists(mutator, 2500, 9);
    while (runtime.statistics().cycles.begun == 0) {
      for (int step = 0; step < 1000; ++step) {
        lists.step();
      }
    }
  }
}

}  // namespace
}  // namespace tenure
