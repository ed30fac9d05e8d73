#include "core/gc/held_regions.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/heap/object_access.hpp"
#include "core/memory/cage.hpp"

namespace tenure {

namespace {

constexpr std::uint32_t kShareLent = 64;
constexpr std::uint32_t kMostRounds = 16;

struct Held {
  std::uint32_t region;
  std::uint32_t live;  // granules
};

std::uint32_t live_in(Heap& heap, std::uint32_t region) {
  const std::uint32_t first = first_granule_of_region(region);
  const std::uint32_t top = first + heap.cage().regions()[region].top;
  std::uint32_t live = 0;
  for (std::uint32_t at = first; at < top;) {
    const ObjectHeader header = detail::header_of(object_on(at));
    live += header.type() == TypeId::kFiller ? 0 : header.size;
    at += header.size;
  }
  return live;
}

// Sparsest first.
std::vector<Held> held_in(Heap& heap, bool nursery) {
  std::vector<Held> held;
  heap.young().for_each_region([&](std::uint32_t region) {
    const RegionRow& row = heap.cage().regions()[region];
    if ((row.flags & RegionRow::kHeld) != 0 && row.pins == 0 &&
        (row.kind == RegionKind::kNursery) == nursery) {
      held.push_back({region, live_in(heap, region)});
    }
  });
  std::sort(held.begin(), held.end(), [](const Held& a, const Held& b) { return a.live < b.live; });
  return held;
}

// What objects of so many granules may take in the oldest generation: cells are up to an eighth larger,
// and each size, with references or without, begins a block.
std::uint64_t room_for(std::uint64_t live) { return live + live / 4; }

std::uint64_t free_granules(const RegionSource& source, std::uint32_t lent) {
  const std::uint64_t most = std::uint64_t{source.limit()} + lent;
  return most > source.used() ? (most - source.used()) * kGranulesPerRegion : 0;
}

// The sparsest that fit, as long as that gives more back than it takes.
//
// gives_back  whether an emptied region is room: the nursery's stay the nursery's
std::vector<std::uint32_t> choose(const std::vector<Held>& held, std::uint64_t room,
                                  bool gives_back) {
  std::vector<std::uint32_t> chosen;
  std::uint64_t live = 0;
  for (const Held& each : held) {
    if (room_for(live + each.live) > room) {
      break;
    }
    live += each.live;
    chosen.push_back(each.region);
  }
  const std::uint64_t taken = room_for(live) / kGranulesPerRegion + 1;
  if (gives_back && taken > chosen.size()) {
    chosen.clear();
  }
  return chosen;
}

void add(const EvacuationStats& more, EvacuationStats& sum) {
  sum.objects_promoted += more.objects_promoted;
  sum.bytes_promoted += more.bytes_promoted;
  for (std::uint32_t from = 0; from < kMaxGenerations; ++from) {
    sum.promoted_from[from] += more.promoted_from[from];
    sum.bytes_promoted_from[from] += more.bytes_promoted_from[from];
  }
  sum.cards_scanned += more.cards_scanned;
  sum.retired.payloads += more.retired.payloads;
  sum.retired.bytes += more.retired.bytes;
  sum.afterlife.weak_cleared += more.afterlife.weak_cleared;
  sum.afterlife.map_entries_dropped += more.afterlife.map_entries_dropped;
  sum.afterlife.finalizers_queued += more.afterlife.finalizers_queued;
}

void empty_some(Heap& heap, Team& team, bool nursery, EvacuationStats& stats) {
  RegionSource& source = heap.source();
  // The nursery's regions give nothing back that could make up for what was lent.
  const std::uint32_t lent = nursery ? 0 : std::max(1u, source.limit() / kShareLent);
  source.lend(lent);
  std::vector<Held> held = held_in(heap, nursery);
  for (std::uint32_t round = 0; round < kMostRounds; ++round) {
    const std::vector<std::uint32_t> chosen = choose(held, free_granules(source, lent), !nursery);
    if (chosen.empty()) {
      break;
    }
    add(evacuate_held(heap, chosen, team), stats);
    std::vector<Held> left = held_in(heap, nursery);
    if (left.size() >= held.size()) {
      break;
    }
    held = std::move(left);
  }
  source.lend(0);
}

}  // namespace

EvacuationStats empty_held_regions(Heap& heap, Team& team) {
  EvacuationStats stats;
  if (heap.has_nursery()) {
    empty_some(heap, team, false, stats);
    empty_some(heap, team, true, stats);
  }
  return stats;
}

}  // namespace tenure
