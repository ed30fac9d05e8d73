// Snapshots of a heap in which three threads go on allocating and storing, in every mode: what is in
// one is whole, and the heap is sound afterwards.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tenure/inspect.hpp"
#include "tenure/runtime.hpp"
#include "tenure/snapshot.hpp"

namespace tenure {
namespace {

struct Item {
  Ref<Item> next;
  Ref<RefArray<Item>> table;  // of its thread
  std::int64_t thread = 0;
  std::int64_t length = 0;
  static auto tenure_type() {
    return describe("Item", &Item::next, &Item::table).named("next", "table");
  }
};

constexpr std::uint32_t kSlots = 64;
constexpr std::int64_t kLongest = 40;

// Lists in a table of the thread's own, each a number of items long that is in its head.
void work(Runtime& runtime, std::int64_t thread, const std::atomic<bool>& ends) {
  Mutator mutator(runtime);
  const Local<RefArray<Item>> table = make_array<Item>(mutator, kSlots);
  for (std::uint32_t step = 0; !ends.load(std::memory_order_relaxed); ++step) {
    const std::uint32_t slot = step * 7 % kSlots;
    const Local<Item> item = make<Item>(mutator);
    const Item* const head = (*table)[slot].get();
    item->thread = thread;
    item->length = head == nullptr || head->length == kLongest ? 1 : head->length + 1;
    item->table = table;
    if (item->length > 1) {
      item->next = (*table)[slot];
    }
    (*table)[slot] = item;
  }
}

class SnapshotThreads : public ::testing::TestWithParam<Mode> {};

TEST_P(SnapshotThreads, SeeEachListWhole) {
  Config config;
  config.mode = GetParam();
  config.nursery = 1_MiB;
  config.old_start = 2_MiB;
  config.heap_limit = 256_MiB;
  config.device = "host";
  config.watch_system_ms = 0;
  Runtime runtime = value_or_throw(Runtime::open(config));
  std::atomic<bool> ends{false};
  std::vector<std::thread> threads;
  for (std::int64_t thread = 0; thread < 3; ++thread) {
    threads.emplace_back([&, thread] { work(runtime, thread, ends); });
  }

  std::uint64_t items = 0;
  constexpr int kRounds = 12;
  constexpr int kMostRounds = 10'000;  // for threads that are slow to begin
  for (int round = 0; round < kRounds || (items == 0 && round < kMostRounds); ++round) {
    if (config.mode == Mode::kManual) {
      ASSERT_TRUE(runtime.collect(round % 2 == 0 ? Collect::kFull : Collect::kYoung).ok());
    }
    const HeapSnapshot snapshot = value_or_throw(take_snapshot(runtime));
    for (std::uint32_t number = 0; number < snapshot.objects.size(); ++number) {
      if (snapshot.type_of(number).name != "Item[]") {
        continue;
      }
      for (const SnapshotEdge& edge : snapshot.references(number)) {
        std::uint32_t length = 0;
        for (std::uint32_t at = edge.target; at != kNoObject; ++length) {
          std::uint32_t next = kNoObject;
          for (const SnapshotEdge& of_item : snapshot.references(at)) {
            if (of_item.slot == 0) {
              next = of_item.target;
            } else {
              ASSERT_EQ(of_item.target, number) << "an item of another thread's table";
            }
          }
          at = next;
        }
        ASSERT_LE(length, kLongest);
        items += length;
      }
    }
  }
  ends = true;
  for (std::thread& thread : threads) {
    thread.join();
  }

  EXPECT_GT(items, 0u);
  const Result<void> verified = verify_heap(runtime);
  EXPECT_TRUE(verified.ok()) << (verified.ok() ? "" : verified.failure().message);
}

INSTANTIATE_TEST_SUITE_P(InEveryMode, SnapshotThreads,
                         ::testing::Values(Mode::kManual, Mode::kAutomatic, Mode::kIncremental,
                                           Mode::kConcurrent, Mode::kAdaptive));

}  // namespace
}  // namespace tenure
