// Contraction of chains: deep heaps are marked in a few rounds and levels, and exactly as without.
#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

#include "core/model/serial_marker.hpp"
#include "tests/kernels/device_marking.hpp"
#include "tests/kernels/kernel_fixture.hpp"
#include "tests/support/plain_graph.hpp"

namespace tenure::testing {

namespace {

constexpr std::uint32_t kAmple = 1u << 15;  // entries: the table has room for eight regions

// Levels are what contraction saves: nothing is followed within one.
constexpr kernels::MarkTuning kNever{.chase_narrow = 0, .chase_wide = 0, .contract_after = 0};
constexpr kernels::MarkTuning kSoon{
    .chase_narrow = 0, .chase_wide = 0, .contract_after = 2, .contract_least = 0};

std::uint32_t log2_above(std::uint32_t value) {
  std::uint32_t bits = 0;
  while ((1u << bits) < value) {
    ++bits;
  }
  return bits;
}

/// A graph whose objects lie in an order drawn from a seed: `node(0)`, `node(1)`, ...
class Shuffled {
 public:
  Shuffled(std::uint32_t count, std::uint32_t references, unsigned seed = 7)
      : random_(seed), graph_(count, references), order_(count) {
    std::iota(order_.begin(), order_.end(), 0u);
    std::shuffle(order_.begin(), order_.end(), random_);
  }
  [[nodiscard]] ObjectIndex node(std::uint32_t k) const { return graph_.object(order_[k]); }
  void link(std::uint32_t from, std::uint32_t slot, std::uint32_t to) {
    graph_.set_slot(node(from), slot, node(to));
  }
  /// Has words of a former object, or of none, in the node's place.
  void scribble(std::uint32_t k) {
    const std::uint32_t type = draw(2) == 0 ? draw(6) : draw(1u << 31);  // the graph has five
    graph_.set_header(node(k), type, draw(1u << 31));
    graph_.set_slot(node(k), 0,
                    draw(2) == 0 ? node(k / 2) : static_cast<ObjectIndex>(draw(1u << 31)));
    graph_.set_slot(node(k), 1, static_cast<ObjectIndex>(draw(1u << 31)));
  }
  std::uint32_t draw(std::uint32_t below) {
    return std::uniform_int_distribution<std::uint32_t>(0, below - 1)(random_);
  }

  /// Marks from the nodes and expects what the serial marker marks, and as often counted.
  kernels::MarkCounters mark(const std::vector<std::uint32_t>& roots,
                             const kernels::MarkTuning& tuning, std::uint32_t queue_entries = 0) {
    std::vector<ObjectIndex> objects;
    for (const std::uint32_t root : roots) {
      objects.push_back(node(root));
    }
    DeviceMarking marking(graph_.arrays(), queue_entries != 0 ? queue_entries : entries());
    marking.launch().tuning = tuning;
    marking.mark(objects);
    SerialMarker serial;
    serial.begin(graph_.job(objects));
    const MarkStats stats = serial.complete();
    const std::span<const std::uint32_t> expected = graph_.arrays().marks;
    EXPECT_EQ(marking.marks(), std::vector(expected.begin(), expected.end()));
    EXPECT_EQ(marking.counters().objects, stats.objects);
    EXPECT_EQ(marking.counters().references, stats.references);
    graph_.clear_marks();
    return marking.counters();
  }

 private:
  // As the mirror of a heap has it.
  [[nodiscard]] std::uint32_t entries() const {
    return kernels::MarkWorkspace::entries_for(graph_.arrays().words.size_bytes());
  }

