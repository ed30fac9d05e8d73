// The used parts of a heap, copied as bytes in a stop: what is looked at afterwards, while mutators go
// on and write over the original.
//
// What is small lies in whole: regions that are bumped, runs of blocks with small cells. Of larger
// objects the header and the references alone are copied, since nobody asks for their data.
//
//   room   | region | region | 5 blocks | block | header, slots | header, slots | ...
//             ^ each has a stretch that says which granules of the cage it is
//
// Invariant: every object that counted in the stop is in exactly one stretch. No memory is taken in the
// stop but the lists of stretches: the caller gives the room.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/base/team.hpp"
#include "core/model/heap_view.hpp"
#include "tenure/bytes.hpp"
#include "tenure/object.hpp"

namespace tenure {

/// Where a heap's objects lie. Lists of the heap's own, as they are in a stop.
struct HeapPlaces {
  std::vector<std::uint32_t> bumped;  // regions, walked from their start to their top
  std::vector<std::uint32_t> blocks;  // regions that are cut into blocks
  std::vector<ObjectIndex> large;     // objects in runs of blocks or regions
};

class HeapImage {
 public:
  /// What a stretch holds.
  enum class Form : std::uint8_t {
    kBumped,  // objects one behind the other, fillers among them
    kCells,   // cells of one size, some of them free
    kObject,  // one object's header and references
  };
  struct Stretch {
    std::uint32_t first = 0;     // granule of the cage
    std::uint32_t granules = 0;  // in the image
    std::uint64_t at = 0;        // granule of the image
    std::uint32_t marks =
        0;  // kCells: one more than where its mark bits are; 0: headers say what counts
    std::uint16_t cell = 0;  // kCells: granules of one
    Form form = Form::kObject;
    std::uint8_t generation = 0;
  };

  /// room   for the copies; a multiple of a granule, and its memory there already
  explicit HeapImage(std::span<std::byte> room) : room_(room) {}

  /// The most room that a copy takes, by rows alone. Stopped world.
  [[nodiscard]] static Bytes room_for(const HeapView& heap, const HeapPlaces& places);

  /// Copies. Stopped world.
  ///
  /// returns  the bytes of room that it takes: more than there are where nothing was copied
  [[nodiscard]] Bytes copy(const HeapView& heap, const HeapPlaces& places, Team& team);

  /// What was copied.
  [[nodiscard]] Bytes size() const;

  /// Sorts the stretches by place. After the stop.
  void settle();
  [[nodiscard]] const std::vector<Stretch>& stretches() const { return stretches_; }
  /// A granule of the image, as its two words.
  [[nodiscard]] const std::uint32_t* words(std::uint64_t granule) const {
    return reinterpret_cast<const std::uint32_t*>(room_.data()) + 2 * granule;
  }

  /// Calls `visit(ObjectIndex, granule of the image, generation)` for each object, by place. Settled.
  template <class Visit>
  void for_each_object(Visit visit) const;

 private:
  struct Copy {
    std::uint32_t from = 0;  // granule of the cage
    std::uint32_t granules = 0;
    std::uint64_t to = 0;  // granule of the image
  };
  void add(std::uint32_t first, std::uint32_t granules, const Stretch& stretch);
  void add_region(const HeapView& heap, std::uint32_t region);
  void copy_cells(const HeapView& heap, std::uint32_t block, std::vector<Stretch>& found);

  std::span<std::byte> room_;
  std::atomic<std::uint64_t> used_{0};  // granules of the room
  std::vector<Stretch> stretches_;
  std::vector<Copy> copies_;           // to be made
  std::vector<std::uint32_t> sparse_;  // blocks whose objects are copied one by one
  std::vector<std::uint32_t> marks_;   // words, kMarkWordsPerBlock a block
};

template <class Visit>
void HeapImage::for_each_object(Visit visit) const {
  for (const Stretch& stretch : stretches_) {
    const auto look = [&](std::uint32_t offset) {
      visit(static_cast<ObjectIndex>(stretch.first + offset), stretch.at + offset,
            stretch.generation);
    };
    if (stretch.form == Form::kObject) {
      look(0);
    } else if (stretch.form == Form::kBumped) {
      for (std::uint32_t at = 0; at < stretch.granules; at += words(stretch.at + at)[1]) {
        if (ObjectHeader::type_of(words(stretch.at + at)[0]) != TypeId::kFiller) {
          look(at);
        }
      }
    } else {
      for (std::uint32_t at = 0; at + stretch.cell <= stretch.granules; at += stretch.cell) {
        const std::uint32_t bit = at / kGranulesPerMark;
        const bool counts =
            stretch.marks != 0
                ? (marks_[stretch.marks - 1 + bit / 32] >> (bit % 32) & 1) != 0
                : ObjectHeader::type_of(words(stretch.at + at)[0]) != TypeId::kFreeCell;
        if (counts) {
          look(at);
        }
      }
    }
  }
}

}  // namespace tenure
