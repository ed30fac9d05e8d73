// What a test does in the child of a fork.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <string>

namespace tenure::testing {

/// Forks. `work` runs in the child, which ends with what it gives: 0 is well. Gives that, or how the
/// child ended; one that hangs is ended by an alarm.
template <class Work>
[[nodiscard]] std::string in_child(Work work) {
  constexpr unsigned kMostSeconds = 60;
  const pid_t child = fork();
  if (child == 0) {
    alarm(kMostSeconds);
    _exit(work());
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) {
    return "no child";
  }
  if (WIFSIGNALED(status)) {
    return "ended by signal " + std::to_string(WTERMSIG(status));
  }
  return WEXITSTATUS(status) == 0 ? "well" : "fault " + std::to_string(WEXITSTATUS(status));
}

}  // namespace tenure::testing
