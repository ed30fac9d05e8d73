// Which calls of a simulated device are to fail, and how often each was made.
//
// Invariant: a call is counted once, whether it fails or not; what is asked for by number comes
// before what is drawn.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "tenure/result.hpp"

namespace tenure {

/// The entries of a backend, and of a simulated device's own.
enum class BackendCall : std::uint8_t {
  kReserve,
  kMap,
  kAllocate,
  kMakeStream,
  kRecord,
  kWait,
  kSynchronize,
  kCopy,
  kFill,
  kSubmit,
  // These cannot fail.
  kRelease,
  kUnmap,
  kDeallocate,
  kReached,
};
inline constexpr std::size_t kFallibleCalls = 10;
inline constexpr std::size_t kBackendCalls = 14;

/// "map", "record", ...
[[nodiscard]] std::string_view to_string(BackendCall call);

/// threads  one at a time
class FaultPlan {
 public:
  /// Counts a call, and says how it fails where it is to.
  [[nodiscard]] std::optional<Error> count(BackendCall call);

  [[nodiscard]] std::uint64_t made(BackendCall call) const;

  /// The n-th call from now fails, 1 being the next; the others do not, for that.
  void fail(BackendCall call, std::uint64_t nth, ErrorCode code);

  /// Every call that can fail does so with this probability, drawn from `seed`; 0 ends it.
  void fail_randomly(double probability, std::uint64_t seed);

 private:
  struct Planned {
    BackendCall call;
    std::uint64_t number;  // of the call, counted from 1
    ErrorCode code;
  };

  std::array<std::uint64_t, kBackendCalls> made_{};
  std::vector<Planned> planned_;
  double probability_ = 0;
  std::uint64_t seed_ = 0;
  std::uint64_t draws_ = 0;
};

/// A number in [0, 1) that depends on `seed` and `number` alone.
[[nodiscard]] double seeded_fraction(std::uint64_t seed, std::uint64_t number);

}  // namespace tenure
