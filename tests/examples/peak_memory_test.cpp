// What a program's memory peaks at, as the system counts it. In a program of its own, because a
// child is also charged with what its parent had when it was made.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/check.hpp"

namespace tenure {
namespace {

double peak_resident_mib(const char* program) {
  const pid_t child = fork();
  if (child == 0) {
    (void)!freopen("/dev/null", "w", stdout);
    execl(program, program, nullptr);
    _exit(127);
  }
  int status = 0;
  rusage usage{};
  check(wait4(child, &status, 0, &usage) == child && status == 0, "the program did not run");
  return static_cast<double>(usage.ru_maxrss) / 1024.0;
}

TEST(PeakMemory, OfTheDynamicQuickStartStaysUnder16MiB) {
  // 64 MiB of nursery and 256 MiB of old generation are reserved, and not committed.
  EXPECT_LT(peak_resident_mib(TENURE_DYNAMIC_QUICK_START), 16.0);
}

}  // namespace
}  // namespace tenure
