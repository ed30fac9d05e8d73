#include "core/observe/profiler.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>

#include "core/observe/byte_sampler.hpp"
#include "tenure/payload.hpp"
#include "tenure/type.hpp"

namespace tenure {

namespace {

Bytes rounded(double bytes) { return Bytes{static_cast<std::uint64_t>(std::llround(bytes))}; }

std::size_t bin_of(std::uint64_t size) {
  constexpr std::uint64_t kFirst = 16;  // bytes, of the first bin
  const auto bin =
      static_cast<std::size_t>(std::bit_width((std::max(size, kFirst) + kFirst - 1) / kFirst - 1));
  return std::min(bin, AllocationPatterns::kBins - 1);
}

std::string text_of(Allocated what) {
  return what.is_payload ? std::string(to_string(static_cast<MemoryKind>(what.what))) + " payload"
                         : std::string(type_name(static_cast<TypeId>(what.what)));
}

// What stands between a program's call and the place where its stack was read.
bool is_own_call(std::string_view function) {
  constexpr std::string_view kOwn[] = {
      "tenure::detail::",     "tenure::RuntimeState::",       "tenure::allocate_object(",
      "tenure::make_tensor(", "tenure::Runtime::lease(",      "tenure::(anonymous namespace)::",
      "tenure::Arena::",      "tenure::host_call_stack(",     "tenure::GarbageCollector::",
      "tenure::make_array<",  "tenure::GcObjectMaker::make(", "tenure::make_with_tail<"};
  // A template's name begins with what it returns.
  const bool is_template = function.find("> tenure::make_array<") != function.npos ||
                           function.find("> tenure::make_with_tail<") != function.npos ||
                           function.find("> tenure::make<") != function.npos;
  return is_template ||
         std::ranges::any_of(kOwn, [&](std::string_view own) { return function.starts_with(own); });
}

std::vector<StackFrame> name_all(const std::vector<std::uintptr_t>& frames,
                                 const Profiler::Name& name) {
  std::vector<StackFrame> stack;
  for (const std::uintptr_t frame : frames) {
    StackFrame named = name(frame);
    if (!stack.empty() || !is_own_call(named.function)) {
      stack.push_back(std::move(named));
    }
  }
  return stack;
}

AllocationSite describe_site(const Site& site, std::uint64_t now_ns, std::uint64_t since_ns) {
  return {.what = text_of(site.what),
          .is_payload = site.what.is_payload,
          .stack = {},
          .total_allocations = site.total_allocations,
          .total_bytes = rounded(site.total_bytes),
          .live_allocations = site.live_allocations,
          .live_bytes = rounded(site.live_bytes),
          .peak_allocations = site.peak_allocations,
          .peak_bytes = rounded(site.peak_bytes),
          .allocations_per_second = site.rate.per_second(now_ns, since_ns),
          .first_seen_ns = site.first_seen_ns,
          .last_seen_ns = site.last_seen_ns,
          .deaths = site.deaths,
          .mean_lifetime_ns =
              site.deaths == 0 ? 0 : static_cast<std::uint64_t>(site.lifetimes_ns / site.deaths),
          .samples = site.samples,
          .live_samples = site.live_samples,
          .full_collections = site.full_collections,
          .live_after_full = {rounded(site.live_after_full[0]), rounded(site.live_after_full[1]),
                              rounded(site.live_after_full[2]), rounded(site.live_after_full[3])}};
}

}  // namespace

void Profiler::set_level(ProfileLevel level, std::uint64_t now_ns) {
  const std::scoped_lock lock(mutex_);
  if (!is_sampling()) {
    since_ns_ = now_ns;
  }
  level_.store(level, std::memory_order_relaxed);
  if (level < ProfileLevel::kDetailed) {
    samples_.clear();
    free_ = kNoSample;
    payloads_.clear();
    sites_.clear();
    timeline_.clear();
    size_histogram_ = {};
    allocations_ = 0;
    drawn_ = 0;
  }
  if (level < ProfileLevel::kComprehensive) {
    events_.drop_pieces();
  }
  if (level < ProfileLevel::kBasic) {
    events_.clear();
  }
}

std::uint32_t Profiler::add(const SampledAllocation& allocation, std::uint64_t now_ns) {
  const auto size = static_cast<double>(allocation.size);
  const double weight = weight_of(size, interval_ * allocation.factor);
  const std::uint32_t number = sites_.find_or_add(allocation.what, allocation.frames);
  Site& site = sites_[number];
  site.first_seen_ns = site.samples == 0 ? now_ns : site.first_seen_ns;
  site.last_seen_ns = now_ns;
  ++site.samples;
  ++site.live_samples;
  site.total_allocations += weight;
  site.total_bytes += weight * size;
  site.live_allocations += weight;
  site.live_bytes += weight * size;
  site.peak_allocations = std::max(site.peak_allocations, site.live_allocations);
  site.peak_bytes = std::max(site.peak_bytes, site.live_bytes);
  site.rate.add(now_ns, weight);
  timeline_.add_allocation(now_ns, weight, weight * size);
  size_histogram_[bin_of(allocation.size)] += weight;
  allocations_ += weight;
  ++drawn_;

  std::uint32_t at = free_;
  if (at == kNoSample) {
    at = static_cast<std::uint32_t>(samples_.size());
    samples_.emplace_back();
  } else {
    free_ = samples_[at].next_free;
  }
  samples_[at] = {.weight = weight, .size = allocation.size, .born_ns = now_ns, .site = number};
  return at;
}

void Profiler::remove(std::uint32_t sample, std::uint64_t now_ns) {
  Sample& ended = samples_[sample];
  Site& site = sites_[ended.site];
  const double bytes = ended.weight * static_cast<double>(ended.size);
  --site.live_samples;
  // Why: sums of doubles that cancel may miss 0 by a little.
  site.live_allocations = site.live_samples == 0 ? 0 : site.live_allocations - ended.weight;
  site.live_bytes = site.live_samples == 0 ? 0 : site.live_bytes - bytes;
  site.deaths += ended.weight;
  site.lifetimes_ns += ended.weight * static_cast<double>(now_ns - std::min(now_ns, ended.born_ns));
  timeline_.add_deaths(now_ns, ended.weight, bytes);
  ended.next_free = std::exchange(free_, sample);
}

SampleId Profiler::begin(const SampledAllocation& allocation, std::uint64_t now_ns) {
  const std::scoped_lock lock(mutex_);
  return is_sampling() ? static_cast<SampleId>(add(allocation, now_ns)) : SampleId::kNone;
}

void Profiler::end(std::span<const SampleId> samples, std::uint64_t now_ns) {
  const std::scoped_lock lock(mutex_);
  for (const SampleId sample : samples) {
    remove(static_cast<std::uint32_t>(sample), now_ns);
  }
}

void Profiler::begin_payload(const void* payload, const SampledAllocation& allocation,
                             std::uint64_t now_ns) {
  const std::scoped_lock lock(mutex_);
  if (is_sampling()) {
    payloads_.insert_or_assign(payload, add(allocation, now_ns));
  }
}

void Profiler::end_payload(const void* payload, std::uint64_t now_ns) {
  const std::scoped_lock lock(mutex_);
  if (const auto known = payloads_.find(payload); known != payloads_.end()) {
    remove(known->second, now_ns);
    payloads_.erase(known);
  }
}

void Profiler::note_collection(bool collected, std::uint64_t pause_ns, std::uint64_t now_ns) {
  const std::scoped_lock lock(mutex_);
  if (is_sampling()) {
    timeline_.add_collection(now_ns, collected, pause_ns);
  }
}

void Profiler::note_full_collection() {
  const std::scoped_lock lock(mutex_);
  sites_.for_each([](Site& site) {
    std::rotate(site.live_after_full.begin(), site.live_after_full.begin() + 1,
                site.live_after_full.end());
    site.live_after_full.back() = site.live_bytes;
    ++site.full_collections;
  });
}

void Profiler::report(Profile& profile, const Name& name) const {
  std::vector<Site> sites;
  {
    const std::scoped_lock lock(mutex_);
    sites = sites_.all();
    profile.since_ns = since_ns_;
    profile.samples = drawn_;
    profile.timeline = timeline_.seconds();
    profile.patterns.size_histogram = size_histogram_;
    if (allocations_ > 0) {
      profile.patterns.interval_ns =
          static_cast<double>(profile.taken_ns - std::min(profile.taken_ns, since_ns_)) /
          allocations_;
    }
  }
  profile.patterns.bursts = find_bursts(profile.timeline);
  profile.patterns.growth_bytes_per_second = growth_of(profile.timeline);
  std::ranges::sort(sites, std::greater{}, &Site::live_bytes);
  for (const Site& site : sites) {
    if (site.samples > 0) {
      profile.sites.push_back(describe_site(site, profile.taken_ns, profile.since_ns));
      profile.sites.back().stack = name_all(site.frames, name);
    }
  }
}

std::vector<AllocationSite> Profile::top_allocators(std::size_t count) const {
  std::vector<AllocationSite> top = sites;
  std::ranges::stable_sort(top, std::greater{}, &AllocationSite::total_bytes);
  top.resize(std::min(count, top.size()));
  return top;
}

std::vector<AllocationSite> Profile::growing_sites(const GrowthRule& rule) const {
  constexpr double kDeviations = 3;
  std::vector<AllocationSite> growing;
  for (const AllocationSite& site : sites) {
    const auto& after = site.live_after_full;
    const bool is_old = taken_ns - std::min(taken_ns, site.first_seen_ns) >= rule.least_age_ns;
    const bool grew = after[0] < after[1] && after[1] < after[2] && after[2] < after[3];
    if (!is_old || !grew || site.full_collections < 3 || after[3] < rule.least_bytes) {
      continue;
    }
    // What is live is estimated: by chance alone it would seem to grow now and then.
    const auto bytes = static_cast<double>(after[3].count());
    const double deviation = std::sqrt(static_cast<double>(sample_interval.count()) * bytes);
    const auto growth = static_cast<double>((after[3] - after[0]).count());
    if (growth > kDeviations * deviation) {
      growing.push_back(site);
    }
  }
  std::ranges::stable_sort(growing, std::greater{}, [](const AllocationSite& site) {
    return site.live_after_full[3] - site.live_after_full[0];
  });
  return growing;
}

}  // namespace tenure
