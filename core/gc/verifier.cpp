#include "core/gc/verifier.hpp"

#include <array>
#include <bit>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/backend/platform.hpp"
#include "core/base/bitmap.hpp"
#include "core/base/check.hpp"
#include "core/heap/object_access.hpp"
#include "core/model/mark_law.hpp"
#include "core/model/serial_marker.hpp"

namespace tenure {

namespace {

std::string name_of(ObjectIndex object) {
  const ObjectHeader header = detail::header_of(object);
  const bool known = static_cast<std::uint32_t>(header.type()) < TypeTable::instance().size();
  return "object " + std::to_string(granule_of(object)) + " (" +
         (known ? std::string(type_name(header.type())) : "unknown type") + ", " +
         std::to_string(header.size) + " granules)";
}

// One verification: the objects found, and the first fault.
class Verification {
 public:
  explicit Verification(Heap& heap) : heap_(heap), regions_(heap.cage().regions()) {}

  Result<void> run() {
    // In this order, and each only if the one before found nothing: a heap whose sizes are broken
    // cannot be walked again.
    const std::array steps{&Verification::find_objects,     &Verification::follow_slots,
                           &Verification::follow_roots,     &Verification::count_free_lists,
                           &Verification::count_owners,     &Verification::check_pins,
                           &Verification::look_at_afterlife};
    for (const auto step : steps) {
      (this->*step)();
      if (!fault_.empty()) {
        return Error{ErrorCode::kBadArgument, fault_};
      }
    }
    return {};
  }

 private:
  template <class Sentence>
  void expect(bool holds, Sentence sentence) {
    if (!holds && fault_.empty()) {
      fault_ = sentence();
    }
  }
  static std::string number(ObjectIndex object) { return std::to_string(granule_of(object)); }

  void find_objects() {
    walk_young();
    heap_.old().for_each_object([this](ObjectIndex object) { find(object, cell_room(object)); });
    heap_.large().for_each_object([this](ObjectIndex object) { find(object, kCageGranules); });
  }
  void follow_slots() {
    heap_.for_each_object([this](ObjectIndex object) { check_slots(object); });
  }
  void follow_roots() {
    heap_.roots().for_each([this](ObjectIndex& root) {
      expect(is_object(root), [&] { return "a root names no object: granule " + number(root); });
    });
  }
  void count_free_lists() {
    heap_.blocks().for_each_block([this](std::uint32_t block) { check_free_list(block); });
  }

  // Bumped regions are walked here and not by the heap, so that a broken size is found, not followed.
  void walk_young() {
    heap_.young().for_each_region([this](std::uint32_t region) {
      const std::uint32_t first = first_granule_of_region(region);
      const std::uint32_t top = first + regions_[region].top;
      for (std::uint32_t at = first; at < top && fault_.empty();) {
        const ObjectHeader header = detail::header_of(object_on(at));
        expect(header.size > 0 && header.size <= top - at, [&] {
          return "region " + std::to_string(region) + " cannot be walked at granule " +
                 std::to_string(at) + ": size " + std::to_string(header.size);
        });
        if (header.type() != TypeId::kFiller) {
          find(object_on(at), top - at);
        }
        at += header.size;
      }
    });
  }

  std::uint64_t cell_room(ObjectIndex object) {
    return heap_.cage().blocks()[block_of(object)].cell;
  }

  void find(ObjectIndex object, std::uint64_t room) {
    const ObjectHeader header = detail::header_of(object);
    const RegionRow& row = regions_[region_of(object)];
    expect(!header.has(ObjectFlag::kForwarded),
           [&] { return name_of(object) + " is forwarded outside of a collection"; });
    expect(
        static_cast<std::uint32_t>(header.type()) > static_cast<std::uint32_t>(TypeId::kFiller) &&
            static_cast<std::uint32_t>(header.type()) < TypeTable::instance().size(),
        [&] { return "granule " + number(object) + " has no type of an object"; });
    expect(header.size >= kSmallestObject && header.size <= room, [&] {
      return name_of(object) + " does not fit its place of " + std::to_string(room) + " granules";
    });
    expect(row.heap == heap_.id(), [&] { return name_of(object) + " lies in another heap"; });
    expect(row.leaf == 0 || slot_count(object) == 0,
           [&] { return name_of(object) + " holds references and lies among leaves"; });
    finalizable_found_ += header.has(ObjectFlag::kFinalizable) ? 1 : 0;
    owners_found_ += header.has(ObjectFlag::kOwner) ? 1 : 0;
    pinned_found_ += header.has(ObjectFlag::kPinned) ? 1 : 0;
    auto [bits, fresh] = starts_.try_emplace(region_of(object));
    if (fresh) {
      bits->second.resize(kGranulesPerRegion / kBitsPerWord);
    }
    set_bit(bits->second.data(), granule_of(object) % kGranulesPerRegion);
  }

