// One heap: its spaces as one. Mutators get buffers and places for objects that are born old; the
// collector gets everything, in a stop.
//
// Invariant: between collections every live object is in the nursery, in a survivors' region, in a
// cell, or in a run, and its region's row says which.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "core/heap/afterlife.hpp"
#include "core/heap/block_space.hpp"
#include "core/heap/card_log.hpp"
#include "core/heap/large.hpp"
#include "core/heap/old.hpp"
#include "core/heap/owners.hpp"
#include "core/heap/region_source.hpp"
#include "core/heap/roots.hpp"
#include "core/heap/sampled_objects.hpp"
#include "core/heap/young.hpp"
#include "core/model/heap_view.hpp"
#include "tenure/bytes.hpp"
#include "tenure/per_generation.hpp"
#include "tenure/result.hpp"

namespace tenure {

class Platform;

/// What of a configuration the heap must know.
struct HeapOptions {
  std::uint32_t generations = 3;
  PerGeneration promotion_age = 3;  // survivals in a young generation before an object leaves it
  bool adapts_ages = false;         // they are the most; less where ageing does not pay
  Bytes nursery;
  Bytes nursery_reserve;
  Bytes limit;
  bool compaction = true;           // objects of the oldest generation may move
  double compact_at = 0.3;          // fragmentation above which they do
  Bytes compact_most = kUnlimited;  // moved in one compaction
};

class Heap {
 public:
  /// errors   kOutOfMemory: no addresses, no regions within the limit, too many heaps
  [[nodiscard]] static Result<std::unique_ptr<Heap>> open(Platform& platform,
                                                          const HeapOptions& options);
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;
  ~Heap();

  [[nodiscard]] const HeapOptions& options() const { return options_; }
  [[nodiscard]] std::uint32_t oldest() const { return options_.generations - 1; }
  [[nodiscard]] bool has_nursery() const { return options_.generations > 1; }
  [[nodiscard]] HeapId id() const { return source_.heap(); }

  // Anyone.

  /// A fresh buffer, or none: the nursery is used up, or there is none.
  [[nodiscard]] std::optional<BufferRun> take_buffer(std::uint32_t granules);

  /// Room for an object that is born old, its header written and its data zero, or none.
  [[nodiscard]] ObjectIndex take_born_old(TypeId type, std::uint64_t granules);
  /// The same in a region that holds nothing but objects that are there for good.
  [[nodiscard]] ObjectIndex take_permanent(TypeId type, std::uint64_t granules);

  /// Does some of what the next marking needs done: settles, sweeps, then clears mark bits, about 64
  /// regions' worth. Nothing is done while a marking goes on. For one caller at a time.
  ///
  /// returns  whether all is ready
  bool prepare_marking();

  /// Settles about 64 regions' cells, under the oldest generation's lock. Any mutator.
  ///
  /// returns  whether all are settled
  bool settle_some();

  /// Bytes that objects use, the dead that nobody found included.
  [[nodiscard]] Bytes used() const;
  [[nodiscard]] Bytes used(std::uint32_t generation) const;
  [[nodiscard]] Bytes committed() const;
  [[nodiscard]] std::uint32_t regions_in_use() const { return source_.used(); }
  /// Holes in the oldest generation.
  [[nodiscard]] Fragmentation fragmentation() const;
  [[nodiscard]] Bytes limit() const;

  /// Survivals in a young generation before an object leaves it, as they are at present.
  [[nodiscard]] std::uint32_t promotion_age(std::uint32_t generation) const {
    return ages_[generation];
  }

  /// Copies whose reading waits while what they name is fetched: 16 hide cache misses best, and lay down so
  /// many chains between each other; 1 lays children beside their parents. Read in stops.
  [[nodiscard]] std::uint32_t copies_ahead() const {
    return copies_ahead_.load(std::memory_order_relaxed);
  }
  /// Anyone; from the next collection on.
  void set_copies_ahead(std::uint32_t copies) {
    copies_ahead_.store(copies, std::memory_order_relaxed);
  }
  static constexpr std::uint32_t kMostCopiesAhead =
      16;  // about the line fills that a core keeps under way

  // Stopped world.

  void set_promotion_age(std::uint32_t generation, std::uint32_t age) { ages_[generation] = age; }
  [[nodiscard]] Young& young() { return young_; }
  [[nodiscard]] Old& old() { return old_; }
  [[nodiscard]] Large& large() { return large_; }
  [[nodiscard]] BlockSpace& blocks() { return blocks_; }
  [[nodiscard]] CardLog& cards() { return cards_; }
  [[nodiscard]] Roots& roots() { return roots_; }
  [[nodiscard]] Owners& owners() { return owners_; }
  [[nodiscard]] SampledObjects& samples() { return samples_; }
  [[nodiscard]] Afterlife& afterlife() { return afterlife_; }
  [[nodiscard]] Cage& cage() { return source_.cage(); }
  [[nodiscard]] RegionSource& source() { return source_; }

