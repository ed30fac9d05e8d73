// A fixed piece of work that no bench is about: how long it takes says what the machine was doing
// beside us.
#pragma once

#include <cstdint>

namespace tenure::bench {

/// Nanoseconds that the canary takes now: some million steps of arithmetic, and a walk through 16 MiB
/// in random order, where each step depends on the one before.
///
/// cost     0.3 s
[[nodiscard]] std::uint64_t canary_ns();

}  // namespace tenure::bench
