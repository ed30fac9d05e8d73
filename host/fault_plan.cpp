#include "host/fault_plan.hpp"

#include <algorithm>
#include <string>

#include "core/base/check.hpp"

namespace tenure {

namespace {

std::size_t index_of(BackendCall call) { return static_cast<std::size_t>(call); }

bool may_fail(BackendCall call) { return index_of(call) < kFallibleCalls; }

// What a device that has nothing left answers, or one that is out of sorts.
ErrorCode usual_code(BackendCall call) {
  const bool takes_memory =
      call == BackendCall::kReserve || call == BackendCall::kMap || call == BackendCall::kAllocate;
  return takes_memory ? ErrorCode::kOutOfMemory : ErrorCode::kDeviceRefused;
}

}  // namespace

std::string_view to_string(BackendCall call) {
  constexpr std::array<std::string_view, kBackendCalls> kWords{
      "reserve", "map",  "allocate", "make_stream", "record", "wait",       "synchronize",
      "copy",    "fill", "submit",   "release",     "unmap",  "deallocate", "reached"};
  return kWords.at(index_of(call));
}

double seeded_fraction(std::uint64_t seed, std::uint64_t number) {
  // Source: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014); the top 53 bits fill a double.
  std::uint64_t mixed = seed + (number + 1) * 0x9E3779B97F4A7C15u;
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9u;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBu;
  mixed ^= mixed >> 31;
  return static_cast<double>(mixed >> 11) * 0x1.0p-53;
}

std::optional<Error> FaultPlan::count(BackendCall call) {
  const std::uint64_t number = ++made_.at(index_of(call));
  if (!may_fail(call)) {
    return std::nullopt;
  }
  const std::string name =
      std::string(to_string(call)) + " number " + std::to_string(number) + " was made to fail";
  const auto planned = std::find_if(planned_.begin(), planned_.end(), [&](const Planned& row) {
    return row.call == call && row.number == number;
  });
  if (planned != planned_.end()) {
    const ErrorCode code = planned->code;
    planned_.erase(planned);
    return Error{code, name + ", as it was asked for"};
  }
  if (probability_ > 0 && seeded_fraction(seed_, draws_++) < probability_) {
    return Error{usual_code(call), name + ", drawn with probability " +
                                       std::to_string(probability_) + " from seed " +
                                       std::to_string(seed_)};
  }
  return std::nullopt;
}

std::uint64_t FaultPlan::made(BackendCall call) const { return made_.at(index_of(call)); }

void FaultPlan::fail(BackendCall call, std::uint64_t nth, ErrorCode code) {
  check(may_fail(call), "a call that is made to fail is one that can");
  check(nth > 0, "the next call is number 1");
  planned_.push_back({call, made(call) + nth, code});
}

void FaultPlan::fail_randomly(double probability, std::uint64_t seed) {
  check(probability >= 0 && probability <= 1, "a probability lies between 0 and 1");
  probability_ = probability;
  seed_ = seed;
  draws_ = 0;
}

}  // namespace tenure
