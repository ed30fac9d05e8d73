#include "core/heap/large.hpp"

#include <algorithm>
#include <iterator>

#include "core/base/bitmap.hpp"
#include "core/base/check.hpp"
#include "core/heap/object_access.hpp"

namespace tenure {

namespace {
constexpr std::uint64_t kBlockBytes = std::uint64_t{kGranulesPerBlock} * kGranuleBytes;
constexpr std::uint64_t kRegionBytes = std::uint64_t{kGranulesPerRegion} * kGranuleBytes;
}  // namespace

Large::~Large() {
  for (const ObjectIndex object : objects_) {
    give_back(object);
  }
}

ObjectIndex Large::take(std::uint64_t granules, Content content) {
  const ObjectIndex object = granules <= kLargestBlockRun
                                 ? take_blocks(static_cast<std::uint32_t>(granules), content)
                                 : take_regions(granules, content);
  if (object != ObjectIndex::kNull) {
    objects_.push_back(object);
    used_ += run_of(object);
  }
  return object;
}

void Large::untake(ObjectIndex object) {
  const auto place = std::find(objects_.rbegin(), objects_.rend(), object);
  check(place != objects_.rend(), "room for a large object was given back that was not taken");
  objects_.erase(std::next(place).base());
  used_ -= run_of(object);
  give_back(object);
}

ObjectIndex Large::take_blocks(std::uint32_t granules, Content content) {
  const std::uint32_t count = (granules + kGranulesPerBlock - 1) / kGranulesPerBlock;
  const std::optional<std::uint32_t> first = blocks_.take(count, content);
  if (!first) {
    return ObjectIndex::kNull;
  }
  BlockRow* const rows = source_.cage().blocks() + *first;
  const std::uint8_t flags = flags_of(content);
  rows[0] = BlockRow{.kind = BlockKind::kRunHead, .flags = flags, .link = count};
  for (std::uint32_t k = 1; k < count; ++k) {
    rows[k] = BlockRow{.kind = BlockKind::kRunTail, .flags = flags, .link = k};
  }
  blocks_.note_handed_out(*first, count);
  const ObjectIndex object = object_on(first_granule_of_block(*first));
  if (fresh_flags_ == 0) {  // while a marking goes on, bits of free blocks are clear
    clear_bit(source_.cage().marks(), mark_bit(object));
  }
  return object;
}

ObjectIndex Large::take_regions(std::uint64_t granules, Content content) {
  const std::uint64_t count = (granules + kGranulesPerRegion - 1) / kGranulesPerRegion;
  if (count >= kRegions) {
    return ObjectIndex::kNull;
  }
  const RegionRow tail{.kind = RegionKind::kLargeTail,
                       .generation = generation_,
                       .leaf = content == Content::kLeaves ? std::uint8_t{1} : std::uint8_t{0}};
  const std::optional<RegionRun> run = source_.take(static_cast<std::uint32_t>(count), tail);
  if (!run) {
    return ObjectIndex::kNull;
  }
  blocks_.note_handed_out(run->first * kBlocksPerRegion, run->count * kBlocksPerRegion);
  RegionRow* const rows = source_.cage().regions() + run->first;
  rows[0].kind = RegionKind::kLargeHead;
  rows[0].flags = fresh_flags_;
  rows[0].link = run->count;
  for (std::uint32_t k = 1; k < run->count; ++k) {
    rows[k].link = k;
  }
  return object_on(first_granule_of_region(run->first));
}

Bytes Large::run_of(ObjectIndex object) const {
  const RegionRow& region = source_.cage().regions()[region_of(object)];
  return region.kind == RegionKind::kLargeHead
             ? Bytes{region.link * kRegionBytes}
             : Bytes{source_.cage().blocks()[block_of(object)].link * kBlockBytes};
}

Bytes Large::settle_marks() {
  Bytes freed;
  std::erase_if(objects_, [&](ObjectIndex object) {
    if (is_marked(source_.cage().marks(), object)) {
      return false;
    }
    freed += run_of(object);
    give_back(object);
    return true;
  });
  used_ -= freed;
  return freed;
}

void Large::give_back(ObjectIndex object) {
  const RegionRow region = source_.cage().regions()[region_of(object)];
  if (region.kind == RegionKind::kLargeHead) {
    source_.give_back({region_of(object), region.link});
  } else {
    const std::uint32_t block = block_of(object);
    blocks_.give_back(block, source_.cage().blocks()[block].link);
  }
}

}  // namespace tenure
