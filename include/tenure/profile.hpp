// What a program allocates, where, and how long it lives: taken from the running program, at a cost that
// it can bear. How much is watched is `Config::profile`, and may be changed at any time.
//
//   basic          live objects by type and generation, pools: counted when asked, free until then
//   detailed       of every so many bytes one allocation, drawn at random, is followed to its death
//   comprehensive  every allocation is an event besides, in a ring of its thread
//
// Estimates: an allocation of `size` bytes is drawn with the probability 1 - exp(-size / interval), and
// counts as the inverse of that. So sums have no bias, whatever the sizes are; the error of a sum of B
// bytes is about sqrt(interval / B) of it: 5 % at 200 MiB, with 512 KiB.
// Source: the samplers of tcmalloc and of Go's heap profile.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "tenure/bytes.hpp"
#include "tenure/config.hpp"
#include "tenure/inspect.hpp"
#include "tenure/result.hpp"
#include "tenure/statistics.hpp"

namespace tenure {

class Runtime;

/// One call, as far as the program says. The lines of a source file it leaves to whoever reads the
/// program's debug information: pprof, addr2line.
struct StackFrame {
  std::uintptr_t address = 0;  // inside the call instruction
  std::string function;        // demangled; empty where the program was stripped
  std::string module;          // the program or the shared library; empty where unknown
  std::uintptr_t offset = 0;   // of the address in the module, as its symbols have it
};

/// Where allocations of one type come from. Counts and bytes are estimates from samples; objects count
/// with their headers, payloads as they were asked for. Times are those of `Profile::taken_ns`.
struct AllocationSite {
  std::string what;  // the type's name, or "device payload"
  bool is_payload = false;
  std::vector<StackFrame> stack;  // innermost first, without the library's own calls
  double total_allocations = 0;
  Bytes total_bytes{};
  double live_allocations = 0;  // not found dead so far
  Bytes live_bytes{};
  double peak_allocations = 0;
  Bytes peak_bytes{};
  double allocations_per_second = 0;  // over the last minute
  std::uint64_t first_seen_ns = 0;
  std::uint64_t last_seen_ns = 0;
  double deaths = 0;                   // found so far
  std::uint64_t mean_lifetime_ns = 0;  // of those, until they were found
  std::uint64_t samples = 0;           // that all this was worked out from
  std::uint64_t live_samples = 0;
  std::uint64_t full_collections = 0;  // since it was first seen
  std::array<Bytes, 4>
      live_after_full{};  // after the last four, the latest last; 0 before the site

  [[nodiscard]] double average_size() const {
    return total_allocations == 0 ? 0
                                  : static_cast<double>(total_bytes.count()) / total_allocations;
  }
};

/// One second of a program, from samples.
struct TimelineSecond {
  std::uint64_t second = 0;  // of the clock
  double allocations = 0;
  Bytes allocated{};
  double deaths = 0;
  Bytes freed{};
  std::uint64_t collections = 0;
  std::uint64_t pause_ns = 0;
};

/// A second in which a program allocated more than three times what it did in the ten before, and
/// more than a MiB.
struct AllocationBurst {
  std::uint64_t second = 0;
  Bytes allocated{};
  Bytes before{};  // a second's share of the ten before
};

/// What the load looks like.
struct AllocationPatterns {
  static constexpr std::size_t kBins = 20;
  /// Allocations by size: up to 16 bytes, up to 32, and so on; the last has all above 4 MiB.
  std::array<double, kBins> size_histogram{};
  double interval_ns = 0;               // between allocations, on average
  std::vector<AllocationBurst> bursts;  // the last ten
  double growth_bytes_per_second = 0;   // of live bytes, over the timeline: a straight line's slope
};

/// What makes a site one that grows.
struct GrowthRule {
  std::uint64_t least_age_ns = 300'000'000'000;  // since it was first seen
  Bytes least_bytes{1u << 20};                   // live after the last full collection
};

/// What is known of a program at one moment. A value, that never changes.
struct Profile {
  ProfileLevel level = ProfileLevel::kNone;
  Bytes sample_interval{};
  std::uint64_t taken_ns = 0;  // by the platform's clock, which never goes back
  std::uint64_t since_ns = 0;  // sites and timeline are from then on

  Bytes bytes_allocated{};  // of objects, ever
  Census live;              // exact: all objects, the dead that nobody found included
  std::vector<PoolStatistics> pools;

  // From `detailed` on.
  std::vector<AllocationSite> sites;     // the most live bytes first
  std::vector<TimelineSecond> timeline;  // the last hour at the most; seconds without news left out
  AllocationPatterns patterns;
  std::uint64_t samples = 0;

  /// The sites that allocated most, in bytes.
  [[nodiscard]] std::vector<AllocationSite> top_allocators(std::size_t count = 10) const;

  /// Candidates for leaks: sites whose live bytes grew across each of the last three full collections, and
  /// by more than three deviations of the estimate in all; the ones that grew most first.
  [[nodiscard]] std::vector<AllocationSite> growing_sites(const GrowthRule& rule = {}) const;
};

/// Watches so much from now on. A lower level drops what it does not keep.
///
/// cost     a stop
/// errors   kClosed
Result<void> set_profile_level(Runtime& runtime, ProfileLevel level);
[[nodiscard]] ProfileLevel profile_level(const Runtime& runtime);

/// All that is known now. Names of functions are looked up here, and not where they allocate.
///
/// cost     a stop and a walk over the heap; then O(sites), and reading the program's symbols once
/// errors   kBadArgument: nothing is watched; kClosed
[[nodiscard]] Result<Profile> take_profile(Runtime& runtime);

}  // namespace tenure
