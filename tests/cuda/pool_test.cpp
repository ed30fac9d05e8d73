// Payload pools over the CUDA backend and the substitute: what is leased again on another stream comes
// behind its last use, in every order that a device could choose; and a recorded training.
#include "core/payload/pool.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "cuda/cuda_backend.hpp"
#include "tenure/replay.hpp"
#include "tests/cuda/substitute/substitute.hpp"

namespace tenure {
namespace {

using substitute::Held;

constexpr int kStreams = 3;

// A program that computes on leased bytes. Each use writes its own number over all of them, and looks
// at the end whether it is still there: what comes between belongs to another.
class Computing {
 public:
  Computing(const substitute::Machine& machine, std::uint64_t seed) : random_(seed) {
    substitute::reset(machine);
    backend_ = value_or_throw(CudaBackend::open({.device = 0, .capacity = 8_MiB}));
    pool_ = std::make_unique<PayloadPool>(*backend_, MemoryKind::kDevice, kUnlimited);
    for (int k = 0; k < kStreams; ++k) streams_.push_back(*backend_->make_stream());
  }
  ~Computing() {
    leases_.clear();
    pool_.reset();
    backend_.reset();
  }
  Computing(const Computing&) = delete;
  Computing& operator=(const Computing&) = delete;

  void step() {
    const StreamId stream = streams_[random_() % streams_.size()];
    const Bytes size{1 + random_() % (std::uint64_t{128} << 10)};
    Result<PayloadLease> lease = pool_->lease(size, stream);
    ASSERT_TRUE(lease.ok()) << lease.failure().message;
    auto* const bytes = reinterpret_cast<unsigned char*>(lease->data());
    const auto number = static_cast<unsigned char>(++uses_);
    launch(stream, [=] { std::memset(bytes, number, size.count()); });
    if (random_() % 2 == 0) {  // used on another stream too, behind the first
      const StreamId second = streams_[random_() % streams_.size()];
      ASSERT_TRUE(backend_->wait(second, *backend_->record(stream)).ok());
      look(second, bytes, size, number);
      lease->used_on(second);
    }
    look(stream, bytes, size, number);
    if (leases_.size() < 8) {
      leases_.push_back(std::move(*lease));
    } else {
      std::swap(leases_[random_() % leases_.size()], *lease);  // and one of them is handed back
    }
  }
  void finish() {
    EXPECT_TRUE(substitute::run_all());
    const Result<void> sound = pool_->verify();
    EXPECT_TRUE(sound.ok()) << sound.failure().message;
  }
  int overwritten() const { return overwritten_; }

 private:
  void launch(StreamId stream, std::function<void()> kernel) {
    ASSERT_EQ(substitute::enqueue(*backend_->native(stream), std::move(kernel)), cudaSuccess);
  }
  void look(StreamId stream, const unsigned char* bytes, Bytes size, unsigned char number) {
    launch(stream, [=, this] {
      overwritten_ += bytes[0] != number || bytes[size.count() - 1] != number ? 1 : 0;
    });
  }

  std::mt19937_64 random_;
  std::unique_ptr<CudaBackend> backend_;
  std::unique_ptr<PayloadPool> pool_;
  std::vector<StreamId> streams_;
  std::vector<PayloadLease> leases_;
  std::uint64_t uses_ = 0;
  int overwritten_ = 0;
};

TEST(CudaPoolTest, OverwritesNoBytesThatWorkInFlightStillUses) {
  for (const bool can_map : {true, false}) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      {
        Computing computing({.seed = seed, .can_map = can_map}, seed);
        for (int k = 0; k < 200; ++k) computing.step();
        computing.finish();

        EXPECT_EQ(computing.overwritten(), 0) << "seed " << seed;
      }
      EXPECT_EQ(substitute::held(), Held{})
          << "seed " << seed << ": " << to_string(substitute::held());
      EXPECT_TRUE(substitute::misuses().empty()) << substitute::misuses().front();
    }
  }
}

TEST(CudaPoolTest, SaysWhatIsHeldWhereTheDeviceHasNoMore) {
  substitute::reset({.device_bytes = std::size_t{8} << 20});
  const std::unique_ptr<CudaBackend> backend = value_or_throw(CudaBackend::open({}));
  PayloadPool pool(*backend, MemoryKind::kDevice, kUnlimited);
  const Result<PayloadLease> most = pool.lease(6_MiB, StreamId::kDefault);
  ASSERT_TRUE(most.ok());

  const Result<PayloadLease> refused = pool.lease(4_MiB, StreamId::kDefault);

  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.failure().code, ErrorCode::kOutOfMemory);
  EXPECT_TRUE(pool.verify().ok());
  EXPECT_TRUE(pool.lease(2_MiB, StreamId::kDefault).ok());
}

// --- traces -----------------------------------------------------------------------------------

class CudaReplayTest : public ::testing::TestWithParam<Lifetimes> {};

INSTANTIATE_TEST_SUITE_P(Lifetimes, CudaReplayTest,
                         ::testing::Values(Lifetimes::kExplicit, Lifetimes::kCollected),
                         [](const auto& row) { return std::string(to_string(row.param)); });

TEST_P(CudaReplayTest, LeasesWhatTheTraceHasLiveAndLeavesNothing) {
  for (const char* const name : {"tiny.csv", "gpt_train_cpu.csv.gz"}) {
    substitute::reset({.device_bytes = std::size_t{24} << 30});
    const Trace trace = value_or_throw(Trace::read(std::string(TENURE_TEST_DATA) + "/" + name));
    ReplayOptions options;
    options.lifetimes = GetParam();
    options.config.device = "cuda:0";

    const ReplayReport report = value_or_throw(replay(trace, options));

    EXPECT_EQ(report.device, "cuda:0");
    EXPECT_EQ(report.leaked_blocks, 0u) << name;
    EXPECT_GE(report.peak_leased, trace.peak_live()) << name;
    EXPECT_EQ(substitute::held(), Held{}) << name << ": " << to_string(substitute::held());
    EXPECT_TRUE(substitute::misuses().empty()) << substitute::misuses().front();
  }
}

}  // namespace
}  // namespace tenure
