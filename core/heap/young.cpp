#include "core/heap/young.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "core/base/check.hpp"
#include "core/heap/object_access.hpp"
#include "core/memory/cage.hpp"

namespace tenure {

namespace {

constexpr std::uint64_t kRegionBytes = std::uint64_t{kGranulesPerRegion} * kGranuleBytes;

std::uint32_t regions_for(Bytes size) {
  return static_cast<std::uint32_t>((size.count() + kRegionBytes - 1) / kRegionBytes);
}

// The smallest power of two, a buffer at least, so that a region holds a whole number of them.
std::uint32_t buffer_for(std::uint32_t granules) {
  return std::max(Young::kBufferGranules, std::bit_ceil(granules));
}

}  // namespace

Young::~Young() {
  for (const std::vector<std::uint32_t>& regions : survivors_) {
    for (const std::uint32_t region : regions) {
      source_.give_back({region, 1});
    }
  }
  if (nursery_.count > 0) {
    source_.cage().give_back(nursery_);
    source_.count_out(counted_);
  }
}

Result<void> Young::open(Bytes nursery, Bytes reserve) {
  const std::uint32_t use = regions_for(nursery);
  const std::uint32_t count = std::max(use, regions_for(reserve));
  if (!source_.count_in(use)) {
    return Error{ErrorCode::kOutOfMemory, "a nursery of " + to_string(nursery) +
                                              " does not fit into the heap's limit of " +
                                              to_string(Bytes{source_.limit() * kRegionBytes})};
  }
  const std::optional<RegionRun> run = source_.cage().reserve(
      count, RegionRow{.heap = source_.heap(), .kind = RegionKind::kNursery});
  if (!run || !source_.cage().commit({run->first, use})) {
    if (run) {
      source_.cage().give_back(*run);
    }
    source_.count_out(use);
    return Error{ErrorCode::kOutOfMemory,
                 "no room for a nursery of " + to_string(nursery) + " (" + to_string(reserve) +
                     " reserved) in the cage of 32 GiB, or no memory to commit it"};
  }
  nursery_ = *run;
  in_use_ = wanted_ = counted_ = use;
  cursor_ = first_granule_of_region(nursery_.first);
  return {};
}

void Young::resize_nursery(Bytes nursery) {
  const std::scoped_lock lock(mutex_);
  wanted_ = std::clamp(regions_for(nursery), 1u, nursery_.count);
  if (cursor_ == first_granule_of_region(nursery_.first)) {
    settle_size(lock);
  }
}

std::optional<BufferRun> Young::take_buffer(std::uint32_t granules) {
  const std::uint32_t size = buffer_for(granules);
  const std::scoped_lock lock(mutex_);
  const std::uint32_t end = first_granule_of_region(nursery_.first + in_use_);
  std::uint32_t at = (cursor_ + size - 1) / size * size;
  while (at < end && (row(at / kGranulesPerRegion).flags & RegionRow::kHeld) != 0) {
    at = (at / kGranulesPerRegion + 1) * kGranulesPerRegion;
  }
  if (at >= end) {
    return std::nullopt;
  }
  // What a larger buffer skips must be walkable too.
  const std::uint32_t region = at / kGranulesPerRegion;
  const std::uint32_t begun = first_granule_of_region(region) + row(region).top;
  write_filler(begun, at - begun);
  cursor_ = at + size;
  row(region).top = cursor_ - first_granule_of_region(region);
  return BufferRun{at, cursor_};
}

Bytes Young::nursery_used() const {
  const std::scoped_lock lock(mutex_);
  std::uint64_t granules = 0;
  for (std::uint32_t region = nursery_.first; region < nursery_.first + nursery_.count; ++region) {
    granules += row(region).top;
  }
  return Bytes{granules * kGranuleBytes};
}

bool Young::is_blocked() const {
  const std::scoped_lock lock(mutex_);
  return in_use_ == held_in(nursery_.first, in_use_);
}

Bytes Young::nursery_size() const {
  const std::scoped_lock lock(mutex_);
  return Bytes{in_use_ * kRegionBytes};
}

Bytes Young::used(std::uint32_t generation) const {
  std::uint64_t granules = 0;
  for (const std::uint32_t region : survivors_[generation]) {
    granules += row(region).top;
  }
  return Bytes{granules * kGranuleBytes} + (generation == 0 ? nursery_used() : Bytes{});
}

void Young::condemn(std::uint32_t last) {
  condemned_.clear();
  for (std::uint32_t region = nursery_.first; region < nursery_.first + nursery_.count; ++region) {
    if (row(region).top > 0) {
      condemned_.push_back(region);
    }
  }
  for (std::uint32_t generation = 0; generation <= last; ++generation) {
    std::vector<std::uint32_t> regions = std::exchange(survivors_[generation], {});
    condemned_.insert(condemned_.end(), regions.begin(), regions.end());
    open_[generation].clear();
  }
  for (const std::uint32_t region : condemned_) {
    row(region).flags = RegionRow::kCondemned;
  }
}

void Young::condemn_held(std::span<const std::uint32_t> regions) {
  condemned_.assign(regions.begin(), regions.end());
  for (const std::uint32_t region : condemned_) {
    row(region).flags = RegionRow::kCondemned;
  }
  for (std::vector<std::uint32_t>& held : survivors_) {
    std::erase_if(held, [this](std::uint32_t region) {
      return (row(region).flags & RegionRow::kCondemned) != 0;
    });
  }
}

bool Young::refill(SurvivorRoom& room, std::uint32_t generation, std::uint32_t granules) {
  const std::scoped_lock lock(mutex_);
  publish_top(room);
  std::vector<std::uint32_t>& open = open_[generation];
  std::uint32_t region = 0;
  if (!open.empty() && kGranulesPerRegion - row(open.back()).top >= granules) {
    region = open.back();
    open.pop_back();
  } else {
    const std::optional<RegionRun> fresh = source_.take(
        1,
        RegionRow{.kind = RegionKind::kBump, .generation = static_cast<std::uint8_t>(generation)});
    if (!fresh) {
      return false;  // what is left may do for a smaller one
    }
    region = fresh->first;
    survivors_[generation].push_back(region);
    std::memset(source_.cage().starts() + region * kCardsPerRegion, Cage::kNoStart,
                kCardsPerRegion);
  }
  const std::uint32_t first = first_granule_of_region(region);
  room = {.next = first + row(region).top, .limit = first + kGranulesPerRegion};
  return true;
}

void Young::close(SurvivorRoom& room, std::uint32_t generation) {
  const std::scoped_lock lock(mutex_);
  publish_top(room);
  if (room.next < room.limit) {
    open_[generation].push_back((room.limit - 1) / kGranulesPerRegion);
  }
  room = {};
}

// Why not as objects come: nobody walks a region while a worker fills it.
void Young::publish_top(const SurvivorRoom& room) {
  if (room.limit > 0) {
    const std::uint32_t region = (room.limit - 1) / kGranulesPerRegion;
    row(region).top = room.next - first_granule_of_region(region);
  }
}

void Young::note_start(SurvivorRoom& room, std::uint32_t granule) {
  room.card = card_of(granule);
  std::uint8_t& start = source_.cage().starts()[room.card];
  if (start == Cage::kNoStart) {
    start = static_cast<std::uint8_t>(granule % kGranulesPerCard);
  }
}

bool Young::keeps(std::uint32_t region) const {
  const RegionRow& kept = row(region);
  if (kept.kind != RegionKind::kNursery || (kept.flags & RegionRow::kHeld) != 0) {
    return true;
  }
  const std::scoped_lock lock(mutex_);
  return first_granule_of_region(region) < cursor_;
}

void Young::give_back_condemned() {
  for (const std::uint32_t region : condemned_) {
    RegionRow& condemned = row(region);
    const bool held = (condemned.flags & RegionRow::kHeld) != 0;
    condemned.flags = held ? RegionRow::kHeld : 0;
    if (condemned.kind == RegionKind::kNursery) {
      condemned.top = held ? condemned.top : 0;
    } else if (held) {
      survivors_[condemned.generation].push_back(region);
    } else {
      source_.give_back({region, 1});
    }
  }
  condemned_.clear();

  const std::scoped_lock lock(mutex_);
  cursor_ = first_granule_of_region(nursery_.first);
  settle_size(lock);
}

std::uint32_t Young::held_in(std::uint32_t first, std::uint32_t count) const {
  std::uint32_t held = 0;
  for (std::uint32_t region = first; region < first + count; ++region) {
    held += (row(region).flags & RegionRow::kHeld) != 0 ? 1 : 0;
  }
  return held;
}

// The size that is wanted, or where there is no room for it the size that was: for that there is, as
// regions behind it are held no more than before.
void Young::settle_size(const std::scoped_lock<std::mutex>&) {
  for (const std::uint32_t size : {wanted_, in_use_}) {
    const std::uint32_t counted = size + held_in(nursery_.first + size, nursery_.count - size);
    if (counted > counted_ && !source_.count_in(counted - counted_)) {
      continue;
    }
    if (size > in_use_ && !source_.cage().commit({nursery_.first + in_use_, size - in_use_})) {
      source_.count_out(counted - std::min(counted, counted_));
      continue;
    }
    if (counted < counted_) {
      source_.count_out(counted_ - counted);
    }
    in_use_ = size;
    counted_ = counted;
    return;
  }
}

}  // namespace tenure
