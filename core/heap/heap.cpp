#include "core/heap/heap.hpp"

#include <algorithm>
#include <cstring>

#include "core/base/bitmap.hpp"
#include "core/heap/object_access.hpp"

namespace tenure {

namespace {
constexpr std::uint64_t kRegionBytes = std::uint64_t{kGranulesPerRegion} * kGranuleBytes;
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
      blocks_(source_, static_cast<std::uint8_t>(options.generations - 1)),
      old_(blocks_, cage),
      large_(source_, blocks_, static_cast<std::uint8_t>(options.generations - 1)) {}

Heap::~Heap() { cage().close_heap(id()); }

std::optional<BufferRun> Heap::take_buffer(std::uint32_t granules) {
  return has_nursery() ? young_.take_buffer(granules) : std::nullopt;
}

ObjectIndex Heap::take_born_old(TypeId type, std::uint64_t granules) {
  const Content content = content_of(type, static_cast<std::uint32_t>(granules));
  ObjectIndex object = ObjectIndex::kNull;
  {
    const std::scoped_lock lock(mutex_);
    object = granules <= kLargestCell
                 ? old_.take(born_old_, static_cast<std::uint32_t>(granules), content)
                 : large_.take(granules, content);
  }
  if (object != ObjectIndex::kNull) {
    std::memset(detail::data_of(object), 0, (granules - 1) * kGranuleBytes);
    detail::header_of(object) =
        ObjectHeader{static_cast<std::uint32_t>(type), static_cast<std::uint32_t>(granules)};
  }
  return object;
}

ObjectIndex Heap::take_promoted(CellCache& cache, std::uint32_t granules, Content content) {
  return granules <= kLargestCell ? old_.take(cache, granules, content)
                                  : large_.take(granules, content);
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

void Heap::begin_marking() {
  constexpr std::uint64_t kMarksPerRegion = kGranulesPerRegion / kGranulesPerMark;
  for_each_old_region([this](std::uint32_t region) {
    cage().regions()[region].flags |= RegionRow::kMarking;
    clear_words(cage().marks(), region * kMarksPerRegion, (region + 1) * kMarksPerRegion);
  });
}

Bytes Heap::settle_marking() {
  for_each_old_region([this](std::uint32_t region) {
    cage().regions()[region].flags &= static_cast<std::uint8_t>(~RegionRow::kMarking);
  });
  return old_.settle_marks() + large_.settle_marks();
}

HeapView Heap::view() {
  return {.words = reinterpret_cast<const std::uint32_t*>(cage().base()),
          .types = TypeTable::instance().rows(),
          .regions = cage().regions(),
          .marks = cage().marks(),
          .heap = id()};
}

}  // namespace tenure
