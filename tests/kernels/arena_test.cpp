// Arenas that kernels allocate from: no two allocations overlap, a full arena refuses and counts, and
// the counters are those of the requests.
#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <random>
#include <thread>

#include "tests/kernels/arena_probe.hpp"
#include "tests/kernels/kernel_fixture.hpp"

namespace tenure::testing {

namespace {

using device::ArenaMark;
using device::ArenaReport;
using device::ArenaState;
using device::Count;
using device::kArenaAlignment;
using device::kSizeClasses;

constexpr std::uint32_t kBlocks = 6;
constexpr std::uint32_t kThreads = kBlocks * kProbeThreads;

std::vector<Count> drawn_sizes(std::uint64_t seed, Count most = 300) {
  std::mt19937_64 random(seed);
  std::vector<Count> sizes(kThreads);
  for (Count& size : sizes) {
    size = random() % 4 == 0 ? 0 : random() % most;
  }
  return sizes;
}

Count sum_of(const std::vector<Count>& sizes) {
  Count sum = 0;
  for (const Count size : sizes) {
    sum += (size + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
  }
  return sum;
}

class ArenaKernelTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (!IsSkipped()) {
      memory_.emplace(kCapacity + kBehind, kUntouched);
      state_.emplace(1);
      report_.emplace(1);
      start_anew();
    }
  }

  void start_anew() {
    memory_->write(std::vector<std::byte>(kCapacity + kBehind, kUntouched));
    ASSERT_EQ(device::reset_arena(nullptr, arena()), 0);
  }

  [[nodiscard]] device::ArenaView arena(Count capacity = kCapacity) {
    return {.memory = memory_->data(), .capacity = capacity, .state = state_->data()};
  }

  std::vector<std::uint64_t> ask(const std::vector<Count>& sizes, Ask ask = Ask::kByWarp,
                                 Count capacity = kCapacity) {
    Buffer<Count> bytes(sizes);
    Buffer<std::uint64_t> places(sizes.size());
    EXPECT_EQ(launch_probe(ask, arena(capacity), bytes.data(), places.data(), kBlocks),
              kernels::LaunchStatus::kOk);
    return places.read();
  }

  ArenaReport report(Count capacity = kCapacity) {
    EXPECT_EQ(device::publish_arena(nullptr, arena(capacity), report_->data()), 0);
    const ArenaReport written = report_->read().front();
    return device::try_read(written).value();
  }

  // Each allocation holds what its thread wrote, lies within the arena, and nothing is behind it.
  void expect_sound(const std::vector<Count>& sizes, const std::vector<std::uint64_t>& places,
                    Count capacity) {
    const std::vector<std::byte> bytes = memory_->read();
    for (std::uint32_t thread = 0; thread < kThreads; ++thread) {
      if (places[thread] == kNowhere) {
        continue;
      }
      ASSERT_NE(sizes[thread], 0u);
      ASSERT_EQ(places[thread] % kArenaAlignment, 0u);
      ASSERT_LE(places[thread] + sizes[thread], capacity);
      for (Count k = 0; k < sizes[thread]; ++k) {
        ASSERT_EQ(bytes[places[thread] + k], static_cast<std::byte>(thread))
            << "thread " << thread << " shares its memory";
      }
    }
    ASSERT_EQ(bytes[capacity], kUntouched) << "written behind the end";
  }

  static constexpr Count kCapacity = 1u << 20;
  static constexpr Count kBehind = 4096;
  static constexpr std::byte kUntouched{0xEE};

