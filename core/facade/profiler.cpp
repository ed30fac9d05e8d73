#include "tenure/facade/profiler.hpp"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <type_traits>
#include <utility>

namespace tenure {

namespace {

constexpr double kNsPerSecond = 1e9;
constexpr std::size_t kTopSites = 10;
constexpr std::size_t kTopLeaks = 5;

// What `pick` makes of a profile, where there is one.
template <class Pick>
auto with_profile(Runtime& runtime, Pick pick)
    -> Result<std::remove_cvref_t<decltype(pick(std::declval<Profile&>()))>> {
  Result<Profile> profile = take_profile(runtime);
  if (!profile) {
    return profile.failure();
  }
  return pick(*profile);
}

std::string count_of(double estimate) { return std::to_string(std::llround(estimate)); }

std::string text_of(const AllocationSite& site) {
  std::string text = "  " + to_string(site.live_bytes) + " live of " + to_string(site.total_bytes) +
                     " in " + count_of(site.total_allocations) + " " + site.what;
  for (const StackFrame& frame : site.stack) {
    text += "\n      " + (frame.function.empty() ? "(no name)" : frame.function);
    constexpr std::string_view kMain = "main";
    if (frame.function == kMain) {
      break;
    }
  }
  return text + "\n";
}

std::string text_of(const Profile& profile) {
  std::string text = "watched: " + std::string(to_string(profile.level)) +
                     "\nlive: " + std::to_string(profile.live.total.objects) + " objects, " +
                     to_string(profile.live.total.bytes) + "\n";
  for (const auto& [type, row] : profile.live.by_type) {
    text += "  " + type + ": " + std::to_string(row.objects) + ", " + to_string(row.bytes) + "\n";
  }
  if (profile.level < ProfileLevel::kDetailed) {
    return text;
  }
  text += "top sites, of " + std::to_string(profile.samples) + " samples:\n";
  for (const AllocationSite& site : profile.top_allocators(kTopSites)) {
    text += text_of(site);
  }
  std::vector<AllocationSite> growing = profile.growing_sites();
  growing.resize(std::min(growing.size(), kTopLeaks));
  text += growing.empty() ? "no site grows\n" : "sites that grow:\n";
  for (const AllocationSite& site : growing) {
    text += text_of(site);
  }
  const AllocationPatterns& patterns = profile.patterns;
  return text + "growth: " + count_of(patterns.growth_bytes_per_second) +
         " B/s of live bytes\nbursts: " + std::to_string(patterns.bursts.size()) +
         "\nbetween allocations: " + count_of(patterns.interval_ns) + " ns on average\n";
}

AllocationTracker track(const Profile& profile) {
  AllocationTracker tracker;
  for (const AllocationSite& site : profile.sites) {
    tracker.allocations += site.total_allocations;
    tracker.total_bytes_allocated += site.total_bytes;
    tracker.allocations_by_type[site.what] += site.total_allocations;
  }
  const auto bytes = static_cast<double>(tracker.total_bytes_allocated.count());
  const auto took = static_cast<double>(profile.taken_ns - profile.since_ns);
  if (tracker.allocations > 0 && took > 0) {
    tracker.average_allocation_size = bytes / tracker.allocations;
    tracker.allocation_rate_bytes_per_sec = bytes / took * kNsPerSecond;
  }
  return tracker;
}

}  // namespace

Result<std::vector<AllocationSite>> MemoryProfiler::get_allocation_profiles() const {
  return with_profile(*runtime_, [](Profile& profile) { return std::move(profile.sites); });
}

Result<std::vector<AllocationSite>> MemoryProfiler::get_top_allocators(std::size_t limit) const {
  return with_profile(*runtime_,
                      [limit](Profile& profile) { return profile.top_allocators(limit); });
}

Result<std::vector<AllocationSite>> MemoryProfiler::get_memory_leaks(const GrowthRule& rule) const {
  return with_profile(*runtime_, [&rule](Profile& profile) { return profile.growing_sites(rule); });
}

Result<std::vector<TimelineSecond>> MemoryProfiler::get_allocation_timeline(
    std::uint64_t seconds) const {
  return with_profile(*runtime_, [seconds](Profile& profile) {
    const std::uint64_t now = profile.taken_ns / static_cast<std::uint64_t>(kNsPerSecond);
    std::erase_if(profile.timeline,
                  [&](const TimelineSecond& at) { return at.second + seconds <= now; });
    return std::move(profile.timeline);
  });
}

Result<std::map<std::string, Census::Row>> MemoryProfiler::get_memory_usage_by_type() const {
  return with_profile(*runtime_, [](Profile& profile) { return std::move(profile.live.by_type); });
}

Result<AllocationPatterns> MemoryProfiler::get_allocation_patterns() const {
  return with_profile(*runtime_, [](Profile& profile) { return std::move(profile.patterns); });
}

Result<AllocationTracker> MemoryProfiler::get_allocation_tracker() const {
  return with_profile(*runtime_, track);
}

Result<std::string> MemoryProfiler::generate_report() const {
  return with_profile(*runtime_, [](Profile& profile) { return text_of(profile); });
}

Result<void> MemoryProfiler::clear_history() {
  const ProfilingLevel level = profiling_level();
  if (Result<void> done = set_profiling_level(ProfilingLevel::kNone); !done) {
    return done;
  }
  return set_profiling_level(level);
}

}  // namespace tenure
