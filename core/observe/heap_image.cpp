#include "core/observe/heap_image.hpp"

#include <algorithm>
#include <cstring>
#include <mutex>

#include "core/model/mark_law.hpp"

namespace tenure {

namespace {

// Cells from here on are not copied whole: of 256 bytes, the data are most.
constexpr std::uint32_t kSparseCell = 32;
constexpr std::uint32_t kMarkWordsPerBlock = kGranulesPerBlock / kGranulesPerMark / 32;
// A worker's share at a time.
constexpr std::uint32_t kGranulesAtATime = kGranulesPerRegion;

// Header and references.
std::uint32_t granules_read(const HeapView& heap, ObjectIndex object) {
  return 1 + (reference_count(heap, object) + 1) / 2;
}

}  // namespace

Bytes HeapImage::room_for(const HeapView& heap, const HeapPlaces& places) {
  std::uint64_t granules = 0;
  for (const std::uint32_t region : places.bumped) {
    granules += heap.regions[region].top;
  }
  for (const std::uint32_t region : places.blocks) {
    for (std::uint32_t block = region * kBlocksPerRegion; block < (region + 1) * kBlocksPerRegion;
         ++block) {
      const BlockRow& cells = heap.blocks[block];
      const bool headers_alone = cells.cell >= kSparseCell && heap.regions[region].leaf != 0;
      if (cells.kind == BlockKind::kCells) {
        granules += headers_alone ? kGranulesPerBlock / cells.cell : kGranulesPerBlock;
      }
    }
  }
  for (const ObjectIndex object : places.large) {
    granules += granules_read(heap, object);
  }
  return Bytes{granules * kGranuleBytes};
}

Bytes HeapImage::size() const {
  return Bytes{used_.load(std::memory_order_relaxed) * kGranuleBytes};
}

void HeapImage::add(std::uint32_t first, std::uint32_t granules, const Stretch& stretch) {
  const std::uint64_t at = used_.fetch_add(granules, std::memory_order_relaxed);
  Stretch& added = stretches_.emplace_back(stretch);
  added.first = first;
  added.granules = granules;
  added.at = at;
  for (std::uint32_t done = 0; done < granules;) {
    Copy* const last = copies_.empty() ? nullptr : &copies_.back();
    const bool goes_on = last != nullptr && last->from + last->granules == first + done &&
                         last->to + last->granules == at + done &&
                         last->granules < kGranulesAtATime;
    Copy& copy = goes_on ? *last : copies_.emplace_back(Copy{first + done, 0, at + done});
    const std::uint32_t more = std::min(granules - done, kGranulesAtATime - copy.granules);
    copy.granules += more;
    done += more;
  }
}

// One region of blocks. Blocks of small cells side by side become one copy.
void HeapImage::add_region(const HeapView& heap, std::uint32_t region) {
  const RegionRow& row = heap.regions[region];
  for (std::uint32_t block = region * kBlocksPerRegion; block < (region + 1) * kBlocksPerRegion;
       ++block) {
    const BlockRow& cells = heap.blocks[block];
    if (cells.kind != BlockKind::kCells) {
      continue;
    }
    if (cells.cell >= kSparseCell) {
      sparse_.push_back(block);
      continue;
    }
    std::uint32_t marks = 0;
    if (awaits_sweep(row, cells)) {
      const std::uint32_t* const bits = heap.marks + std::size_t{block} * kMarkWordsPerBlock;
      marks = static_cast<std::uint32_t>(marks_.size()) + 1;
      marks_.insert(marks_.end(), bits, bits + kMarkWordsPerBlock);
    }
    add(first_granule_of_block(block), kGranulesPerBlock,
        {.marks = marks, .cell = cells.cell, .form = Form::kCells, .generation = row.generation});
  }
}

// The objects of a block one by one: looked at, then copied while they are in the cache.
void HeapImage::copy_cells(const HeapView& heap, std::uint32_t block, std::vector<Stretch>& found) {
  const BlockRow& cells = heap.blocks[block];
  const RegionRow& row = heap.regions[block / kBlocksPerRegion];
  const bool unswept = awaits_sweep(row, cells);
  const std::size_t begun = found.size();
  std::uint64_t sum = 0;
  for (std::uint32_t k = 0; k < kGranulesPerBlock / cells.cell; ++k) {
    const auto object = static_cast<ObjectIndex>(first_granule_of_block(block) + k * cells.cell);
    const TypeId type = ObjectHeader::type_of(heap.words[first_word_of(object)]);
    if (unswept ? is_marked(heap.marks, object) : type != TypeId::kFreeCell) {
      const std::uint32_t granules = granules_read(heap, object);
      found.push_back({.first = static_cast<std::uint32_t>(object),
                       .granules = granules,
                       .at = sum,
                       .generation = row.generation});
      sum += granules;
    }
  }
  const std::uint64_t at = used_.fetch_add(sum, std::memory_order_relaxed);
  const bool fits = (at + sum) * kGranuleBytes <= room_.size();
  for (std::size_t k = begun; k < found.size(); ++k) {
    Stretch& stretch = found[k];
    stretch.at += at;
    if (fits) {
      std::memcpy(room_.data() + stretch.at * kGranuleBytes,
                  heap.words + 2 * std::uint64_t{stretch.first},
                  std::size_t{stretch.granules} * kGranuleBytes);
    }
  }
}

Bytes HeapImage::copy(const HeapView& heap, const HeapPlaces& places, Team& team) {
  for (const std::uint32_t region : places.bumped) {
    const RegionRow& row = heap.regions[region];
    add(first_granule_of_region(region), row.top,
        {.form = Form::kBumped, .generation = row.generation});
  }
  for (const std::uint32_t region : places.blocks) {
    add_region(heap, region);
  }
  for (const ObjectIndex object : places.large) {
    add(static_cast<std::uint32_t>(object), granules_read(heap, object),
        {.generation = heap.regions[region_of(object)].generation});
  }
  if (size().count() > room_.size()) {
    return size();
  }
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  const std::size_t shares = copies_.size() + sparse_.size();
  team.run([&](std::uint32_t) {
    std::vector<Stretch> found;
    for (std::size_t k = next++; k < shares; k = next++) {
      if (k < copies_.size()) {
        const Copy& copy = copies_[k];
        std::memcpy(room_.data() + copy.to * kGranuleBytes,
                    heap.words + 2 * std::uint64_t{copy.from},
                    std::size_t{copy.granules} * kGranuleBytes);
      } else {
        copy_cells(heap, sparse_[k - copies_.size()], found);
      }
    }
    const std::scoped_lock lock(mutex);
    stretches_.insert(stretches_.end(), found.begin(), found.end());
  });
  return size();
}

void HeapImage::settle() {
  std::sort(stretches_.begin(), stretches_.end(),
            [](const Stretch& a, const Stretch& b) { return a.first < b.first; });
}

}  // namespace tenure
