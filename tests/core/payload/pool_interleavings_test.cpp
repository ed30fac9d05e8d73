// Random interleavings of allocate, free, use, record, wait and completion on a pool of a checked
// runtime, against an oracle that counts what nobody could do without.
//
// Blocks of one size come first: then every free block serves every request, on any stream behind a
// wait, and what is mapped at the most can be told to the block. With many sizes, in one order, a plain
// best fit is the measure. TENURE_TEST_STEPS sets the steps.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/core/payload/pool_fixture.hpp"
#include "tests/support/best_fit_oracle.hpp"
#include "tests/support/checked_fixture.hpp"

namespace tenure {
namespace {

using testing::is_sound;

std::uint64_t steps() {
  const char* const asked = std::getenv("TENURE_TEST_STEPS");
  return asked == nullptr ? 100'000 : std::strtoull(asked, nullptr, 10);
}

// What must be there at the least: the bytes of what is leased, at their most.
class Oracle {
 public:
  void take(std::uint64_t bytes) {
    live_ += bytes;
    peak_ = std::max(peak_, live_);
  }
  void give(std::uint64_t bytes) { live_ -= bytes; }
  [[nodiscard]] std::uint64_t peak() const { return peak_; }
  [[nodiscard]] std::uint64_t live() const { return live_; }

 private:
  std::uint64_t live_ = 0;
  std::uint64_t peak_ = 0;
};

struct Tenant {
  PayloadLease lease;
  StreamId home = StreamId::kDefault;
  std::uint64_t place = 0;  // in a plain best fit
};

// A block of the pool for so many bytes, redzones and all.
std::uint64_t whole_for(Bytes size) {
  return round_up(PayloadGuard::whole_for(size), Bytes{kBlockStep}).count();
}

// One walker: takes, uses, gives, records, waits, and lets time pass.
class Walk {
 public:
  struct Options {
    std::uint64_t seed = 1;
    std::uint64_t block = 0;  // bytes of each; 0: of many sizes
    std::size_t most = 64;    // leased at the same time
    bool fits = false;        // has a plain best fit beside it
  };

  Walk(SimulatedDevice& device, CheckedBackend& checked, PayloadPool& pool,
       const std::vector<StreamId>& streams, const Options& options)
      : device_(device),
        checked_(checked),
        pool_(pool),
        streams_(streams),
        options_(options),
        random_(options.seed) {}

  void step() {
    const std::uint64_t choice = below(100);
    if (choice < 30) return take();
    if (choice < 58) return give();
    if (choice < 76) return use();
    if (choice < 84) return order();
    complete();
  }
  void end() {
    while (!tenants_.empty()) give();
  }

  [[nodiscard]] const Oracle& oracle() const { return oracle_; }
  [[nodiscard]] const testing::BestFitOracle& best_fit() const { return best_fit_; }
  [[nodiscard]] std::uint64_t refusals() const { return refusals_; }
  [[nodiscard]] std::size_t leased() const { return tenants_.size(); }

 private:
  std::uint64_t below(std::uint64_t end) { return random_() % end; }
  StreamId any_stream() { return streams_[below(streams_.size())]; }
  std::uint64_t any_size() {
    return options_.block != 0 ? options_.block : 1 + below(std::uint64_t{1} << below(21));
  }