  std::optional<Buffer<std::byte>> memory_;
  std::optional<Buffer<ArenaState>> state_;
  std::optional<Buffer<ArenaReport>> report_;
};

TEST_F(ArenaKernelTest, GivesEachThreadMemoryOfItsOwn) {
  for (const Ask way : {Ask::kByWarp, Ask::kByLane}) {
    for (std::uint64_t seed = 1; seed <= share_of(5); ++seed) {
      use_order(static_cast<unsigned>(seed));
      start_anew();
      const std::vector<Count> sizes = drawn_sizes(seed);

      const std::vector<std::uint64_t> places = ask(sizes, way);

      for (std::uint32_t thread = 0; thread < kThreads; ++thread) {
        ASSERT_EQ(places[thread] == kNowhere, sizes[thread] == 0) << "seed " << seed;
      }
      expect_sound(sizes, places, kCapacity);
      EXPECT_EQ(report().used, sum_of(sizes));
    }
  }
}

TEST_F(ArenaKernelTest, RefusesWholeWarpsWhereThereIsNoRoomAndCountsThem) {
  for (std::uint64_t seed = 1; seed <= share_of(5); ++seed) {
    use_order(static_cast<unsigned>(seed));
    start_anew();
    const std::vector<Count> sizes = drawn_sizes(seed);
    const Count capacity = sum_of(sizes) / 2;

    const std::vector<std::uint64_t> places = ask(sizes, Ask::kByWarp, capacity);

    expect_sound(sizes, places, capacity);
    Count served = 0;
    Count refused = 0;
    for (std::uint32_t warp = 0; warp < kThreads / 32; ++warp) {
      Count got = 0;
      Count wanted = 0;
      for (std::uint32_t thread = warp * 32; thread < warp * 32 + 32; ++thread) {
        got += places[thread] != kNowhere ? 1 : 0;
        wanted += sizes[thread] != 0 ? 1 : 0;
      }
      ASSERT_TRUE(got == 0 || got == wanted) << "warp " << warp << ", seed " << seed;
      served += got;
      refused += wanted - got;
    }
    Count counted = 0;
    Count failures = 0;
    for (const device::ClassReport& row : report(capacity).classes) {
      counted += row.count;
      failures += row.failures;
    }
    EXPECT_EQ(counted, served);
    EXPECT_EQ(failures, refused);
    EXPECT_GT(failures, 0u);
    EXPECT_LE(report(capacity).used, capacity);
  }
}

TEST_F(ArenaKernelTest, RefusesWhatIsLargerThanItAndServesWhatIsNot) {
  std::vector<Count> sizes(kThreads);
  sizes[0] = ~Count{0};  // would wrap
  sizes[32] = kCapacity + 1;
  sizes[64] = 100;

  for (const Ask way : {Ask::kByWarp, Ask::kByLane}) {
    const std::vector<std::uint64_t> places = ask(sizes, way);

    EXPECT_EQ(places[0], kNowhere);
    EXPECT_EQ(places[32], kNowhere);
    EXPECT_NE(places[64], kNowhere);
  }
}

TEST_F(ArenaKernelTest, CountsBySizeClass) {
  for (const Ask way : {Ask::kByWarp, Ask::kByLane}) {
    use_order(3);
    start_anew();
    const std::vector<Count> sizes = drawn_sizes(9, 2000);
    std::array<device::ClassReport, kSizeClasses> expected{};
    for (const Count size : sizes) {
      if (size != 0) {
        device::ClassReport& row = expected[static_cast<std::size_t>(std::bit_width(size) - 1)];
        row.count += 1;
        row.bytes += size;
      }
    }

    ask(sizes, way, kCapacity);

    const ArenaReport found = report();
    for (std::uint32_t k = 0; k < kSizeClasses; ++k) {
      EXPECT_EQ(found.classes[k].count + found.classes[k].failures, expected[k].count);
      EXPECT_EQ(found.classes[k].bytes + found.classes[k].refused_bytes, expected[k].bytes);
      EXPECT_EQ(found.classes[k].live_bytes, found.classes[k].bytes);
    }
  }
}

TEST_F(ArenaKernelTest, GoesBackToAMarkAndRemembersItsPeaks) {
  const std::vector<Count> sizes(kThreads, 64);
  Buffer<ArenaMark> mark(1);
  ask(sizes);
  ASSERT_EQ(device::mark_arena(nullptr, arena(), mark.data()), 0);
  const std::vector<std::uint64_t> first = ask(sizes);
  ASSERT_EQ(device::rewind_arena(nullptr, arena(), mark.data()), 0);

  const ArenaReport rewound = report();
  const std::vector<std::uint64_t> second = ask(sizes);

  constexpr Count kOnce = Count{kThreads} * 64;
  EXPECT_EQ(rewound.used, kOnce);
  EXPECT_EQ(rewound.used_peak, 2 * kOnce);
  EXPECT_EQ(rewound.classes[6].live_bytes, kOnce);
  EXPECT_EQ(rewound.classes[6].live_peak_bytes, 2 * kOnce);
  EXPECT_EQ(rewound.classes[6].bytes, 2 * kOnce);
  EXPECT_EQ(*std::min_element(first.begin(), first.end()),
            *std::min_element(second.begin(), second.end()));
  EXPECT_EQ(report().used, 2 * kOnce);
}

// Each warp asks once in each of 16 classes, and is refused: so the rows of one report are alike.
TEST_F(ArenaKernelTest, IsReadWholeBesideTheKernelThatWritesIt) {
  use_order(6);
  std::vector<Count> sizes(kThreads);
  for (std::uint32_t thread = 0; thread < kThreads; ++thread) {
    sizes[thread] = thread % 32 < 16 ? Count{1} << (thread % 32) : 0;
  }
  Buffer<Count> bytes(sizes);
  Buffer<std::uint64_t> places(kThreads);
  auto* const shared = reinterpret_cast<ArenaReport*>(take_shared_memory(sizeof(ArenaReport)));
  std::atomic<bool> is_over = false;
  std::uint32_t whole = 0;
  std::uint32_t torn = 0;
  std::thread reader([&] {
    while (!is_over) {
      const std::optional<ArenaReport> seen = device::try_read(*shared);
      whole += seen ? 1 : 0;
      for (std::uint32_t k = 0; seen && k < 16; ++k) {
        torn += seen->classes[k].failures != seen->classes[0].failures ? 1 : 0;
      }
    }
  });

  for (std::uint32_t round = 0; round < 4 + share_of(40); ++round) {
    EXPECT_EQ(launch_probe(Ask::kByWarp, arena(0), bytes.data(), places.data(), 1),
              kernels::LaunchStatus::kOk);
    for (std::uint32_t again = 0; again < 8; ++again) {
      EXPECT_EQ(device::publish_arena(nullptr, arena(0), shared), 0);
    }
  }
  static_cast<void>(places.read());  // waits
  is_over = true;
  reader.join();
  const std::optional<ArenaReport> last = device::try_read(*shared);
  give_shared_memory(reinterpret_cast<std::byte*>(shared));

  EXPECT_EQ(torn, 0u);
  EXPECT_GT(whole, 0u);
  ASSERT_TRUE(last.has_value());
  EXPECT_EQ(last->classes[15].failures, (4 + share_of(40)) * kProbeThreads / 32);
}

TEST_F(ArenaKernelTest, GivesNoReportWhileOneIsBeingWritten) {
  ArenaReport written = report();
  written.version += 1;

  EXPECT_FALSE(device::try_read(written).has_value());
}

}  // namespace

}  // namespace tenure::testing
