// What a profiler saw: sites, the timeline, and events.
#include <algorithm>
#include <string>

#include "core/report/parts.hpp"
#include "tenure/pressure.hpp"

namespace tenure {

namespace {

// A page with more is none that anybody reads.
constexpr std::size_t kMostSites = 400;
constexpr std::size_t kMostEvents = 20'000;

void put_frame(const StackFrame& frame, JsonRows& out) {
  out.put("function", frame.function);
  out.put("module", frame.module);
  out.put("offset", std::uint64_t{frame.offset});
}

void put_site(const AllocationSite& site, JsonRows& out) {
  out.put("what", site.what);
  out.put("is_payload", site.is_payload);
  out.put("total_allocations", site.total_allocations);
  out.put("total_bytes", site.total_bytes);
  out.put("live_allocations", site.live_allocations);
  out.put("live_bytes", site.live_bytes);
  out.put("peak_bytes", site.peak_bytes);
  out.put("mean_lifetime_ns", site.mean_lifetime_ns);
  out.put("samples", site.samples);
  out.rows("stack", site.stack, [&](const StackFrame& frame) { put_frame(frame, out); });
}

void put_event(const Event& event, JsonRows& out) {
  out.put("kind", to_string(event.kind));
  out.put("time_ns", event.time_ns);
  out.put("amount", event.amount);
  switch (event.kind) {
    case EventKind::kReserved:
      out.put("memory", to_string(static_cast<MemoryKind>(event.subject)));
      break;
    case EventKind::kPressureStep:
      out.put("memory", to_string(static_cast<MemoryKind>(event.subject)));
      out.put("step", to_string(static_cast<PressureStep>(event.detail)));
      break;
    case EventKind::kAllocation:
      break;
    default:
      out.put("trigger", to_string(static_cast<CollectionTrigger>(event.subject)));
      out.put("generation", event.detail == EventBatch::kNothing ? -1 : int{event.detail});
      break;
  }
}

}  // namespace

void put_profile(const Profile& profile, JsonRows& out) {
  out.key("profile").object([&] {
    out.put("level", to_string(profile.level));
    out.put("sample_interval", profile.sample_interval);
    out.put("taken_ns", profile.taken_ns);
    out.put("since_ns", profile.since_ns);
    out.put("samples", profile.samples);
    std::vector<AllocationSite> sites = profile.sites;
    out.put("sites_left_out", sites.size() - std::min(sites.size(), kMostSites));
    sites.resize(std::min(sites.size(), kMostSites));
    out.rows("sites", sites, [&](const AllocationSite& site) { put_site(site, out); });
    out.rows("growing", profile.growing_sites(),
             [&](const AllocationSite& site) { put_site(site, out); });
    out.rows("timeline", profile.timeline, [&](const TimelineSecond& second) {
      out.put("second", second.second);
      out.put("allocations", second.allocations);
      out.put("allocated", second.allocated);
      out.put("deaths", second.deaths);
      out.put("freed", second.freed);
      out.put("collections", second.collections);
      out.put("pause_ns", second.pause_ns);
    });
    out.key("size_histogram").array([&] {
      for (const double count : profile.patterns.size_histogram) {
        out.put(count);
      }
    });
    out.put("growth_bytes_per_second", profile.patterns.growth_bytes_per_second);
    out.rows("bursts", profile.patterns.bursts, [&](const AllocationBurst& burst) {
      out.put("second", burst.second);
      out.put("allocated", burst.allocated);
      out.put("before", burst.before);
    });
  });
}

// Of the events that are not single allocations, the last.
void put_events(const EventBatch& batch, JsonRows& out) {
  std::vector<Event> kept;
  std::copy_if(batch.events.begin(), batch.events.end(), std::back_inserter(kept),
               [](const Event& event) { return event.kind != EventKind::kAllocation; });
  const std::size_t more = kept.size() - std::min(kept.size(), kMostEvents);
  kept.erase(kept.begin(), kept.begin() + static_cast<std::ptrdiff_t>(more));
  out.put("events_lost", batch.lost + more);
  out.rows("events", kept, [&](const Event& event) { put_event(event, out); });
}

}  // namespace tenure