  std::mt19937 random_;
  PlainGraph graph_;
  std::vector<std::uint32_t> order_;
};

class ContractTest : public KernelTest {
 protected:
  // A sanitizer has a part of it.
  [[nodiscard]] static std::uint32_t size_of(std::uint32_t nodes) {
    return std::max(nodes * share_of(100) / 100, 2000u);
  }
};

TEST_F(ContractTest, MarksLongListsInFewRoundsAndLevels) {
  constexpr std::uint32_t kLists = 8;
  const std::uint32_t nodes = size_of(200'000);
  const std::uint32_t length = nodes / kLists;
  Shuffled lists(nodes, 2);
  std::vector<std::uint32_t> roots;
  for (std::uint32_t k = 0; k < kLists; ++k) {
    roots.push_back(k * length);
  }
  for (std::uint32_t k = 0; k + 1 < nodes; ++k) {
    if ((k + 1) % length != 0) {
      lists.link(k, 0, k + 1);
    }
  }
  for (std::uint32_t k = 0; k < nodes / 100; ++k) {  // and some references across
    lists.link(lists.draw(nodes), 1, lists.draw(nodes));
  }

  const kernels::MarkCounters plain = lists.mark(roots, kNever);
  const kernels::MarkCounters contracted = lists.mark(roots, kSoon);

  EXPECT_EQ(plain.contractions, 0u);
  EXPECT_GT(plain.levels, nodes / 1000);
  EXPECT_EQ(contracted.contractions, 1u);
  EXPECT_LE(contracted.contracted_rounds, log2_above(nodes) + 1);
  EXPECT_LE(contracted.levels, 20u);
  RecordProperty("plain_levels", static_cast<int>(plain.levels));
  RecordProperty("rounds", static_cast<int>(contracted.contracted_rounds));
  RecordProperty("levels", static_cast<int>(contracted.levels));
}

TEST_F(ContractTest, ContractsWhereLevelsStayNarrowByItself) {
  if (share_of(100) < 100) {
    GTEST_SKIP() << "too many objects for a sanitizer";
  }
  constexpr std::uint32_t kNodes = 120'000;
  Shuffled list(kNodes, 1);
  for (std::uint32_t k = 0; k + 1 < kNodes; ++k) {
    list.link(k, 0, k + 1);
  }

  const kernels::MarkCounters counters = list.mark({0}, {});

  EXPECT_EQ(counters.contractions, 1u);
  EXPECT_LE(counters.levels, kernels::MarkTuning{}.contract_after + 3);
}

TEST_F(ContractTest, LeavesNarrowLevelsAloneWhereLittleIsUnmarked) {
  constexpr std::uint32_t kNodes = 600;
  Shuffled list(kNodes, 1);
  for (std::uint32_t k = 0; k + 1 < kNodes; ++k) {
    list.link(k, 0, k + 1);
  }
  kernels::MarkTuning tuning = kSoon;
  tuning.contract_least = 1u << 20;

  EXPECT_EQ(list.mark({0}, tuning).contractions, 0u);
}

TEST_F(ContractTest, LeavesHeapsAloneThatTheTableHasNoRoomFor) {
  constexpr std::uint32_t kNodes = 600;
  Shuffled list(kNodes, 1);
  for (std::uint32_t k = 0; k + 1 < kNodes; ++k) {
    list.link(k, 0, k + 1);
  }

  EXPECT_EQ(list.mark({0}, kSoon, 4096).contractions, 0u);
  EXPECT_GT(list.mark({0}, kSoon, kAmple).contractions, 0u);
}

// Each node is referred to by two others: nothing hangs on anything, and contraction is in vain.
TEST_F(ContractTest, MarksDoublyLinkedLists) {
  const std::uint32_t nodes = size_of(60'000);
  Shuffled list(nodes, 2);
  for (std::uint32_t k = 0; k + 1 < nodes; ++k) {
    list.link(k, 0, k + 1);
    list.link(k + 1, 1, k);
  }
  kernels::MarkTuning tuning = kSoon;
  tuning.chase_narrow = 64;

  const kernels::MarkCounters counters = list.mark({0}, tuning);

  // Each contraction waits for twice as many levels as the one before.
  EXPECT_GT(counters.contractions, 1u);
  EXPECT_LE(counters.contractions, log2_above(nodes / 64));
  EXPECT_LE(counters.levels, nodes / 64 + 2 * counters.contractions + 2);
}

TEST_F(ContractTest, EndsWhereRingsOfGarbageNeverDo) {
  const std::uint32_t nodes = size_of(60'000);
  const std::uint32_t live = nodes / 3;
  Shuffled graph(nodes, 2);
  for (std::uint32_t k = 0; k + 1 < live; ++k) {
    graph.link(k, 0, k + 1);
  }
  constexpr std::uint32_t kRing = 701;  // no power of two
  for (std::uint32_t k = live; k + kRing <= nodes; k += kRing) {
    for (std::uint32_t j = 0; j < kRing; ++j) {
      graph.link(k + j, 0, k + (j + 1) % kRing);
    }
  }

  const kernels::MarkCounters counters = graph.mark({0}, kSoon);

  EXPECT_EQ(counters.objects, live);
  EXPECT_EQ(counters.contractions, 1u);
  EXPECT_LE(counters.contracted_rounds, log2_above(nodes) + 1);
  EXPECT_LE(counters.levels, 6u);
}

constexpr std::uint32_t kQueue = 20'000;

// A queue whose every node has a payload, and a ring of garbage that points into it now and then.
TEST_F(ContractTest, MarksQueuesThatGarbagePointsInto) {
  const std::uint32_t nodes = size_of(kQueue);
  const std::uint32_t live = nodes * 7 / 10;
  Shuffled queue(nodes, 2);
  for (std::uint32_t k = 0; k + 2 < live; k += 2) {
    queue.link(k, 0, k + 1);
    queue.link(k, 1, k + 2);
  }
  for (std::uint32_t k = live; k < nodes; ++k) {
    queue.link(k, 0, k + 1 < nodes ? k + 1 : live);
    if ((k - live) % 50 == 0) {
      queue.link(k, 1, queue.draw(live));
    }
  }

  const kernels::MarkCounters counters = queue.mark({0}, kSoon);

  EXPECT_GE(counters.contractions, 1u);
  EXPECT_LE(counters.levels, live / 100);  // without: a level for each second node
  RecordProperty("rounds", static_cast<int>(counters.contracted_rounds));
  RecordProperty("levels", static_cast<int>(counters.levels));
}

TEST_F(ContractTest, GoesBackToLevelsWhereWhatIsLeftIsWide) {
  const std::uint32_t nodes = size_of(20'000);
  Shuffled graph(nodes, 3);
  const std::uint32_t chain = nodes / 10;
  for (std::uint32_t k = 0; k + 1 < chain; ++k) {
    graph.link(k, 0, k + 1);
  }
  for (std::uint32_t k = chain - 1; k < nodes; ++k) {  // a graph behind the chain
    for (std::uint32_t slot = 1; slot < 3; ++slot) {
      graph.link(k, slot, chain + graph.draw(nodes - chain));
    }
  }
  kernels::MarkTuning tuning = kSoon;
  tuning.contract_share = 1;  // a level would have to read as many objects as there are slots

  for (const std::uint32_t entries : {kAmple, kAmple + 100}) {
    const kernels::MarkCounters counters = graph.mark({0, 3}, tuning, entries);
    EXPECT_EQ(counters.contracted_levels, counters.contractions);
    EXPECT_GT(counters.levels, counters.contracted_levels + 4);
  }
}

// Cells without an object hold what was there before: other types, sizes and references.
TEST_F(ContractTest, IsNotLedAstrayByWhatFreeCellsHold) {
  const std::uint32_t nodes = size_of(4000);
  for (unsigned seed = 1; seed <= share_of(4); ++seed) {
    Shuffled graph(nodes, 2, seed);
    const std::uint32_t live = nodes / 2;
    for (std::uint32_t k = 0; k + 1 < live; ++k) {
      graph.link(k, 0, k + 1);
    }
    for (std::uint32_t k = live; k < nodes; ++k) {
      graph.scribble(k);
    }

    const kernels::MarkCounters counters = graph.mark({0}, kSoon);

    EXPECT_EQ(counters.objects, live) << "seed " << seed;
    EXPECT_GT(counters.contractions, 0u) << "seed " << seed;
  }
}

TEST_F(ContractTest, MarksTheSameOnHeapsOfAllShapes) {
  for (std::uint64_t seed = 1; seed <= share_of(200); ++seed) {
    use_order(static_cast<unsigned>(seed % 4));
    RandomHeap heap(kShapes[seed % kShapes.size()], seed);
    DeviceMarking marking(heap.arrays(), kAmple, seed % 3 == 0 ? 1 : 1u << 20);
    marking.launch().tuning = kSoon;
    marking.launch().tuning.contract_after = 1 + seed % 2;
    marking.launch().tuning.contract_share = seed % 5 == 0 ? 1 : 1u << 20;

    marking.mark(heap.job().roots);

    ASSERT_EQ(marking.marks(), heap.expected_marks()) << "seed " << seed;
    SerialMarker serial;
    serial.begin(heap.job());
    const MarkStats stats = serial.complete();
    ASSERT_EQ(marking.counters().objects, stats.objects) << "seed " << seed;
    ASSERT_EQ(marking.counters().references, stats.references) << "seed " << seed;
  }
}

// What found no room in a queue is marked and not read, while a chain is contracted.
TEST_F(ContractTest, ContractsWhileRegionsWaitToBeReadAgain) {
  constexpr std::uint32_t kEntries = 5 * (1u << 12);  // a table for five regions
  constexpr std::uint32_t kChildren = kEntries + 9000;
  constexpr std::uint32_t kChain = 4000;
  PlainGraph graph(kChildren + 2 * kChain, 1, kChildren);
  for (std::uint32_t k = 0; k < kChildren; ++k) {
    graph.set_slot(graph.array(), k, graph.object(k));
  }
  const auto chain = [&](std::uint32_t from, std::uint32_t first) {
    graph.set_slot(graph.object(from), 0, graph.object(first));
    for (std::uint32_t k = first; k + 1 < first + kChain; ++k) {
      graph.set_slot(graph.object(k), 0, graph.object(k + 1));
    }
  };
  chain(0, kChildren);
  chain(kChildren - 1, kChildren + kChain);
  DeviceMarking marking(graph.arrays(), kEntries);
  marking.launch().tuning = kSoon;
  const ObjectIndex root = graph.array();

  marking.mark({&root, 1});

  EXPECT_EQ(marking.counters().objects, kChildren + 2 * kChain + 1);
  EXPECT_GT(marking.counters().contractions, 0u);
  EXPECT_GT(marking.counters().overflow_regions, 0u);
  EXPECT_LE(marking.counters().levels, 40u);
}

// Unmarked arrays that a block reads, and one for the whole grid, point into a chain.
TEST_F(ContractTest, CountsWhatBigArraysReferTo) {
  constexpr std::uint32_t kNodes = 3000;
  constexpr std::uint32_t kSlots = kernels::kBigObject * 33;  // for the whole grid
  for (const bool is_live : {false, true}) {
    use_order(is_live ? 3 : 2);
    PlainGraph graph(kNodes, 2, kSlots);
    for (std::uint32_t k = 0; k + 1 < kNodes; ++k) {
      graph.set_slot(graph.object(k), 0, graph.object(k + 1));
    }
    for (std::uint32_t k = 1; k < kNodes; k += 500) {
      graph.set_slot(graph.array(), k * 17, graph.object(k));
    }
    if (is_live) {
      graph.set_slot(graph.object(kNodes / 2), 1, graph.array());
    }
    DeviceMarking marking(graph.arrays(), kAmple);
    marking.launch().tuning = kSoon;
    const ObjectIndex root = graph.object(0);

    marking.mark({&root, 1});

    EXPECT_EQ(marking.counters().objects, kNodes + (is_live ? 1 : 0));
    EXPECT_EQ(marking.counters().contractions, 1u);
    EXPECT_GT(marking.counters().big_objects, is_live ? 1u : 0u);
    EXPECT_LE(marking.counters().levels, 12u);
  }
}

}  // namespace

}  // namespace tenure::testing
