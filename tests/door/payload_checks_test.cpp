// A runtime with check=payload, as a program meets it.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "core/payload/block.hpp"
#include "tenure/tenure.hpp"

namespace tenure {
namespace {

class PayloadChecksTest : public ::testing::TestWithParam<const char*> {
 protected:
  static Config config() {
    Config config;
    config.check = Check::kPayload;
    config.device = GetParam();
    config.mode = Mode::kManual;
    return config;
  }

  Runtime runtime = value_or_throw(Runtime::open(config()));
};

TEST_P(PayloadChecksTest, AProgramWithoutFaultLeavesNothing) {
  {
    Mutator mutator(runtime);
    const StreamId side = value_or_throw(runtime.make_stream());
    for (int i = 0; i < 200; ++i) {
      Local<Tensor> tensor = value_or_throw(make_tensor(mutator, {100 + i}, {.site = SiteId{3}}));
      tensor->used_on(side);
      if (i % 3 == 0) tensor->release();
      PayloadLease lease = value_or_throw(runtime.lease(Bytes{5000}, {.stream = side}));
      EXPECT_EQ(lease.size(), Bytes{5000});
    }
    ASSERT_TRUE(runtime.collect().ok());
  }
  EXPECT_EQ(runtime.trim() > Bytes{}, true);

  const CloseReport report = runtime.close();

  EXPECT_EQ(report.leaks.size(), 0u);
  EXPECT_EQ(report.leases_outstanding, 0u);
}

TEST_P(PayloadChecksTest, SaysWhatIsLeakedBySiteAgeAndGeneration) {
  std::vector<PayloadLease> leases;
  for (int i = 0; i < 3; ++i) {
    leases.push_back(value_or_throw(runtime.lease(Bytes{1000}, {.site = SiteId{7}})));
  }
  Handle<Tensor> old;
  Handle<Tensor> young;
  {
    Mutator mutator(runtime);
    old = Handle<Tensor>(value_or_throw(make_tensor(mutator, {1 << 20}, {.site = SiteId{8}})));
    ASSERT_TRUE(runtime.collect(Collect::kFull).ok());
    young = Handle<Tensor>(value_or_throw(make_tensor(mutator, {1 << 10}, {.site = SiteId{9}})));
    ASSERT_TRUE(runtime.collect(Collect::kYoung).ok());
    ASSERT_TRUE(make_tensor(mutator, {1 << 10}, {.site = SiteId{10}}).ok());  // garbage, no leak
  }

  const CloseReport report = runtime.close();

  ASSERT_EQ(report.leaks.size(), 3u);
  EXPECT_EQ(report.leaks[0].site, SiteId{8});
  EXPECT_EQ(report.leaks[0].bytes, 4_MiB);
  EXPECT_EQ(report.leaks[0].holder, LeakHolder::kTensor);
  EXPECT_EQ(report.leaks[0].generation, runtime.config().generations - 1);
  EXPECT_EQ(report.leaks[1].site, SiteId{9});
  EXPECT_EQ(report.leaks[1].generation, 0u);
  EXPECT_EQ(report.leaks[1].oldest_age, 1u);
  EXPECT_EQ(report.leaks[2].site, SiteId{7});
  EXPECT_EQ(report.leaks[2].holder, LeakHolder::kLease);
  EXPECT_EQ(report.leaks[2].payloads, 3u);
  EXPECT_EQ(report.leaks[2].bytes, Bytes{3000});
  EXPECT_GT(report.leaks[0].oldest_ns, report.leaks[1].oldest_ns);
  EXPECT_EQ(
      to_string(report.leaks[2]).find("2.93 KiB in 3 device payloads of site 7, held by leases"),
      0u)
      << to_string(report.leaks[2]);
  EXPECT_NE(to_string(report.leaks[0]).find("tensors of generation"), std::string::npos);
}

TEST_P(PayloadChecksTest, AnswersWhetherBytesMayBeUsed) {
  const StreamId side = value_or_throw(runtime.make_stream());
  PayloadLease lease = value_or_throw(runtime.lease(Bytes{1000}, {.site = SiteId{7}}));
  const PayloadView view = lease.view();
  std::byte elsewhere{};

  EXPECT_TRUE(runtime.check_use(view, StreamId::kDefault).ok());
  EXPECT_FALSE(runtime.check_use(view, side).ok());
  lease.used_on(side);
  EXPECT_TRUE(runtime.check_use(view, side).ok());
  EXPECT_FALSE(runtime.check_use({view.data, Bytes{1001}}, side).ok());
  EXPECT_FALSE(runtime.check_use({&elsewhere, Bytes{1}}, side).ok());
  lease.release();
  (void)runtime.statistics();
  EXPECT_FALSE(runtime.check_use(view, side).ok());
}

TEST_P(PayloadChecksTest, CountsWhatTheProgramHas) {
  PayloadLease lease = value_or_throw(runtime.lease(Bytes{1000}));

  const PoolStatistics with = runtime.statistics().pools.at(0);
  lease.release();
  const PoolStatistics without = runtime.statistics().pools.at(0);

  EXPECT_EQ(with.live, Bytes{1000});
  EXPECT_EQ(with.peak_live, Bytes{1000});
  EXPECT_EQ(without.live, Bytes{});
  EXPECT_EQ(without.live_blocks, 0u);
}

using PayloadChecksDeathTest = PayloadChecksTest;

TEST_P(PayloadChecksDeathTest, ADoubleFreeStopsTheProgram) {
  PayloadBlock& block = *value_or_throw(runtime.lease(Bytes{1000}, {.site = SiteId{7}})).detach();
  PayloadLease(block).release();

  EXPECT_DEATH(PayloadLease(block).release(),
               "double free: a payload of 1000 B .*site 7, .*stream 0");
}

TEST_P(PayloadChecksDeathTest, AnOverrunStopsTheProgram) {
  const StreamId side = value_or_throw(runtime.make_stream());
  const auto overrun = [&] {
    PayloadLease lease =
        value_or_throw(runtime.lease(Bytes{1000}, {.stream = side, .site = SiteId{7}}));
    std::memset(lease.data(), 1, 1001);
    lease.release();
    (void)runtime.statistics();
  };
  if (std::string(GetParam()) == "host") {
    EXPECT_DEATH(overrun(), "overrun: .* byte 1000 of .*site 7|use-after-poison");
  }
}

INSTANTIATE_TEST_SUITE_P(On, PayloadChecksTest, ::testing::Values("host", "sim:1GiB"),
                         [](const auto& device) {
                           return std::string(device.param[0] == 'h' ? "Host" : "Simulated");
                         });
INSTANTIATE_TEST_SUITE_P(On, PayloadChecksDeathTest, ::testing::Values("host", "sim:1GiB"),
                         [](const auto& device) {
                           return std::string(device.param[0] == 'h' ? "Host" : "Simulated");
                         });

TEST(PayloadChecks, AreOffByDefaultAndKnowNothingThen) {
  Runtime runtime = value_or_throw(Runtime::open({.device = "host"}));
  const PayloadLease lease = value_or_throw(runtime.lease(Bytes{1000}));

  const Result<void> may = runtime.check_use(lease.view(), StreamId::kDefault);

  ASSERT_FALSE(may.ok());
  EXPECT_EQ(may.failure().code, ErrorCode::kUnsupported);
  EXPECT_EQ(runtime.close().leaks.size(), 0u);
}

}  // namespace
}  // namespace tenure
