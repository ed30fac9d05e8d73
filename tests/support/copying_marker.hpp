// A marker that marks a copy of the heap and brings it up to date by the cards that it is told of, as a
// device's does, on the host: what nobody told of is stale in it, and shows in the marks.
#pragma once

#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <set>
#include <span>
#include <stdexcept>

#include "core/model/marker.hpp"
#include "core/model/serial_marker.hpp"

namespace tenure::testing {

class CopyingMarker final : public Marker {
 public:
  CopyingMarker()
      : words_(::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {
    if (words_ == MAP_FAILED) {
      throw std::runtime_error("no addresses for a copy of the cage");
    }
  }
  ~CopyingMarker() override { ::munmap(words_, kBytes); }

  void begin(const MarkJob& job) override {
    cards_copied_ = 0;
    regions_copied_ = 0;
    if (!job.written) {
      known_.clear();
    } else {
      for (const std::uint32_t card : *job.written) {
        if (known_.contains(card / kCardsPerRegion)) {
          copy(job.heap, std::uint64_t{card} * kGranulesPerCard, kGranulesPerCard);
          ++cards_copied_;
        }
      }
    }
    std::set<std::uint32_t> covered;
    for (std::uint32_t region = 0; region < job.regions; ++region) {
      const RegionRow* row = &job.heap.regions[region];
      row -= row->kind == RegionKind::kLargeTail ? row->link : 0;
      if (row->heap != job.heap.heap || (row->flags & RegionRow::kMarking) == 0 || row->leaf != 0) {
        continue;
      }
      covered.insert(region);
      if (!known_.contains(region)) {
        copy(job.heap, std::uint64_t{region} * kGranulesPerRegion, kGranulesPerRegion);
        ++regions_copied_;
      }
    }
    known_ = std::move(covered);
    MarkJob on_copy = job;
    on_copy.heap.words = static_cast<const std::uint32_t*>(words_);
    serial_.begin(on_copy);
  }
  bool advance(std::uint64_t budget) override { return serial_.advance(budget); }
  void add(std::span<const ObjectIndex> objects) override { serial_.add(objects); }
  MarkStats complete() override { return serial_.complete(); }
  [[nodiscard]] bool keeps_copy() const override { return true; }

  [[nodiscard]] std::uint64_t cards_copied() const { return cards_copied_; }
  [[nodiscard]] std::uint64_t regions_copied() const { return regions_copied_; }

 private:
  static constexpr std::size_t kBytes = kCageGranules * kGranuleBytes;

  void copy(const HeapView& heap, std::uint64_t first, std::uint64_t granules) {
    std::memcpy(static_cast<std::uint32_t*>(words_) + 2 * first, heap.words + 2 * first,
                granules * kGranuleBytes);
  }

  void* words_;
  std::set<std::uint32_t> known_;  // regions that were copied
  SerialMarker serial_;
  std::uint64_t cards_copied_ = 0;
  std::uint64_t regions_copied_ = 0;
};

}  // namespace tenure::testing
