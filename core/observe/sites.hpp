// Allocation sites: one for each stack and type that a sample had, with what its samples add up to.
//
// Invariant: sites are never removed but all at once, so that a sample may name one by its number. Past
// the most that there may be, further stacks share the last one.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace tenure {

/// What was allocated: a type of objects, or a kind of memory.
struct Allocated {
  std::uint32_t what = 0;  // a TypeId or a MemoryKind
  bool is_payload = false;

  friend bool operator==(Allocated, Allocated) = default;
};

/// How often something came in the last minute, to a sixth of it.
class MinuteRate {
 public:
  void add(std::uint64_t now_ns, double count);
  /// since_ns  from when on it was counted at all
  [[nodiscard]] double per_second(std::uint64_t now_ns, std::uint64_t since_ns) const;

 private:
  static constexpr std::uint64_t kStepNs = 10'000'000'000;
  static constexpr std::uint64_t kSteps = 6;

  std::array<double, kSteps> counts_{};
  std::uint64_t newest_ = 0;  // step of the clock; older ones stand before it, in a ring
};

struct Site {
  Allocated what;
  std::vector<std::uintptr_t> frames;  // innermost first
  double total_allocations = 0;
  double total_bytes = 0;
  double live_allocations = 0;
  double live_bytes = 0;
  double peak_allocations = 0;
  double peak_bytes = 0;
  double deaths = 0;
  double lifetimes_ns = 0;  // of those, in all
  std::uint64_t first_seen_ns = 0;
  std::uint64_t last_seen_ns = 0;
  std::uint64_t samples = 0;
  std::uint64_t live_samples = 0;
  std::uint64_t full_collections = 0;       // since it was first seen
  std::array<double, 4> live_after_full{};  // bytes, the latest last
  MinuteRate rate;
};

/// threads  whoever has the profiler's lock
class SiteTable {
 public:
  /// The number of the site, from 0.
  ///
  /// cost     a hash over the frames
  [[nodiscard]] std::uint32_t find_or_add(Allocated what, std::span<const std::uintptr_t> frames);

  [[nodiscard]] Site& operator[](std::uint32_t number) { return sites_[number]; }
  [[nodiscard]] const std::vector<Site>& all() const { return sites_; }
  template <class Visit>
  void for_each(Visit visit) {
    for (Site& site : sites_) {
      visit(site);
    }
  }
  void clear();

 private:
  static constexpr std::size_t kMostSites = 65'536;  // some 25 MiB with their stacks

  std::vector<Site> sites_;
  std::unordered_multimap<std::uint64_t, std::uint32_t> numbers_;  // by hash
};

}  // namespace tenure
