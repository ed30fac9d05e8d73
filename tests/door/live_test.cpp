// A runtime that publishes, seen as another process would see it.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>

#include "tenure/live.hpp"
#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {
namespace {

std::uint32_t own_process() { return static_cast<std::uint32_t>(getpid()); }

// What the only runtime of this process says once it says `text`; what it said last, after ten seconds.
std::string published_with(const std::string& text) {
  std::string last;
  for (int k = 0; k < 1'000; ++k) {
    const std::vector<LiveFigures> seen = value_or_throw(live_figures(own_process()));
    last = seen.size() == 1 ? seen[0].metrics : "";
    if (last.find(text) != std::string::npos) {
      break;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return last;
}

TEST(Publishing, ShowsTheFiguresOfNow) {
  Config config = small_config();
  config.publish_ms = 1;
  Runtime runtime = value_or_throw(Runtime::open(config));
  Mutator mutator(runtime);
  (void)make<Node>(mutator);
  ASSERT_TRUE(runtime.collect(Collect::kFull));

  const std::string wanted = "tenure_full_collections_total 1\n";
  EXPECT_NE(published_with(wanted).find(wanted), std::string::npos);

  ASSERT_TRUE(runtime.collect(Collect::kFull));
  const std::string later = "tenure_full_collections_total 2\n";
  EXPECT_NE(published_with(later).find(later), std::string::npos);
}

TEST(Publishing, EndsWithTheRuntime) {
  Config config = small_config();
  config.publish_ms = 1;
  Runtime runtime = value_or_throw(Runtime::open(config));
  ASSERT_NE(published_with("# EOF"), "");
  (void)runtime.close();
  EXPECT_TRUE(value_or_throw(live_figures(own_process())).empty());
}

TEST(Publishing, IsOffUnlessItIsAskedFor) {
  const Runtime runtime = value_or_throw(Runtime::open(small_config()));
  EXPECT_TRUE(value_or_throw(live_figures(own_process())).empty());
}

// The writer looks at figures while mutators come, go, allocate and collect.
TEST(Publishing, DisturbsNobody) {
  Config config = small_config();
  config.publish_ms = 1;
  Runtime runtime = value_or_throw(Runtime::open(config));
  std::vector<std::thread> threads;
  for (int k = 0; k < 3; ++k) {
    threads.emplace_back([&] {
      for (int round = 0; round < 5; ++round) {
        Mutator mutator(runtime);
        Local<Node> list(mutator);
        for (int n = 0; n < 5'000; ++n) {
          const Local<Node> node = make<Node>(mutator);
          node->left = list;
          list = node;
        }
        ASSERT_TRUE(runtime.collect(Collect::kYoung));
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_TRUE(verify_heap(runtime));
}

}  // namespace
}  // namespace tenure::testing
