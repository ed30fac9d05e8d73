// Memory as the system counts it: what a heap takes beside its objects, and that what compaction
// frees is really gone.
#include <gtest/gtest.h>
#include <malloc.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <vector>

#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {
namespace {

// Without what malloc keeps of what it was given back: a marking's tables end with it.
Bytes resident() {
  malloc_trim(0);
  std::ifstream statm("/proc/self/statm");
  std::uint64_t pages = 0;
  statm >> pages >> pages;  // the second figure
  return Bytes{pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE))};
}

Config large_config() {
  Config config = small_config();
  config.heap_limit = 1_GiB;
  config.old_start = 512_MiB;
  config.verify = false;
  return config;
}

constexpr std::uint32_t kChains = 40'000;
constexpr std::int64_t kNodesPerChain = 300;
constexpr Bytes kNodeBytes{24};

// Chains of nodes, all in one array.
class Resident : public RuntimeTest {
 protected:
  Resident() : RuntimeTest(large_config()), chains(*mutator) {
    before = resident();
    chains = make_array<Node>(*mutator, kChains);
    // One node of each chain at a time, so that a chain's nodes lie far apart.
    for (std::int64_t k = 0; k < kNodesPerChain; ++k) {
      for (std::uint32_t chain = 0; chain < kChains; ++chain) {
        const Local<Node> node = make_node(k);
        node->left = (*chains)[chain];
        (*chains)[chain] = node;
      }
    }
    collect_full();
    runtime.trim();  // what the copying had taken
  }
  // Why at random: holes as a program leaves them, not every tenth cell.
  void drop_nine_of_ten() {
    std::uint64_t random = 88'172'645'463'325'252;
    for (Ref<Node>& chain : *chains) {
      Ref<Node>* last = &chain;
      for (Node* node = chain.get(); node != nullptr; node = node->left.get()) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        if (random % 10 == 0) {
          *last = node;
          last = &node->left;
        }
      }
      *last = nullptr;
    }
  }
  [[nodiscard]] Bytes live() {
    std::uint64_t nodes = 0;
    for (const Ref<Node>& chain : *chains) {
      for (const Node* node = chain.get(); node != nullptr; node = node->left.get()) {
        ++nodes;
      }
    }
    return nodes * kNodeBytes + kChains * Bytes{sizeof(Ref<Node>)};
  }

  Local<RefArray<Node>> chains;
  Bytes before;
};

TEST_F(Resident, MetadataTakeAtMostThreePercentOfTheHeap) {
  const Bytes grown = resident() - before - 1_MiB;  // the nursery is full of what was copied

  const double share = static_cast<double>(grown.count()) / static_cast<double>(live().count()) - 1;
  RecordProperty("metadata_percent", std::to_string(100 * share));
  EXPECT_LT(share, 0.03) << to_string(grown) << " for " << to_string(live()) << " of objects";
  EXPECT_GT(share, 0.005) << "it cannot be that little: something was not measured";
}

TEST_F(Resident, AHeapOfNinetyPercentHolesIsPackedToWithinTenPercentOfWhatLives) {
  const Bytes full = resident();
  const Bytes committed_full = runtime.statistics().heap_committed;
  drop_nine_of_ten();

  ASSERT_TRUE(runtime.compact().ok());

  const Statistics after = runtime.statistics();
  const Bytes freed = committed_full - after.heap_committed;
  const Bytes heap = after.heap_committed - 1_MiB;  // the nursery
  RecordProperty("committed", to_string(heap));
  EXPECT_LT(static_cast<double>(heap.count()), 1.1 * static_cast<double>(live().count()))
      << to_string(heap) << " of regions for " << to_string(live());
  EXPECT_LT(after.fragmentation, 0.1);
  EXPECT_GT(static_cast<double>((full - resident()).count()),
            0.8 * static_cast<double>(freed.count()))
      << to_string(full) << " before, " << to_string(resident()) << " after";
}

TEST_F(Resident, TrimGivesBackWhatAnAutomaticCompactionFreed) {
  drop_nine_of_ten();
  const CollectionReport report = collect_full();
  ASSERT_GT(report.objects_compacted, 0u);
  const Bytes full = resident();

  const Bytes given_back = runtime.trim();

  EXPECT_GT(given_back, 150_MiB);
  EXPECT_GT(static_cast<double>((full - resident()).count()),
            0.8 * static_cast<double>(given_back.count()));
}

}  // namespace
}  // namespace tenure::testing
