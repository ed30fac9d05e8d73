#include "core/runtime/live_file.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>

namespace tenure::testing {
namespace {

std::uint32_t own_process() { return static_cast<std::uint32_t>(getpid()); }

TEST(LiveFile, IsReadByWhoeverNamesTheProcess) {
  LiveFile file = value_or_throw(LiveFile::open(host_platform(), 250));
  ASSERT_TRUE(file.write("some figures"));
  ASSERT_TRUE(file.write("fewer"));

  const std::vector<LiveFigures> seen = value_or_throw(live_figures(own_process()));

  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].process, own_process());
  EXPECT_EQ(seen[0].metrics, "fewer");
  EXPECT_EQ(seen[0].every_ms, 250u);
  EXPECT_LT(seen[0].age_ns, 60'000'000'000u);
}

TEST(LiveFile, SaysNothingBeforeItWasWrittenAndAfterItsEnd) {
  {
    LiveFile file = value_or_throw(LiveFile::open(host_platform(), 1));
    EXPECT_TRUE(value_or_throw(live_figures(own_process())).empty());
    ASSERT_TRUE(file.write("x"));
    const std::vector<std::uint32_t> found = live_processes();  // others may publish too
    EXPECT_EQ(std::count(found.begin(), found.end(), own_process()), 1);
  }
  EXPECT_TRUE(value_or_throw(live_figures(own_process())).empty());
}

TEST(LiveFile, SaysNothingOfAChildThatHasItOpenToo) {
  LiveFile file = value_or_throw(LiveFile::open(host_platform(), 1));
  ASSERT_TRUE(file.write("of the parent"));
  const pid_t child = fork();
  if (child == 0) {
    const Result<std::vector<LiveFigures>> seen = live_figures(own_process());
    _exit(seen.ok() && seen->empty() ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(LiveFile, OfAProcessThatIsNotThereIsAnErrorThatNamesIt) {
  constexpr std::uint32_t kNobody = 0x7FFFFFFF;
  const Result<std::vector<LiveFigures>> seen = live_figures(kNobody);
  ASSERT_FALSE(seen.ok());
  EXPECT_NE(seen.failure().message.find("2147483647"), std::string::npos);
}

// Texts of one letter each, of changing length: a torn one would have two letters, or the wrong length.
TEST(LiveFile, IsReadWholeWhileItIsWritten) {
  LiveFile file = value_or_throw(LiveFile::open(host_platform(), 1));
  ASSERT_TRUE(file.write(std::string(1, 'a')));
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (std::uint32_t k = 0; !stop.load(); ++k) {
      const std::uint32_t letter = k % 26;
      (void)file.write(std::string(1 + 4'000 * letter, static_cast<char>('a' + letter)));
      std::this_thread::sleep_for(
          std::chrono::microseconds(k % 100));  // else nobody gets one whole
    }
  });
  constexpr std::uint32_t kEnough = 500;
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  std::uint32_t read = 0;
  while (read < kEnough && std::chrono::steady_clock::now() < give_up) {
    const std::vector<LiveFigures> seen = value_or_throw(live_figures(own_process()));
    if (seen.empty()) {
      continue;  // it was being written each time
    }
    ++read;
    const std::string& text = seen[0].metrics;
    ASSERT_EQ(text.find_first_not_of(text.front()), std::string::npos);
    ASSERT_EQ(text.size(), 1 + 4'000 * static_cast<std::size_t>(text.front() - 'a'));
  }
  stop = true;
  writer.join();
  EXPECT_EQ(read, kEnough);
}

}  // namespace
}  // namespace tenure::testing
