// A runtime whose full collections are marked on a device, over the substitute of the CUDA runtime and
// emulated kernels. The heap is verified after each collection, and each marking is compared with the
// serial marker's.
#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <utility>

#include "tenure/finalizer.hpp"
#include "tests/cuda/substitute/substitute.hpp"
#include "tests/simt/launch_hook.hpp"
#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {
namespace {

Config marked_on_device() {
  substitute::reset();
  simt::set_launch_hook([](CUstream_st* stream, std::function<void()> run) {
    return static_cast<int>(substitute::enqueue(stream, std::move(run)));
  });
  Config config = small_config();
  config.mode = Mode::kManual;
  config.marker = MarkerChoice::kCuda;
  return config;
}

class DeviceMarkingTest : public RuntimeTest {
 protected:
  explicit DeviceMarkingTest(const Config& config = marked_on_device()) : RuntimeTest(config) {}
};

TEST_F(DeviceMarkingTest, FindsWhatLivesAndWhatIsDead) {
  const Local<Node> list = make_list(5000);
  (void)make_list(5000);

  const CollectionReport report = collect_full();

  EXPECT_TRUE(report.marked_on_device) << report.marker_fallback;
  EXPECT_EQ(report.objects_marked, 5000u);
  EXPECT_EQ(objects(), 5000u);
  EXPECT_EQ(runtime.statistics().device_markings, 1u);
}

TEST_F(DeviceMarkingTest, MarksAsTheHostWhateverTheProgramDoes) {
  std::mt19937_64 random(7);
  const auto draw = [&random](std::uint32_t below) {
    return static_cast<std::uint32_t>(random() % below);
  };
  constexpr std::uint32_t kRoots = 64;
  const Local<RefArray<Node>> roots = make_array<Node>(*mutator, kRoots);
  for (std::uint32_t round = 0; round < 40; ++round) {
    for (std::uint32_t step = 0; step < 300; ++step) {
      const std::uint32_t at = draw(kRoots);
      switch (draw(4)) {
        case 0:
          (*roots)[at] = make_node(static_cast<std::int64_t>(step));
          break;
        case 1:
          if ((*roots)[at]) {
            (*roots)[at]->left = (*roots)[draw(kRoots)];
          }
          break;
        case 2:
          if ((*roots)[at]) {
            (*roots)[at]->right = make_list(static_cast<std::int64_t>(draw(20)));
          }
          break;
        default:
          (*roots)[at] = (*roots)[draw(kRoots)];
      }
    }
    if (draw(3) == 0) {
      (void)collect_young();
    } else if (draw(10) == 0) {
      (void)value_or_throw(runtime.compact());
    } else {
      const CollectionReport report = collect_full();
      ASSERT_TRUE(report.marked_on_device) << report.marker_fallback;
    }
  }
  EXPECT_GT(runtime.statistics().device_markings, 10u);
  EXPECT_EQ(runtime.statistics().marker_fallbacks, 0u);
}

TEST_F(DeviceMarkingTest, KeepsWhatAFinalizerIsStillToSee) {
  std::int64_t seen = 0;
  Local<Node> node = make_node(1);
  node->left = make_node(41);
  ASSERT_TRUE(set_finalizer(*mutator, node, [&seen](Local<Node> dying) {
                seen = dying->value + dying->left->value;
              }).ok());
  node = nullptr;

  const CollectionReport report = collect_full();

  EXPECT_EQ(report.finalizers_queued, 1u);
  EXPECT_TRUE(report.marked_on_device) << report.marker_fallback;
  (void)run_finalizers(*mutator);
  EXPECT_EQ(seen, 42);
}

TEST_F(DeviceMarkingTest, SaysWhyTheHostMarkedInItsPlace) {
  const Local<Node> list = make_list(100);
  substitute::fail("cudaMemcpyAsync", 3, cudaErrorLaunchFailure);

  const CollectionReport report = collect_full();

  EXPECT_FALSE(report.marked_on_device);
  EXPECT_NE(report.marker_fallback.find("cudaMemcpyAsync"), std::string::npos)
      << report.marker_fallback;
  EXPECT_EQ(report.objects_marked, 100u);
  EXPECT_EQ(runtime.statistics().marker_fallbacks, 1u);
  EXPECT_EQ(runtime.statistics().marker_fallback, report.marker_fallback);
}

TEST_F(DeviceMarkingTest, GivesTheCopyUpWhereAPayloadFindsNoRoom) {
  const Local<Node> list = make_list(100);
  (void)collect_full();
  ASSERT_GT(substitute::held().mappings, 0u);

  const Result<PayloadLease> large = runtime.lease(1_GiB - 2_MiB, {.kind = MemoryKind::kDevice});
  const Result<PayloadLease> more = runtime.lease(512_MiB, {.kind = MemoryKind::kDevice});
  ASSERT_FALSE(more.ok());
  EXPECT_NE(more.failure().message.find("giving up the heap's copy"), std::string::npos)
      << more.failure().message;
  EXPECT_EQ(substitute::held().mappings, 0u);
  EXPECT_TRUE(collect_full().marked_on_device);  // and copies it again
}

TEST(DeviceMarkerDoorTest, RefusesToOpenWhereThereIsNoDevice) {
  const Config config = marked_on_device();
  substitute::reset({.has_driver = false});

  const Result<Runtime> opened = Runtime::open(config);

  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.failure().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace tenure::testing
