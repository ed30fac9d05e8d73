#include "core/gc/trigger.hpp"

#include <gtest/gtest.h>

namespace tenure {
namespace {

using Used = std::array<Bytes, kMaxGenerations>;

TriggerOptions options() {
  return {.generations = 4,
          .collection_ratio = {1, 10, 50, 250},
          .nursery = 1_MiB,
          .old_start = 16_MiB};
}

CollectionReport young() { return {}; }
CollectionReport full() {
  CollectionReport report;
  report.full = true;
  return report;
}

// Collections whose turns come in three generations, where the oldest holds `live` after each full
// one and `used` before each.
class Turns {
 public:
  explicit Turns(const PerGeneration& ratio)
      : trigger(
            {.generations = 3, .collection_ratio = ratio, .nursery = 1_MiB, .old_start = 16_MiB}) {}

  [[nodiscard]] Verdict judge() const { return trigger.judge(Used{1_MiB, 0_B, used}); }
  void learn(const Verdict& verdict) {
    trigger.learn(verdict, verdict.last == 2 ? full() : young(), live);
  }
  /// How often it came out that generation 0, 1, 2 is the last that is collected.
  std::array<int, 3> run(int collections) {
    std::array<int, 3> seen{};
    for (int k = 0; k < collections; ++k) {
      const Verdict verdict = judge();
      ++seen[verdict.last];
      learn(verdict);
    }
    return seen;
  }

