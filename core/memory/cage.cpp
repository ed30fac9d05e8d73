#include "core/memory/cage.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "core/base/bitmap.hpp"
#include "core/base/check.hpp"
#include "tenure/detail/fast_path.hpp"

namespace tenure {

namespace {

constexpr Bytes kCageBytes{kCageGranules * kGranuleBytes};
constexpr Bytes kRegionBytes{std::uint64_t{kGranulesPerRegion} * kGranuleBytes};
constexpr Bytes kAlignment{2u << 20};  // of a huge page

// Bytes of each table that speak of one region.
constexpr std::uint64_t kCardBytesPerRegion = kCardsPerRegion;
constexpr std::uint64_t kMarkBytesPerRegion = kGranulesPerRegion / kGranulesPerMark / 8;

// The smallest table has a card byte a card: an extent is so many regions that theirs fill a page.
std::uint32_t regions_in_extent(Bytes page) {
  return static_cast<std::uint32_t>(std::max<std::uint64_t>(page.count() / kCardBytesPerRegion, 8));
}

std::vector<std::uint32_t> bits(std::uint64_t count) {
  return std::vector<std::uint32_t>((count + kBitsPerWord - 1) / kBitsPerWord);
}

}  // namespace

Result<Cage*> Cage::instance(Platform& platform) {
  static std::mutex mutex;
  static Cage* cage = nullptr;  // guarded by mutex; never destroyed, objects may outlive statics
  const std::scoped_lock lock(mutex);
  if (cage == nullptr) {
    auto fresh = std::unique_ptr<Cage>(new Cage(platform));
    if (Result<void> opened = fresh->open(); !opened) {
      return opened.failure();
    }
    cage = fresh.release();
  }
  return cage;
}

Result<void> Cage::open() {
  regions_per_extent_ = regions_in_extent(platform_.page_size());
  const auto reserve = [this](Bytes size) { return platform_.reserve(size, kAlignment); };
  const Result<std::byte*> cage = reserve(kCageBytes);
  const Result<std::byte*> cards = reserve(Bytes{kCardBytesPerRegion * kRegions});
  const Result<std::byte*> starts = reserve(Bytes{kCardBytesPerRegion * kRegions});
  const Result<std::byte*> marks = reserve(Bytes{kMarkBytesPerRegion * kRegions});
  constexpr Bytes kRegionRows{sizeof(RegionRow) * std::uint64_t{kRegions}};
  constexpr Bytes kBlockRows{sizeof(BlockRow) * std::uint64_t{kBlocks}};
  const Result<std::byte*> regions = reserve(kRegionRows);
  const Result<std::byte*> blocks = reserve(kBlockRows);
  for (const auto* range : {&cage, &cards, &starts, &marks, &regions, &blocks}) {
    if (!*range) {
      return Error{range->failure().code,
                   "the heap's cage needs 32 GiB of addresses and its tables "
                   "416 MiB: " +
                       range->failure().message};
    }
  }
  // Why these two at once: a row is asked for by any place, also one that is free.
  for (const auto& [rows, size] : {std::pair{*regions, kRegionRows}, {*blocks, kBlockRows}}) {
    if (Result<void> committed = platform_.commit(rows, size, PageUse::kPlain); !committed) {
      return committed;
    }
  }
  base_ = *cage;
  cards_ = reinterpret_cast<std::uint8_t*>(*cards);
  starts_ = reinterpret_cast<std::uint8_t*>(*starts);
  marks_ = reinterpret_cast<std::uint32_t*>(*marks);
  regions_ = reinterpret_cast<RegionRow*>(*regions);
  blocks_ = reinterpret_cast<BlockRow*>(*blocks);
  detail::cage_base = base_;
  detail::cage_cards = cards_;

  taken_ = bits(kRegions);
  used_ = bits(kRegions);
  populated_ = bits(kRegions);
  committed_ = bits(kRegions / regions_per_extent_);
  heaps_ = bits(std::uint64_t{1} << 16);
  set_bit(taken_.data(), 0);
  set_bit(taken_.data(), kRegions - 1);
  set_bit(heaps_.data(), static_cast<std::uint32_t>(HeapId::kNone));
  return {};
}

Result<HeapId> Cage::open_heap() {
  const Lock lock(mutex_);
  constexpr std::uint64_t kHeaps = std::uint64_t{1} << 16;
  const std::uint64_t free = next_clear_bit(heaps_.data(), 0, kHeaps);
  if (free == kHeaps) {
    return Error{ErrorCode::kOutOfMemory, "65535 heaps are open in this process; close one first"};
  }
  set_bit(heaps_.data(), free);
  return static_cast<HeapId>(free);
}

void Cage::close_heap(HeapId heap) {
  const Lock lock(mutex_);
  clear_bit(heaps_.data(), static_cast<std::uint32_t>(heap));
}

std::optional<RegionRun> Cage::take(std::uint32_t count, const RegionRow& row) {
  const Lock lock(mutex_);
  const std::optional<std::uint32_t> first = find_free(lock, count);
  if (!first || !commit_regions(lock, *first, *first + count)) {
    return std::nullopt;
  }
  set_rows(lock, *first, count, row);
  return RegionRun{*first, count};
}

std::optional<RegionRun> Cage::reserve(std::uint32_t count, const RegionRow& row) {
  const Lock lock(mutex_);
  const std::optional<std::uint32_t> first = find_free(lock, count);
  if (!first) {
    return std::nullopt;
  }
  set_rows(lock, *first, count, row);
  return RegionRun{*first, count};
}

bool Cage::commit(const RegionRun& run) {
  const Lock lock(mutex_);
  return commit_regions(lock, run.first, run.first + run.count);
}

void Cage::give_back(const RegionRun& run) {
  const Lock lock(mutex_);
  for (std::uint32_t region = run.first; region < run.first + run.count; ++region) {
    check(test_bit(taken_.data(), region), "a region was given back that was not taken");
    clear_bit(taken_.data(), region);
    regions_[region] = RegionRow{};
  }
  lowest_free_ = std::min(lowest_free_, run.first);
}

Bytes Cage::discard_free() {
  const Lock lock(mutex_);
  Bytes given_back;
  for (std::uint32_t region = 1; region < kRegions; ++region) {
    if (test_bit(taken_.data(), region) || !may_have_memory(lock, region)) {
      continue;
    }
    platform_.discard(base_ + region * kRegionBytes.count(), kRegionBytes);
    clear_bit(used_.data(), region);
    clear_bit(populated_.data(), region);
    given_back += kRegionBytes;
  }
  return given_back;
}

std::optional<std::uint32_t> Cage::find_free(const Lock&, std::uint32_t count) {
  std::uint64_t first = next_clear_bit(taken_.data(), lowest_free_, kRegions);
  lowest_free_ = static_cast<std::uint32_t>(first);
  while (first < kRegions) {
    const std::uint64_t end = next_set_bit(taken_.data(), first, kRegions);
    if (end - first >= count) {
      return static_cast<std::uint32_t>(first);
    }
    first = next_clear_bit(taken_.data(), end, kRegions);
  }
  return std::nullopt;
}

bool Cage::populate_free(std::uint32_t ahead) {
  std::optional<std::uint32_t> region;
  {
    const Lock lock(mutex_);
    region = find_untouched(lock, ahead);
    if (!region || !commit_extents(lock, *region, *region + 1)) {
      return true;
    }
  }
  // Why without the lock: whoever takes a region meanwhile must not wait for this, but may use it.
  platform_.populate(base_ + *region * kRegionBytes.count(), kRegionBytes);
  const Lock lock(mutex_);
  set_bit(populated_.data(), *region);
  return !find_untouched(lock, ahead).has_value();
}

bool Cage::may_have_memory(const Lock&, std::uint64_t region) const {
  return test_bit(used_.data(), region) || test_bit(populated_.data(), region);
}

std::optional<std::uint32_t> Cage::find_untouched(const Lock& lock, std::uint32_t ahead) const {
  std::uint64_t region = next_clear_bit(taken_.data(), lowest_free_, kRegions);
  for (; ahead > 0 && region < kRegions; --ahead) {
    if (!may_have_memory(lock, region)) {
      return static_cast<std::uint32_t>(region);
    }
    region = next_clear_bit(taken_.data(), region + 1, kRegions);
  }
  return std::nullopt;
}

bool Cage::commit_extents(const Lock&, std::uint32_t first, std::uint32_t end) {
  for (std::uint32_t extent = first / regions_per_extent_;
       extent <= (end - 1) / regions_per_extent_; ++extent) {
    if (test_bit(committed_.data(), extent)) {
      continue;
    }
    const std::uint64_t at = std::uint64_t{extent} * regions_per_extent_;
    const auto commit = [&](void* table, std::uint64_t bytes_per_region, PageUse use) {
      return platform_
          .commit(static_cast<std::byte*>(table) + at * bytes_per_region,
                  Bytes{regions_per_extent_ * bytes_per_region}, use)
          .ok();
    };
    if (!commit(cards_, kCardBytesPerRegion, PageUse::kPlain) ||
        !commit(starts_, kCardBytesPerRegion, PageUse::kPlain) ||
        !commit(marks_, kMarkBytesPerRegion, PageUse::kPlain) ||
        !commit(base_, kRegionBytes.count(), PageUse::kDense)) {
      return false;
    }
    set_bit(committed_.data(), extent);
  }
  return true;
}

bool Cage::commit_regions(const Lock& lock, std::uint32_t first, std::uint32_t end) {
  if (!commit_extents(lock, first, end)) {
    return false;
  }
  std::uint64_t fresh = 0;
  for (std::uint32_t region = first; region < end; ++region) {
    fresh += test_bit(used_.data(), region) ? 0 : 1;
    set_bit(used_.data(), region);
  }
  taken_fresh_.fetch_add(fresh, std::memory_order_relaxed);
  constexpr std::uint64_t kMarksPerRegion = kGranulesPerRegion / kGranulesPerMark;
  clear_words(marks_, first * kMarksPerRegion, end * kMarksPerRegion);
  return true;
}

void Cage::set_rows(const Lock&, std::uint32_t first, std::uint32_t count, const RegionRow& row) {
  for (std::uint32_t region = first; region < first + count; ++region) {
    set_bit(taken_.data(), region);
    regions_[region] = row;
  }
}

}  // namespace tenure