  [[nodiscard]] bool is_object(ObjectIndex object) const {
    const auto bits = starts_.find(region_of(object));
    return bits != starts_.end() &&
           test_bit(bits->second.data(), granule_of(object) % kGranulesPerRegion);
  }

  void check_slots(ObjectIndex object) {
    const std::uint32_t own = regions_[region_of(object)].generation;
    const std::uint32_t count = slot_count(object);
    for (std::uint32_t k = 0; k < count && fault_.empty(); ++k) {
      const ObjectIndex child = slots_of(object)[k];
      if (child == ObjectIndex::kNull) {
        continue;
      }
      expect(is_object(child), [&] {
        return name_of(object) + ", slot " + std::to_string(k) + ": names no object: granule " +
               number(child);
      });
      const std::uint32_t card = card_of(granule_of(object) + 1 + k / 2);
      const bool known =
          heap_.cards().remembered().has(card) || detail::cage_cards[card] == detail::kCardLogged;
      expect(regions_[region_of(child)].generation >= own || known, [&] {
        return name_of(object) + " of generation " + std::to_string(own) + ", slot " +
               std::to_string(k) + ", names a younger " + name_of(child) + ", and card " +
               std::to_string(card) + " is not remembered";
      });
    }
  }

  void check_free_list(std::uint32_t block) {
    const BlockRow& row = heap_.cage().blocks()[block];
    if (row.kind != BlockKind::kCells || awaits_sweep(regions_[block / kBlocksPerRegion], row)) {
      return;
    }
    std::uint32_t listed = 0;
    for (std::uint32_t cell = row.free_head; cell != 0 && listed <= kMostCellsPerBlock; ++listed) {
      expect(block_of(object_on(cell)) == block &&
                 detail::header_of(object_on(cell)).type() == TypeId::kFreeCell,
             [&] {
               return "block " + std::to_string(block) + ": its free list leads to granule " +
                      std::to_string(cell) + ", which is no free cell of it";
             });
      if (!fault_.empty()) {
        return;
      }
      cell = detail::header_of(object_on(cell)).size;
    }
    std::uint32_t used = 0;
    auto count = [&used](ObjectIndex) { ++used; };
    heap_.old().for_each_object_in(block, count);
    expect(listed + used == cells_per_block(row.cell) && used == row.used, [&] {
      return "block " + std::to_string(block) + " of " + std::to_string(cells_per_block(row.cell)) +
             " cells: " + std::to_string(listed) + " free, " + std::to_string(used) + " in use, " +
             std::to_string(row.used) + " counted";
    });
  }

  void count_owners() {
    std::uint64_t rows = 0;
    for (std::uint32_t generation = 0; generation < kMaxGenerations; ++generation) {
      for (const ObjectIndex owner : heap_.owners().in(generation)) {
        ++rows;
        expect(is_object(owner) && detail::header_of(owner).has(ObjectFlag::kOwner),
               [&] { return "granule " + number(owner) + " is listed as an owner and is none"; });
        expect(regions_[region_of(owner)].generation == generation, [&] {
          return name_of(owner) + " is listed as an owner of generation " +
                 std::to_string(generation) + " and is of " +
                 std::to_string(regions_[region_of(owner)].generation);
        });
      }
    }
    expect(rows == owners_found_, [&] {
      return std::to_string(owners_found_) + " objects own payloads, " + std::to_string(rows) +
             " are listed";
    });
  }

  // A row of the pins names the place that was pinned: an object must be there, and be held.
  void check_pins() {
    std::uint64_t rows = 0;
    std::unordered_map<std::uint32_t, std::uint32_t> in_region;
    heap_.roots().pins().for_each([&](ObjectIndex object) {
      ++rows;
      ++in_region[region_of(object)];
      expect(is_object(object) && detail::header_of(object).has(ObjectFlag::kPinned), [&] {
        return "granule " + number(object) + " is pinned, and no pinned object is there";
      });
      expect(heap_.young().keeps(region_of(object)), [&] {
        return name_of(object) + " is pinned, and its region " + std::to_string(region_of(object)) +
               " is not held back";
      });
    });
    for (const auto& [region, pins] : in_region) {
      expect(regions_[region].pins == pins, [&, region = region, pins = pins] {
        return "region " + std::to_string(region) + " counts " +
               std::to_string(regions_[region].pins) + " pinned objects of " + std::to_string(pins);
      });
    }
    expect(rows == pinned_found_, [&] {
      return std::to_string(pinned_found_) + " objects say that they are pinned, " +
             std::to_string(rows) + " are";
    });
  }