  Trigger trigger;
  Bytes live = 4_MiB;
  Bytes used = 8_MiB;
};

using Seen = std::array<int, 3>;

TEST(Trigger, TakesTheNurseryAloneAsARule) {
  const Trigger trigger(options());

  const Verdict verdict = trigger.judge(Used{1_MiB});

  EXPECT_EQ(verdict.last, 0u);
  EXPECT_EQ(verdict.trigger, CollectionTrigger::kAllocationPressure);
}

TEST(Trigger, TakesAMiddleGenerationThatHasFilledUp) {
  const Trigger trigger(options());

  const Verdict verdict = trigger.judge(Used{1_MiB, 0_B, 1_MiB, 0_B});

  EXPECT_EQ(verdict.last, 2u);
  EXPECT_EQ(verdict.trigger, CollectionTrigger::kPromotionThreshold);
}

TEST(Trigger, TakesEachGenerationInTheRatioThatWasAskedFor) {
  EXPECT_EQ(Turns({1, 10, 50}).run(500), (Seen{450, 40, 10}));
  EXPECT_EQ(Turns({1, 5, 25}).run(500), (Seen{400, 80, 20}));
  EXPECT_EQ(Turns({1, 3, 7}).run(21), (Seen{12, 6, 3}));
  EXPECT_EQ(Turns(10).run(100), (Seen{90, 0, 10})) << "one for both older ones";
}

TEST(Trigger, TakesNoGenerationByTurnWhoseRatioIsZero) {
  EXPECT_EQ(Turns(0).run(1000), (Seen{1000, 0, 0}));
  EXPECT_EQ(Turns({1, 0, 100}).run(1000), (Seen{990, 0, 10}));
  EXPECT_EQ(Turns({1, 100, 0}).run(1000), (Seen{990, 10, 0}));
}

TEST(Trigger, CallsATurnPeriodic) {
  Turns turns({1, 2, 4});
  turns.run(1);

  EXPECT_EQ(turns.judge().trigger, CollectionTrigger::kPeriodic);
  turns.run(2);
  EXPECT_EQ(turns.judge().last, 2u);
  EXPECT_EQ(turns.judge().trigger, CollectionTrigger::kPeriodic);
}

TEST(Trigger, LeavesATurnThatWasPassedOverToTheNextCollection) {
  Turns turns({1, 10, 50});
  turns.run(9);

  turns.learn({0, CollectionTrigger::kDevicePressure});  // the tenth, asked for by somebody else

  EXPECT_EQ(turns.run(1), (Seen{0, 1, 0}));
  EXPECT_EQ(turns.run(8), (Seen{8, 0, 0}));
  EXPECT_EQ(turns.run(1), (Seen{0, 1, 0})) << "the twentieth comes at its time";
}

TEST(Trigger, HasTheOldestGenerationsTurnWaitUntilItGrewByAQuarter) {
  Turns turns({1, 0, 50});
  turns.used = 4_MiB;
  EXPECT_EQ(turns.run(50), (Seen{49, 0, 1})) << "nothing was known to live there";

  turns.used = 5_MiB - 1_B;
  EXPECT_EQ(turns.run(70), (Seen{70, 0, 0}));
  turns.used = 5_MiB;
  EXPECT_EQ(turns.run(1), (Seen{0, 0, 1})) << "the hundredth's turn, come late";
  EXPECT_EQ(turns.run(28), (Seen{28, 0, 0}));
  EXPECT_EQ(turns.run(1), (Seen{0, 0, 1})) << "the 150th's, in time";
}

TEST(Trigger, CollectsNothingByTurnThatHoldsNothing) {
  Turns turns({1, 0, 50});
  turns.live = turns.used = 0_B;

  EXPECT_EQ(turns.run(500), (Seen{500, 0, 0}));
}

TEST(Trigger, HasACycleServeTheOldestGenerationsTurn) {
  Turns turns({1, 0, 50});
  turns.run(49);
  ASSERT_EQ(turns.judge().last, 2u);

  turns.trigger.take_turn();
  EXPECT_EQ(turns.judge().last, 0u);
  turns.learn({0, CollectionTrigger::kAllocationPressure});  // the fiftieth
  turns.trigger.take_turn();  // a cycle is under way, and no turn due

  EXPECT_EQ(turns.run(49), (Seen{49, 0, 0}));
  EXPECT_EQ(turns.run(1), (Seen{0, 0, 1})) << "the hundredth";
}

TEST(Trigger, HasNoTurnsWithOneGeneration) {
  Trigger trigger({.generations = 1, .collection_ratio = 1, .nursery = 1_MiB, .old_start = 16_MiB});

  trigger.take_turn();

  EXPECT_EQ(trigger.judge(Used{1_MiB}).trigger, CollectionTrigger::kAllocationPressure);
}

TEST(Trigger, TakesEverythingOnceTheOldestPassesItsLimit) {
  const Trigger trigger(options());

  EXPECT_EQ(trigger.judge(Used{0_B, 0_B, 0_B, 16_MiB - 1_B}).last, 0u);
  EXPECT_EQ(trigger.judge(Used{0_B, 0_B, 0_B, 16_MiB}).last, 3u);
  EXPECT_EQ(trigger.judge(Used{0_B, 0_B, 0_B, 16_MiB}).trigger,
            CollectionTrigger::kPromotionThreshold);
}

TEST(Trigger, LetsTheOldestDoubleAfterAFullCollection) {
  Trigger trigger(options());

  trigger.learn({3, CollectionTrigger::kExplicitRequest}, full(), 20_MiB);

  EXPECT_EQ(trigger.old_limit(), 40_MiB);
}

TEST(Trigger, LeavesHalfOfWhatTheHeapMayStillTakeToACycle) {
  TriggerOptions small = options();
  small.heap_limit = 64_MiB;
  Trigger trigger(small);

  trigger.learn({3, CollectionTrigger::kExplicitRequest}, full(), 40_MiB);
  EXPECT_EQ(trigger.old_limit(), 52_MiB);

  trigger.learn({3, CollectionTrigger::kExplicitRequest}, full(),
                63_MiB);  // a 64th of the limit is left
  EXPECT_EQ(trigger.old_limit(), 64_MiB);
  trigger.learn({3, CollectionTrigger::kExplicitRequest}, full(), 70_MiB);  // held by other means
  EXPECT_EQ(trigger.old_limit(), 71_MiB);
}

TEST(Trigger, MeasuresByWhatWasSettledOnceThatIsKnown) {
  Turns turns({1, 0, 50});
  turns.trigger.learn({2, CollectionTrigger::kPeriodic}, full(), 32_MiB);
  turns.trigger.learn_settled(12_MiB);

  EXPECT_EQ(turns.trigger.old_limit(), 24_MiB);
  turns.used = 15_MiB - 1_B;
  EXPECT_EQ(turns.run(49), (Seen{49, 0, 0}));
  turns.used = 15_MiB;
  EXPECT_EQ(turns.run(1), (Seen{0, 0, 1}));
}

TEST(Trigger, NeverFallsBelowTheFirstLimit) {
  Trigger trigger(options());

  trigger.learn({3, CollectionTrigger::kExplicitRequest}, full(), 1_MiB);

  EXPECT_EQ(trigger.old_limit(), 16_MiB);
}

}  // namespace
}  // namespace tenure
