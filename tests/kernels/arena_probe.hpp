// Kernels that allocate, for the tests of arenas.
#pragma once

#include <cstdint>

#include "kernels/launch.hpp"
#include "tenure/device/arena.hpp"

namespace tenure::testing {

/// How the probe asks.
enum class Ask : std::uint8_t { kByWarp, kByLane };

/// Thread k of `blocks * 256` asks for `bytes[k]` bytes, fills them with its number, and notes in
/// `places[k]` where they start in the arena: kNowhere where it got none.
inline constexpr std::uint64_t kNowhere = ~std::uint64_t{0};
inline constexpr std::uint32_t kProbeThreads = 256;
[[nodiscard]] kernels::LaunchStatus launch_probe(Ask ask, const device::ArenaView& arena,
                                                 const device::Count* bytes, std::uint64_t* places,
                                                 std::uint32_t blocks);

}  // namespace tenure::testing
