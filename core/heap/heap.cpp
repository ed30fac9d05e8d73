#include "core/heap/heap.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>
#include <utility>

#include "core/base/bitmap.hpp"
#include "core/heap/object_access.hpp"

namespace tenure {

namespace {
constexpr std::uint64_t kRegionBytes = std::uint64_t{kGranulesPerRegion} * kGranuleBytes;
// Between looks at the clock: their bits are 128 KiB, cleared or counted in some 10 us.
constexpr std::size_t kRegionsAtATime = 64;
}  // namespace

Result<std::unique_ptr<Heap>> Heap::open(Platform& platform, const HeapOptions& options) {
  const Result<Cage*> cage = Cage::instance(platform);
  if (!cage) {
    return cage.failure();
  }
  const Result<HeapId> id = (*cage)->open_heap();
  if (!id) {
    return id.failure();
  }
  std::unique_ptr<Heap> heap(new Heap(**cage, *id, options));
  if (heap->has_nursery()) {
    if (Result<void> opened = heap->young_.open(options.nursery, options.nursery_reserve);
        !opened) {
      return opened.failure();
    }
  }
  return heap;
}

Heap::Heap(Cage& cage, HeapId id, const HeapOptions& options)
    : options_(options),
      source_(cage, id, static_cast<std::uint32_t>(options.limit.count() / kRegionBytes)),
      young_(source_),
      blocks_(source_, static_cast<std::uint8_t>(options.generations - 1), cards_.written()),
      old_(blocks_, cage),
      large_(source_, blocks_, static_cast<std::uint8_t>(options.generations - 1)),
      afterlife_(cage.regions()),
      roots_(cage, id, afterlife_.finalizers()) {
  for (std::uint32_t generation = 0; generation < oldest(); ++generation) {
    ages_[generation] = options.promotion_age[generation];
  }
}

Heap::~Heap() { cage().close_heap(id()); }

std::optional<BufferRun> Heap::take_buffer(std::uint32_t granules) {
  return has_nursery() ? young_.take_buffer(granules) : std::nullopt;
}

namespace {

ObjectIndex made_zero(ObjectIndex object, TypeId type, std::uint64_t granules) {
  if (object != ObjectIndex::kNull) {
    std::memset(detail::data_of(object), 0, (granules - 1) * kGranuleBytes);
    detail::header_of(object) =
        ObjectHeader{static_cast<std::uint32_t>(type), static_cast<std::uint32_t>(granules)};
  }
  return object;
}

}  // namespace

ObjectIndex Heap::take_born_old(TypeId type, std::uint64_t granules) {
  const Content content = content_of(type, static_cast<std::uint32_t>(granules));
  ObjectIndex object = ObjectIndex::kNull;
  {
    const std::scoped_lock lock(mutex_);
    object = granules <= kLargestCell
                 ? old_.take(born_old_, static_cast<std::uint32_t>(granules), content)
                 : large_.take(granules, content);
    note_born_old(object);
  }
  return made_zero(object, type, granules);
}

ObjectIndex Heap::take_permanent(TypeId type, std::uint64_t granules) {
  ObjectIndex object = ObjectIndex::kNull;
  {
    const std::scoped_lock lock(mutex_);
    object = granules <= kLargestCell
                 ? old_.take_permanent(born_permanent_, static_cast<std::uint32_t>(granules))
                 : large_.take(granules, Content::kPermanent);
    note_born_old(object);
  }
  return made_zero(object, type, granules);
}

ObjectIndex Heap::take_promoted_slowly(CellCache& cache, std::uint32_t granules, Content content) {
  const std::scoped_lock lock(mutex_);
  return granules <= kLargestCell ? old_.take(cache, granules, content)
                                  : large_.take(granules, content);
}

void Heap::untake_promoted(CellCache& cache, ObjectIndex room, std::uint32_t granules,
                           Content content) {
  if (granules <= kLargestCell) {
    Old::untake(cache, room, granules, content);
    return;
  }
  const std::scoped_lock lock(mutex_);
  large_.untake(room);
}

Content Heap::content_of(TypeId type, std::uint32_t granules) {
  const std::uint32_t references = reference_count(TypeTable::instance().row(type), granules);
  return references == 0 ? Content::kLeaves : Content::kReferences;
}

Bytes Heap::used() const {
  Bytes sum;
  for (std::uint32_t generation = 0; generation < options_.generations; ++generation) {
    sum += used(generation);
  }
  return sum;
}

Bytes Heap::used(std::uint32_t generation) const {
  if (generation < oldest()) {
    return young_.used(generation);
  }
  const std::scoped_lock lock(mutex_);
  return old_.used() + large_.used();
}

Bytes Heap::committed() const { return Bytes{source_.used() * kRegionBytes}; }
Fragmentation Heap::fragmentation() const {
  const std::scoped_lock lock(mutex_);
  return old_.fragmentation();
}
Bytes Heap::limit() const { return Bytes{source_.limit() * kRegionBytes}; }

template <class Visit>
void Heap::for_each_old_region(Visit visit) {
  for (const std::uint32_t region : blocks_.regions()) {
    visit(region);
  }
  large_.for_each_object([&](ObjectIndex object) {
    if (row(object).kind == RegionKind::kLargeHead) {
      visit(region_of(object));
    }
  });
}

void Heap::remember_everything() {
  for (std::uint32_t region = 0; region < kRegions; ++region) {
    const RegionRow& row = cage().regions()[region];
    if (row.heap != source_.heap() || row.kind == RegionKind::kFree ||
        row.kind == RegionKind::kNursery || row.leaf != 0) {
      continue;
    }
    const std::uint32_t used = row.kind == RegionKind::kBump
                                   ? (row.top + kGranulesPerCard - 1) / kGranulesPerCard
                                   : kCardsPerRegion;
    for (std::uint32_t card = 0; card < used; ++card) {
      cards_.remembered().add(region * kCardsPerRegion + card);
    }
  }
}

void Heap::clear_marks(std::uint32_t region) {
  constexpr std::uint64_t kMarksPerRegion = kGranulesPerRegion / kGranulesPerMark;
  clear_words(cage().marks(), region * kMarksPerRegion, (region + 1) * kMarksPerRegion);
}

bool Heap::prepare_marking() {
  if (is_marking_) {
    return true;
  }
  const std::scoped_lock lock(mutex_);
  if (!old_.is_settled()) {
    old_.settle(kRegionsAtATime);
    cleared_ = 0;
    return false;
  }
  if (!old_.sweep(kRegionsAtATime)) {
    return false;
  }
  // Regions come and go beside us; those that are missed are cleared when the marking begins.
  const std::vector<std::uint32_t>& regions = blocks_.regions();
  const std::size_t end = std::min(cleared_ + kRegionsAtATime, regions.size());
  for (; cleared_ < end; ++cleared_) {
    clear_marks(regions[cleared_]);
    cage().regions()[regions[cleared_]].flags |= RegionRow::kClear;
  }
  return cleared_ >= regions.size();
}

bool Heap::settle_some() {
  const std::scoped_lock lock(mutex_);
  old_.settle(kRegionsAtATime);
  return old_.is_settled();
}

void Heap::begin_marking() {
  for_each_old_region([this](std::uint32_t region) {
    std::uint8_t& flags = cage().regions()[region].flags;
    if ((flags & RegionRow::kClear) == 0) {
      clear_marks(region);
    }
    flags = RegionRow::kMarking;
  });
  blocks_.cover_fresh_regions(true);
  large_.cover_fresh_regions(true);
  cleared_ = 0;
  is_marking_ = true;
}

std::vector<ObjectIndex> Heap::take_born_while_marking() {
  const std::scoped_lock lock(mutex_);
  return std::exchange(born_while_marking_, {});
}

Bytes Heap::end_marking() {
  abandon_marking();
  old_.begin_settling();
  return large_.settle_marks();
}

void Heap::abandon_marking() {
  for_each_old_region([this](std::uint32_t region) { cage().regions()[region].flags = 0; });
  blocks_.cover_fresh_regions(false);
  large_.cover_fresh_regions(false);
  born_while_marking_.clear();
  is_marking_ = false;
}

Bytes Heap::settle_cells() {
  const std::scoped_lock lock(mutex_);
  return old_.settle(std::numeric_limits<std::size_t>::max());
}

HeapView Heap::view() {
  return {.words = reinterpret_cast<const std::uint32_t*>(cage().base()),
          .types = TypeTable::instance().rows(),
          .regions = cage().regions(),
          .blocks = cage().blocks(),
          .marks = cage().marks(),
          .heap = id()};
}

}  // namespace tenure