  /// Room in the oldest generation for a copy, or none; and back, unused. The cache's owner; takes
  /// a lock for a fresh block and for a large object.
  [[nodiscard]] ObjectIndex take_promoted(CellCache& cache, std::uint32_t granules,
                                          Content content) {
    if (granules <= kLargestCell) [[likely]] {
      if (const ObjectIndex cell = Old::take_cached(cache, granules, content);
          cell != ObjectIndex::kNull) [[likely]] {
        return cell;
      }
    }
    return take_promoted_slowly(cache, granules, content);
  }
  void untake_promoted(CellCache& cache, ObjectIndex room, std::uint32_t granules, Content content);

  /// Has each card that an object older than the youngest lies on looked at in the next young collection,
  /// as if somebody had stored there.
  ///
  /// cost     O(bytes of what is older)
  void remember_everything();

  /// Gives the mutators' common cells back, so that blocks can be walked.
  void flush_born_old() {
    old_.flush(born_old_);
    old_.flush(born_permanent_);
  }

  /// Has every region of the oldest generation covered by the marking to come, its bits clear; those
  /// that `prepare_marking` cleared cost a flag each.
  void begin_marking();
  [[nodiscard]] bool is_marking() const { return is_marking_; }
  /// Objects born old since the marking began: they live, and are to be read.
  [[nodiscard]] std::vector<ObjectIndex> take_born_while_marking();
  /// The marking is over, and what it did not reach is dead. Large objects go back at once, cells when
  /// their turn comes: in `settle_cells`, or as a cell is wanted.
  ///
  /// returns  bytes freed so far
  Bytes end_marking();
  /// The marking is dropped: its bits mean nothing.
  void abandon_marking();
  /// Settles all cells.
  ///
  /// returns  bytes freed
  Bytes settle_cells();

  /// What a marker may see.
  [[nodiscard]] HeapView view();

  /// Calls `visit(ObjectIndex&)` for each place outside of the objects that names one: roots, and
  /// lists that hold nothing alive. Whoever keeps such a place adds it here, or it is not rewritten
  /// when its object moves.
  template <class Visit>
  void for_each_outer_slot(Visit visit) {
    roots_.for_each(visit);
    owners_.for_each(visit);
    samples_.for_each(visit);
    afterlife_.for_each_object(visit);
  }

  /// Calls `visit(object)` for each object that counts, fillers left out. Buffers were retired.
  template <class Visit>
  void for_each_object(Visit visit);

  [[nodiscard]] RegionRow& row(ObjectIndex object) { return cage().regions()[region_of(object)]; }
  [[nodiscard]] std::uint32_t generation_of(ObjectIndex object) { return row(object).generation; }
  [[nodiscard]] static Content content_of(TypeId type, std::uint32_t granules);

 private:
  Heap(Cage& cage, HeapId id, const HeapOptions& options);
  // The heap's lock is held.
  void note_born_old(ObjectIndex object) {
    if (is_marking_ && object != ObjectIndex::kNull) {
      born_while_marking_.push_back(object);
    }
  }
  [[nodiscard]] ObjectIndex take_promoted_slowly(CellCache& cache, std::uint32_t granules,
                                                 Content content);
  template <class Visit>
  void for_each_old_region(Visit visit);
  void clear_marks(std::uint32_t region);

  HeapOptions options_;
  RegionSource source_;
  CardLog cards_;
  Young young_;
  BlockSpace blocks_;
  Old old_;
  Large large_;
  Afterlife afterlife_;
  Roots roots_;
  Owners owners_;
  SampledObjects samples_;

  mutable std::mutex mutex_;                           // of the oldest generation
  CellCache born_old_;                                 // guarded by mutex_
  CellCache born_permanent_;                           // guarded by mutex_
  std::vector<ObjectIndex> born_while_marking_;        // guarded by mutex_
  std::array<std::uint32_t, kMaxGenerations> ages_{};  // before promotion; written in stops
  std::atomic<std::uint32_t> copies_ahead_{kMostCopiesAhead};
  std::size_t cleared_ = 0;  // places of the old regions' list that were cleared; the preparer's
  bool is_marking_ = false;  // written in stops
};

template <class Visit>
void Heap::for_each_object(Visit visit) {
  young_.for_each_region([&](std::uint32_t region) {
    const std::uint32_t first = first_granule_of_region(region);
    const std::uint32_t top = first + cage().regions()[region].top;
    for (std::uint32_t at = first; at < top; at += detail::header_of(object_on(at)).size) {
      if (detail::header_of(object_on(at)).type() != TypeId::kFiller) {
        visit(object_on(at));
      }
    }
  });
  old_.for_each_object(visit);
  large_.for_each_object(visit);
}

}  // namespace tenure
