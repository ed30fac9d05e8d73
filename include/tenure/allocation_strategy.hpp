// Which free hole of payload memory a request is given.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "tenure/payload.hpp"
#include "tenure/result.hpp"

namespace tenure {

class Runtime;

/// Which of the holes that are large enough, and free for the request's stream without a wait, it gets. The
/// space above all that was ever used is no hole: it is cut where no hole fits.
enum class AllocationStrategy : std::uint8_t {
  kBestFit,        // the smallest; what was handed back last where several are
  kFirstFit,       // the lowest address
  kNextFit,        // the first by address behind the last placement, and from the lowest on again
  kWorstFit,       // the largest
  kSegregatedFit,  // any of the lowest size class all of whose holes fit: a look at a bitmap
};
inline constexpr std::size_t kAllocationStrategies = 5;
/// "best_fit", "first_fit", "next_fit", "worst_fit", "segregated_fit".
[[nodiscard]] std::string_view to_string(AllocationStrategy strategy);
/// None where no strategy is called so.
[[nodiscard]] std::optional<AllocationStrategy> allocation_strategy_of(std::string_view name);

/// Has the pool of a memory kind place what is leased from now on by `strategy`; what lies, stays. Any but
/// best fit takes the pool's lock for each lease and follows no layouts made ahead of time; first and next
/// fit look at each hole that is large enough.
///
/// errors   kUnsupported: that kind is not to be had; kClosed
/// threads  anyone
Result<void> set_allocation_strategy(Runtime& runtime, MemoryKind kind,
                                     AllocationStrategy strategy);

}  // namespace tenure
