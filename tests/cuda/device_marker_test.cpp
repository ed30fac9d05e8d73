// The device's marker on a device: the contract of all markers, and a runtime that marks with it.
// Skipped, with a sentence, where there is no device.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "core/base/team.hpp"
#include "core/model/serial_marker.hpp"
#include "cuda/cuda_marker.hpp"
#include "cuda/probe.hpp"
#include "tests/contract/marker_contract.hpp"
#include "tests/support/plain_graph.hpp"
#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {

namespace {

std::string why_no_device() {
  const DeviceProbe probe = probe_devices();
  return probe.devices.empty() ? "no CUDA device; driver: " + probe.driver : "";
}

class MarksOnDevice : public Marker {
 public:
  static std::string why_not() { return why_no_device(); }

  void begin(const MarkJob& job) override {
    marker_.begin(job);
    EXPECT_TRUE(marker_.on_device()) << marker_.fallback();
  }
  bool advance(std::uint64_t budget) override { return marker_.advance(budget); }
  void add(std::span<const ObjectIndex> objects) override { marker_.add(objects); }
  MarkStats complete() override {
    const MarkStats stats = marker_.complete();
    EXPECT_TRUE(stats.on_device) << stats.fallback;
    return stats;
  }

 private:
  Team team_{2};
  CudaMarker marker_{std::make_unique<SerialMarker>(), team_};
};

}  // namespace

INSTANTIATE_TYPED_TEST_SUITE_P(Device, MarkerContract, ::testing::Types<MarksOnDevice>);

namespace {

class DeviceMarkerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = why_no_device(); !why.empty()) {
      GTEST_SKIP() << why;
    }
  }
};

TEST_F(DeviceMarkerTest, SeesTheCardsThatWereWritten) {
  constexpr std::uint32_t kObjects = 200'000;
  PlainGraph graph(kObjects, 4);
  for (std::uint32_t k = 0; k + 1 < kObjects; ++k) {
    graph.set_slot(graph.object(k), k % 4, graph.object(k + 1));
  }
  const ObjectIndex root = graph.object(0);
  Team team(2);
  CudaMarker marker(std::make_unique<SerialMarker>(), team);
  marker.begin(graph.job({&root, 1}));
  ASSERT_EQ(marker.complete().objects, kObjects) << marker.fallback();

  std::vector<std::uint32_t> cards;
  for (std::uint32_t k = kObjects - 1; k > 100'000; k -= 10'000) {
    for (std::uint32_t slot = 0; slot < 4; ++slot) {
      graph.set_slot(graph.object(k), slot, ObjectIndex::kNull);
    }
    cards.push_back(static_cast<std::uint32_t>(graph.object(k)) / kGranulesPerCard);
    cards.push_back(cards.back() + 1);  // an object may lie on two
  }
  MarkJob job = graph.job({&root, 1});
  job.written = cards;
  graph.clear_marks();
  marker.begin(job);

  EXPECT_EQ(marker.complete().objects, 110'000u);
  EXPECT_EQ(marker.on_device().value().traffic.bulk, 0_B);
}

Config marked_on_device() {
  Config config = small_config();
  config.marker = MarkerChoice::kCuda;
  return config;
}

TEST_F(DeviceMarkerTest, CollectsAsTheHostDoes) {
  Runtime runtime = value_or_throw(Runtime::open(marked_on_device()));
  Mutator mutator(runtime);
  Local<Node> list(mutator);
  for (std::int64_t round = 0; round < 20; ++round) {
    for (std::int64_t k = 0; k < 5000; ++k) {
      const Local<Node> node = make<Node>(mutator);
      node->left = list;
      node->right = k % 3 == 0 ? list.get() : nullptr;
      list = node;
    }
    const CollectionReport report = value_or_throw(runtime.collect());
    ASSERT_TRUE(report.marked_on_device) << report.marker_fallback;
    ASSERT_EQ(report.objects_marked, static_cast<std::uint64_t>(5000 * (round + 1)));
  }
}

}  // namespace

}  // namespace tenure::testing