  void take() {
    if (tenants_.size() >= options_.most) {
      return give();
    }
    const Bytes size{any_size()};
    const StreamId stream = any_stream();
    Result<PayloadLease> lease = pool_.lease(size, stream, SiteId{7}, Effort::kGrow);
    if (!lease) {
      ++refusals_;
      ASSERT_EQ(lease.failure().code, ErrorCode::kOutOfMemory) << lease.failure().message;
      return;
    }
    oracle_.take(size.count());
    const std::uint64_t place = options_.fits ? best_fit_.take(whole_for(size)) : 0;
    tenants_.push_back({std::move(*lease), stream, place});
    work(tenants_.back(), stream);
  }
  void give() {
    if (tenants_.empty()) return;
    std::swap(tenants_[below(tenants_.size())], tenants_.back());
    oracle_.give(tenants_.back().lease.size().count());
    if (options_.fits) {
      best_fit_.give(tenants_.back().place, whole_for(tenants_.back().lease.size()));
    }
    tenants_.pop_back();
  }
  void use() {
    if (tenants_.empty()) return;
    Tenant& tenant = tenants_[below(tenants_.size())];
    const StreamId stream = any_stream();
    if (stream != tenant.home) {  // as a program must: behind what was done at home
      const Result<StreamEvent> event = checked_.record(tenant.home);
      ASSERT_TRUE(event.ok() && checked_.wait(stream, *event).ok());
    }
    work(tenant, stream);
    tenant.lease.used_on(stream);
    if (stream != tenant.home) {  // and what is done at home later, behind that
      const Result<StreamEvent> event = checked_.record(stream);
      ASSERT_TRUE(event.ok() && checked_.wait(tenant.home, *event).ok());
    }
  }
  // The program's own order, of which the pool knows nothing.
  void order() {
    const StreamId before = any_stream();
    const Result<StreamEvent> event = checked_.record(before);
    ASSERT_TRUE(event.ok());
    if (below(2) == 0) {
      ASSERT_TRUE(checked_.wait(any_stream(), *event).ok());
    } else {
      (void)checked_.reached(before);
    }
  }
  void complete() { device_.advance(below(30'000)); }
  void work(const Tenant& tenant, StreamId stream) {
    ASSERT_TRUE(device_.submit(stream, below(20'000), {}, {tenant.lease.view()}).ok());
  }

  SimulatedDevice& device_;
  CheckedBackend& checked_;
  PayloadPool& pool_;
  const std::vector<StreamId>& streams_;
  const Options options_;
  std::mt19937_64 random_;
  std::vector<Tenant> tenants_;
  Oracle oracle_;
  testing::BestFitOracle best_fit_;
  std::uint64_t refusals_ = 0;
};

class PoolInterleavings : public ::testing::Test {
 protected:
  void open(Bytes capacity, std::uint32_t streams, bool checks_order = true) {
    close();
    SimulatedOptions options = testing::device_of(capacity);
    options.checks_order = checks_order;  // a second opinion, by other code
    options.keeps_waits = false;
    options.granularity = Bytes{64u << 10};
    device_ = std::make_unique<SimulatedDevice>(options);
    checked_ = std::make_unique<CheckedBackend>(*device_, [this](const std::string& fault) {
      const std::scoped_lock lock(mutex_);
      faults_.push_back(fault);
    });
    pool_ = std::make_unique<PayloadPool>(
        *checked_, MemoryKind::kDevice,
        PoolOptions{.checked = &*checked_, .guard = {.quarantine = Bytes{}, .contents = false}});
    streams_ = {StreamId::kDefault};
    while (streams_.size() < streams) streams_.push_back(*checked_->make_stream());
  }
  ~PoolInterleavings() override { close(); }

  void close() {
    pool_.reset();  // before what it uses
    checked_.reset();
  }

  void expect_sound() {
    ASSERT_EQ(faults_, std::vector<std::string>());
    ASSERT_EQ(device_->order_faults(), std::vector<std::string>());
    ASSERT_TRUE(is_sound(*pool_));
  }
  // All that was begun ends, and all memory comes back.
  void expect_end() {
    device_->advance_until_idle();
    EXPECT_EQ(pool_->statistics().live_blocks, 0u);
    pool_->trim(kUnlimited, HostWait::kAllowed);
    EXPECT_EQ(device_->mapped(MemoryKind::kDevice), Bytes{});
    expect_sound();
  }

  std::unique_ptr<SimulatedDevice> device_;
  std::mutex mutex_;
  std::vector<std::string> faults_;
  std::unique_ptr<CheckedBackend> checked_;
  std::unique_ptr<PayloadPool> pool_;
  std::vector<StreamId> streams_;
};

TEST_F(PoolInterleavings, OfBlocksOfOneSizeMapNoMoreThanIsLeasedAtTheMost) {
  // With its redzones each takes half a piece, so that pieces hold no unused rest.
  constexpr std::uint64_t kHalfPiece = std::uint64_t{1} << 20;
  const std::uint64_t block = kHalfPiece - 2 * PayloadGuard::kRedzone;
  for (const std::uint64_t seed : {1u, 2u, 3u, 4u}) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    open(Bytes{1u << 30}, 2 + static_cast<std::uint32_t>(seed), seed % 2 == 0);
    Walk walk(*device_, *checked_, *pool_, streams_,
              {.seed = seed, .block = block, .most = 50 + seed * 10});
    for (std::uint64_t i = 0; i < steps() / 8; ++i) {
      walk.step();
      ASSERT_FALSE(HasFatalFailure()) << "step " << i;
      if (i % 65'536 == 0) expect_sound();
    }
    const std::uint64_t most_needed = walk.oracle().peak() / block * kHalfPiece;
    walk.end();
    const PoolStatistics statistics = pool_->statistics();
    EXPECT_EQ(statistics.peak_live.count(), walk.oracle().peak());
    EXPECT_LE(statistics.peak_reserved.count(), most_needed + kHalfPiece);
    EXPECT_EQ(walk.refusals(), 0u);
    EXPECT_GT(statistics.device_waits, 100u);
    expect_end();
  }
}

// In one order everything that came back is free for the next. Among several the pool prefers a stream's
// own memory to an order between streams, and may map more than a fit that knows of none.
TEST_F(PoolInterleavings, OfManySizesInOneOrderMapNoMoreThanAPlainBestFitAndAPiece) {
  constexpr std::uint64_t kPiece = std::uint64_t{2} << 20;
  for (const std::uint64_t seed : {7u, 8u, 9u, 10u}) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    open(Bytes{1u << 30}, 1, seed % 2 == 0);
    Walk walk(*device_, *checked_, *pool_, streams_,
              {.seed = seed, .most = 50 + (seed - 6) * 100, .fits = true});
    for (std::uint64_t i = 0; i < steps() / 8; ++i) {
      walk.step();
      ASSERT_FALSE(HasFatalFailure()) << "step " << i;
      if (i % 65'536 == 0) expect_sound();
    }
    walk.end();
    const PoolStatistics statistics = pool_->statistics();
    EXPECT_LE(statistics.peak_reserved,
              round_up(Bytes{walk.best_fit().peak()}, Bytes{kPiece}) + Bytes{kPiece});
    EXPECT_EQ(statistics.peak_live.count(), walk.oracle().peak());
    EXPECT_EQ(walk.refusals(), 0u);
    expect_end();
  }
}

TEST_F(PoolInterleavings, OfManySizesReuseNothingEarlyAndEnd) {
  for (const std::uint64_t seed : {5u, 6u}) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    open(Bytes{4u << 20}, 4, seed % 2 == 0);  // scarce, so that memory is moved and refused
    Walk walk(*device_, *checked_, *pool_, streams_, {.seed = seed, .most = 48});
    for (std::uint64_t i = 0; i < steps() / 8; ++i) {
      walk.step();
      ASSERT_FALSE(HasFatalFailure()) << "step " << i;
      if (i % 16'384 == 0) expect_sound();
    }
    EXPECT_EQ(pool_->statistics().live.count(), walk.oracle().live());
    EXPECT_EQ(pool_->statistics().live_blocks, walk.leased());
    walk.end();
    EXPECT_EQ(pool_->statistics().peak_live.count(), walk.oracle().peak());
    EXPECT_GT(pool_->statistics().trims, 0u);
    expect_end();
  }
}

// Threads share pool, streams and device. None waits for another for ever, or this would not end.
TEST_F(PoolInterleavings, OfThreadsReuseNothingEarlyAndEnd) {
  constexpr std::uint64_t kThreads = 3;
  open(Bytes{64u << 20}, 4);
  std::vector<std::unique_ptr<Walk>> walks;
  for (std::uint64_t k = 0; k < kThreads; ++k) {
    walks.push_back(std::make_unique<Walk>(*device_, *checked_, *pool_, streams_,
                                           Walk::Options{.seed = 10 + k, .most = 32}));
  }
  std::vector<std::thread> threads;
  for (const std::unique_ptr<Walk>& walk : walks) {
    threads.emplace_back([&] {
      for (std::uint64_t i = 0; i < steps() / 4 / kThreads && !HasFatalFailure(); ++i) {
        walk->step();
      }
      walk->end();
    });
  }
  for (std::thread& thread : threads) thread.join();

  std::uint64_t peaks = 0;
  for (const std::unique_ptr<Walk>& walk : walks) peaks += walk->oracle().peak();
  EXPECT_LE(pool_->statistics().peak_live.count(), peaks);
  expect_end();
}

}  // namespace
}  // namespace tenure
