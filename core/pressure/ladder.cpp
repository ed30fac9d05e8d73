#include "core/pressure/ladder.hpp"

#include <algorithm>

#include "core/base/check.hpp"

namespace tenure {

namespace {

constexpr std::size_t index_of(PressureStep step) { return static_cast<std::size_t>(step); }

std::string milliseconds(std::uint64_t ns) {
  constexpr std::uint64_t kNsPerTenth = 100'000;
  const std::uint64_t tenths = (ns + kNsPerTenth / 2) / kNsPerTenth;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " ms";
}

}  // namespace

std::string_view to_string(PressureLevel level) {
  switch (level) {
    case PressureLevel::kNone:
      return "none";
    case PressureLevel::kModerate:
      return "moderate";
    case PressureLevel::kHigh:
      return "high";
    case PressureLevel::kCritical:
      return "critical";
  }
  fail("a level of pressure that does not exist");
}

std::string_view to_string(PressureStep step) {
  switch (step) {
    case PressureStep::kDeviceCopy:
      return "giving up the heap's copy on the device";
    case PressureStep::kYoungCollection:
      return "a young collection";
    case PressureStep::kFullCollection:
      return "a full collection";
    case PressureStep::kForeignCollectors:
      return "foreign collectors";
    case PressureStep::kOtherPools:
      return "trimming the other pools";
    case PressureStep::kEviction:
      return "evicting cold payloads";
    case PressureStep::kCallbacks:
      return "callbacks";
    case PressureStep::kWait:
      return "waiting for streams";
  }
  fail("a step of the ladder that does not exist");
}

std::vector<PressureStep> Ladder::plan(const std::array<bool, kPressureSteps>& possible) {
  ++statistics_.climbs;
  std::vector<PressureStep> first;
  std::vector<PressureStep> last;
  for (std::size_t k = 0; k < kPressureSteps; ++k) {
    const auto step = static_cast<PressureStep>(k);
    if (!possible[k] || step == PressureStep::kWait) {
      continue;
    }
    Standing& standing = standings_[k];
    if (standing.rests > 0) {
      --standing.rests;
      ++statistics_.steps[k].put_last;
      last.push_back(step);
    } else {
      first.push_back(step);
    }
  }
  first.insert(first.end(), last.begin(), last.end());
  if (possible[index_of(PressureStep::kWait)]) {
    first.push_back(PressureStep::kWait);
  }
  return first;
}

void Ladder::learn(PressureStep step, Bytes wanted, const StepResult& result) {
  constexpr std::uint64_t kLittle = 8;  // less than an eighth of what was wanted
  PressureStepStatistics& sum = statistics_.steps[index_of(step)];
  ++sum.runs;
  sum.helped += result.helped ? 1 : 0;
  sum.gained += result.gained;
  sum.total_ns += result.took_ns;

  Standing& standing = standings_[index_of(step)];
  if (result.helped || (!result.gained.is_zero() && result.gained * kLittle >= wanted)) {
    standing = {};
  } else {
    standing.rests = standing.rests_next;
    standing.rests_next = std::min(standing.rests_next * 2, kMostRests);
  }
}

void ClimbLog::note(PressureStep step, const StepResult& result) {
  text_ += (text_.empty() ? "" : ", ") + std::string(to_string(step)) + " (" +
           to_string(result.gained) + " came back in " + milliseconds(result.took_ns) + ")";
}

}  // namespace tenure
