// What a runtime adapts is told, with its figures; a steady load leaves it alone.
#include "tenure/decisions.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/observe/decision_log.hpp"
#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {
namespace {

Config adapting(Mode mode = Mode::kAdaptive) {
  Config config = small_config();
  config.mode = mode;
  config.nursery = 8_MiB;
  config.heap_limit = 512_MiB;
  config.max_pause_us = 1'000;
  config.gc_workers = 1;
  config.verify = false;
  return config;
}

class Decisions : public RuntimeTest {
 protected:
  explicit Decisions(Mode mode = Mode::kAdaptive) : RuntimeTest(adapting(mode)) {}

  std::uint64_t collections() const { return runtime.statistics().collections; }

  /// Allocates until so many more collections were done. Of each hundred nodes `kept` live for some
  /// collections, in a ring of lists.
  void load(std::uint64_t more, int kept) {
    std::vector<Handle<Node>> ring(1000);
    std::size_t at = 0;
    for (const std::uint64_t until = collections() + more; collections() < until;) {
      Local<Node> list(*mutator);
      for (int k = 0; k < 5000; ++k) {
        const Local<Node> node = make<Node>(*mutator);
        if (k % 100 < kept) {
          node->left = list;
          list = node;
        }
      }
      ring[at++ % ring.size()] = Handle<Node>(list);
    }
  }

  void expect_soundness(const std::vector<Decision>& all) {
    std::map<std::pair<Adapted, std::uint32_t>, double> last;
    std::uint64_t time = 0;
    for (const Decision& one : all) {
      EXPECT_GE(one.time_ns, time);
      time = one.time_ns;
      EXPECT_NE(one.before, one.after);
      const auto key = std::pair(one.parameter, one.generation);
      if (last.contains(key)) {
        EXPECT_EQ(one.before, last[key]) << to_string(one.parameter);
      }
      last[key] = one.after;
      EXPECT_TRUE(std::ranges::any_of(one.reason, [](char c) { return c >= '0' && c <= '9'; }))
          << one.reason;
      switch (one.parameter) {
        case Adapted::kNursery:
          EXPECT_GE(one.after, static_cast<double>((128_KiB).count()));
          EXPECT_LE(one.after, static_cast<double>((8_MiB).count()));
          break;
        case Adapted::kPromotionAge:
          EXPECT_GE(one.after, 1);
          EXPECT_LE(one.after, 3);
          break;
        case Adapted::kOldLimit:
          EXPECT_GE(one.after, static_cast<double>((4_MiB).count()));
          break;
        case Adapted::kMarking:
          EXPECT_LE(one.after, 2);
          break;
        case Adapted::kNurseryLimit:
        case Adapted::kLargeObject:
        case Adapted::kBatchCollection:
        case Adapted::kCopiesAhead:
          ADD_FAILURE() << "nobody asked the optimizer";
          break;
      }
    }
  }
};

TEST_F(Decisions, AreTakenWhereTheLoadChanges) {
  load(20, 0);
  const std::uint64_t before = collections();
  load(20, 90);
  std::set<Adapted> moved;
  const std::vector<Decision> all = decisions(runtime);
  for (const Decision& one : all) {
    if (one.collection > before) moved.insert(one.parameter);
  }
  EXPECT_GE(moved.size(), 2u) << "of " << all.size() << " decisions";
  expect_soundness(all);
  EXPECT_EQ(value_or_throw(runtime.collect()).full, true);  // it goes on as before
}

TEST_F(Decisions, SayWhatTheyWereMadeOf) {
  load(20, 0);
  load(20, 90);
  const std::vector<Decision> all = decisions(runtime);
  const auto nursery = std::ranges::find(all, Adapted::kNursery, &Decision::parameter);
  ASSERT_NE(nursery, all.end());
  EXPECT_LT(nursery->after, nursery->before);
  EXPECT_NE(nursery->reason.find(" survived, and the stop took "), std::string::npos);
  EXPECT_NE(nursery->reason.find("1.000 ms"), std::string::npos) << nursery->reason;
}

TEST_F(Decisions, GiveTheOldestGenerationRoomByWhatLivesThere) {
  const Local<Node> list = make_list(400'000);  // of 9 MiB; the first limit is 4
  collect_full();
  const std::vector<Decision> all = decisions(runtime);
  const auto limit = std::ranges::find(all, Adapted::kOldLimit, &Decision::parameter);
  ASSERT_NE(limit, all.end());
  EXPECT_GT(limit->after, limit->before);
  const auto last =
      std::ranges::find(all.rbegin(), all.rend(), Adapted::kOldLimit, &Decision::parameter);
  const auto now = static_cast<double>(runtime.statistics().old_limit.count());
  EXPECT_NEAR(last->after / now, 1, 0.12) << "a tenth is worth telling";
  EXPECT_NE(limit->reason.find(" live, marking took "), std::string::npos) << limit->reason;
}

TEST_F(Decisions, EndWhereTheLoadIsSteady) {
  load(60, 0);
  const std::uint64_t settled = collections();
  load(60, 0);
  for (const Decision& one : decisions(runtime)) {
    EXPECT_LE(one.collection, settled) << to_string(one.parameter) << ": " << one.before << " to "
                                       << one.after << ", " << one.reason;
  }
}

TEST_F(Decisions, AreThereStillOnceTheRuntimeIsClosed) {
  load(20, 90);
  const std::size_t before = decisions(runtime).size();
  ASSERT_GT(before, 0u);
  mutator.reset();
  runtime.close();
  EXPECT_GE(decisions(runtime).size(), before);
}

class ByHand : public Decisions {
 protected:
  ByHand() : Decisions(Mode::kManual) {}
};

TEST_F(ByHand, NoneIsTaken) {
  const Local<Node> kept = make_list(400'000);
  for (int k = 0; k < 20; ++k) {
    const Local<Node> list = make_list(5000);
    collect_young();
  }
  collect_full();
  EXPECT_GT(runtime.statistics().old_limit, 4_MiB);
  EXPECT_TRUE(decisions(runtime).empty());
}

TEST(DecisionLog, TellsOfSizesFromATenthOn) {
  DecisionLog log;
  const Decision nursery{.parameter = Adapted::kNursery, .reason = {}};
  for (const double size : {100.0, 105.0, 95.0, 111.0, 103.0, 99.0}) {
    log.note(nursery, size, [] { return std::string("of 1"); });
  }
  const std::vector<Decision> all = log.entries();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].before, 100);
  EXPECT_EQ(all[0].after, 111);
  EXPECT_EQ(all[1].before, 111);
  EXPECT_EQ(all[1].after, 99);
}

TEST(DecisionLog, KeepsTheLastAndAsksNoReasonForWhatDidNotChange) {
  DecisionLog log;
  int asked = 0;
  for (int k = 0; k < 1000; ++k) {
    log.note({.parameter = Adapted::kPromotionAge, .generation = 1, .reason = {}}, k / 2, [&] {
      ++asked;
      return std::to_string(k);
    });
  }
  EXPECT_EQ(asked, 499);
  const std::vector<Decision> all = log.entries();
  EXPECT_EQ(all.size(), DecisionLog::kMost);
  EXPECT_EQ(all.back().after, 499);
  EXPECT_EQ(all.back().generation, 1u);
}

}  // namespace
}  // namespace tenure::testing