  // Each weak cell, weak map's entry and finalizer names an object, and is in its generation's list.
  void look_at_afterlife() {
    Afterlife& afterlife = heap_.afterlife();
    const auto expect_listed = [this](ObjectIndex object, std::uint32_t generation,
                                      std::string_view what) {
      expect(is_object(object),
             [&] { return std::string(what) + " names no object: granule " + number(object); });
      expect(!is_object(object) || regions_[region_of(object)].generation == generation, [&] {
        return std::string(what) + " of " + name_of(object) + " is listed in generation " +
               std::to_string(generation);
      });
    };
    afterlife.weak().for_each_listed([&](ObjectIndex target, std::uint32_t generation) {
      expect_listed(target, generation, "a weak cell");
    });
    afterlife.ephemerons()->for_each_listed([&](const Ephemeron& entry, std::uint32_t generation) {
      const bool has_value = entry.value != ObjectIndex::kNull;
      expect(is_object(entry.key) && (!has_value || is_object(entry.value)), [&] {
        return "a weak map's entry names no object: granules " + number(entry.key) + " and " +
               number(entry.value);
      });
      const bool by_value =
          has_value && heap_.generation_of(entry.value) < heap_.generation_of(entry.key);
      expect_listed(by_value ? entry.value : entry.key, generation, "a weak map's entry");
    });
    count_finalizers(afterlife.finalizers(), expect_listed);
  }
  template <class ExpectListed>
  void count_finalizers(Finalizers& finalizers, ExpectListed expect_listed) {
    std::unordered_set<ObjectIndex> to_come;
    const auto expect_once = [&](ObjectIndex object) {
      expect(is_object(object) && detail::header_of(object).has(ObjectFlag::kFinalizable), [&] {
        return "granule " + number(object) + " has a finalizer to come and its header says no";
      });
      expect(to_come.insert(object).second,
             [&] { return "granule " + number(object) + " is to be finalized twice"; });
    };
    finalizers.for_each_listed([&](ObjectIndex object, std::uint32_t generation, bool is_to_come) {
      expect_listed(object, generation, "a finalizer");
      if (is_to_come) {
        expect_once(object);
      }
    });
    finalizers.for_each_due([&](ObjectIndex& object) { expect_once(object); });
    expect(to_come.size() == finalizable_found_, [&] {
      return std::to_string(finalizable_found_) + " headers say finalizable, " +
             std::to_string(to_come.size()) + " finalizers are to come";
    });
  }

  Heap& heap_;
  const RegionRow* regions_;
  std::unordered_map<std::uint32_t, std::vector<std::uint32_t>>
      starts_;  // by region, a bit a granule
  std::uint64_t owners_found_ = 0;
  std::uint64_t pinned_found_ = 0;
  std::uint64_t finalizable_found_ = 0;
  std::string fault_;
};

// Mark bits for the whole cage, of which memory is spent on those that are set.
class OwnMarks {
 public:
  OwnMarks() {
    const Result<std::byte*> base = host_platform().reserve(kSize, host_platform().page_size());
    check(base && host_platform().commit(*base, kSize, PageUse::kPlain),
          "no addresses for the bits of a second marking");
    base_ = *base;
  }
  OwnMarks(const OwnMarks&) = delete;
  OwnMarks& operator=(const OwnMarks&) = delete;
  ~OwnMarks() { host_platform().release(base_, kSize); }

  [[nodiscard]] std::uint32_t* words() const { return reinterpret_cast<std::uint32_t*>(base_); }

 private:
  static constexpr Bytes kSize{kCageGranules / kGranulesPerMark / 8};
  std::byte* base_ = nullptr;
};

}  // namespace

Result<void> verify_marks(Heap& heap, std::span<const ObjectIndex> roots) {
  const OwnMarks own;
  HeapView view = heap.view();
  const std::uint32_t* const marks = std::exchange(view.marks, own.words());
  SerialMarker marker;
  marker.begin({.heap = view, .roots = roots});
  (void)marker.complete();
  constexpr std::uint32_t kMarksPerRegion = kGranulesPerRegion / kGranulesPerMark;
  for (std::uint32_t region = 0; region < kRegions; ++region) {
    const RegionRow& row = view.regions[region];
    if (row.heap != view.heap || (row.flags & RegionRow::kMarking) == 0) {
      continue;
    }
    for (std::uint32_t word = region * kMarksPerRegion / kBitsPerWord;
         word < (region + 1) * kMarksPerRegion / kBitsPerWord; ++word) {
      if (const std::uint32_t differing = marks[word] ^ own.words()[word]; differing != 0) {
        const auto bit = static_cast<std::uint32_t>(std::countr_zero(differing));
        const bool missed = (marks[word] >> bit & 1) == 0;
        return Error{ErrorCode::kBadArgument,
                     name_of(object_of_mark(view, word * kBitsPerWord + bit)) +
                         (missed ? " is reachable, and was not marked"
                                 : " was marked, and is not reachable")};
      }
    }
  }
  return {};
}

Result<void> verify(Heap& heap) {
  heap.flush_born_old();
  return Verification(heap).run();
}

}  // namespace tenure
