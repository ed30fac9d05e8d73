// The order in which a request that finds no room tries what may help, and what each step has given
// for its time. A step that gave nearly nothing is put last for a while: the longer, the more often.
// It is never left out: a request is refused only after all of them.
//
// Numbers in, decisions out: no clock, no thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "tenure/pressure.hpp"

namespace tenure {

/// What a step did for one request.
struct StepResult {
  Bytes gained{};
  std::uint64_t took_ns = 0;
  bool helped = false;  // the request fits now
};

/// threads  one at a time
class Ladder {
 public:
  /// The steps to take for a request, in their order.
  ///
  /// possible   by step: whether there is anything to be done at all
  [[nodiscard]] std::vector<PressureStep> plan(const std::array<bool, kPressureSteps>& possible);

  /// Learns what a step did.
  ///
  /// wanted   by the request; a step that gave an eighth of it, or made it fit, has paid
  void learn(PressureStep step, Bytes wanted, const StepResult& result);

  /// The request that was planned for is over.
  void end(bool relieved) { statistics_.relieved += relieved ? 1 : 0; }

  void note_level_call() { ++statistics_.level_calls; }
  void note_system_call() { ++statistics_.system_calls; }
  void note_failure(const std::string& what) {
    ++statistics_.failures;
    statistics_.failure = what;
  }
  [[nodiscard]] const PressureStatistics& statistics() const { return statistics_; }

 private:
  struct Standing {
    std::uint32_t rests = 0;       // for so many requests more
    std::uint32_t rests_next = 1;  // after the next time that it does not pay
  };
  static constexpr std::uint32_t kMostRests = 64;

  std::array<Standing, kPressureSteps> standings_{};
  PressureStatistics statistics_;
};

/// What was tried, for the text of a refusal: "a young collection (3 MiB came back in 1.2 ms)".
class ClimbLog {
 public:
  void note(PressureStep step, const StepResult& result);
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace tenure
