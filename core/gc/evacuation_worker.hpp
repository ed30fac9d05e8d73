// One worker of an evacuation: what it reaches it moves to room of its own, and reads.
//
//   slot --> header --> forwarded, or stays:  the slot gets its place
//                       else:                 claim the header, copy, push what holds references
//
//   stack of copies not yet read --> [ the next few, their targets being fetched ] --> read
//
// Why the few: a header that is reached is a cache miss, and its object must be copied before the
// next is known. With several copies ahead of the reading as many misses overlap.
//
// Invariant: an object is claimed once, by its header; who loses a claim gives its room back. Only the
// worker that claimed an object writes its copy. Others see the copy's place alone, until the copy is
// offered to them.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <limits>
#include <vector>

#include "core/base/worklist.hpp"
#include "core/gc/card_slots.hpp"
#include "core/gc/evacuation.hpp"
#include "core/heap/heap.hpp"

namespace tenure {

/// References [first, end) of a copy that were not read yet. Why the end is kept: the copy's header was
/// just stored in halves, and a load of it would wait for both.
struct Unread {
  ObjectIndex object = ObjectIndex::kNull;
  std::uint32_t first = 0;
  std::uint32_t end = 0;
};

/// What all workers of one evacuation go by.
struct EvacuationPlan {
  EvacuationPlan(Heap& of, Promotion promotion);

  Heap& heap;
  RegionRow* regions;
  const TypeRow* types;
  Promotion promotion;
  std::uint32_t oldest;
  bool is_marking;      // what goes to the oldest generation is reported
  std::uint32_t ahead;  // copies that wait to be read
  std::array<std::uint32_t, kMaxGenerations> age_limits{};  // survivals, by generation
  std::array<std::uint32_t, kMaxGenerations> goes_to{};     // and up to here then
};

/// threads  one worker each. With `Together` beside others, with `Alone` while no other works.
class EvacuationWorker {
 public:
  explicit EvacuationWorker(const EvacuationPlan& plan) : plan_(plan) {}
  EvacuationWorker(const EvacuationWorker&) = delete;
  EvacuationWorker& operator=(const EvacuationWorker&) = delete;

  /// Rewrites the slot if it names something that moves.
  template <class Access>
  void visit(ObjectIndex& slot);

  /// Visits the slots found on a card, and keeps the card while it names something younger.
  template <class Access>
  void visit(const CardSlots& card);

  /// Fetches what the first slots of a card name, some time before they are visited.
  void fetch(const CardSlots& card) const;

  static constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

  /// Reads copies, and those that they lead to, until none is left or `limit` granules were moved.
  void drain_alone(std::uint64_t limit = kNoLimit);

  /// The same beside others, until all of them are done.
  void drain_together(Worklists<Unread>& lists, std::uint32_t member);

  /// Leaves its unread copies to whoever takes them.
  void hand_over(Worklists<Unread>& lists, std::uint32_t member);

  [[nodiscard]] bool has_unread() const { return !stack_.empty(); }
  [[nodiscard]] std::uint64_t granules_moved() const { return granules_moved_; }

  /// Gives room that is left back to the heap, and adds what was done. No other works.
  void finish(EvacuationStats& stats);

 private:
  static constexpr int kObjectShift = 32;
  class Ahead;

  // Null lies in region 0, which is nobody's and never condemned. Why atomic: a worker that takes a
  // block may settle the block's region beside us, which is a flag of the same byte.
  [[nodiscard]] bool is_condemned(ObjectIndex object) const {
    return (std::atomic_ref(plan_.regions[region_of(object)].flags)
                .load(std::memory_order_relaxed) &
            RegionRow::kCondemned) != 0;
  }
  [[nodiscard]] std::uint32_t generation_of(ObjectIndex object) const {
    return plan_.regions[region_of(object)].generation;
  }

  // Where a condemned object is from now on. Why inlined where it is called: it is all that is done
  // for an object. Measured: `bench young`.
  template <class Access>
  [[gnu::always_inline]] ObjectIndex survive(ObjectIndex object);
  template <class Access>
  [[gnu::always_inline]] void visit_here(ObjectIndex& slot);
  template <class Access>
  ObjectIndex stay(ObjectIndex object, ObjectHeader header);
  struct Survivor {
    ObjectIndex object;
    ObjectHeader header;  // as it was when room was taken
    std::uint32_t references;
    std::uint32_t generation;
  };
  template <class Access>
  [[gnu::always_inline]] ObjectIndex move_to(const Survivor& of, ObjectIndex copy,
                                             std::uint32_t target, std::uint32_t age);
  template <class Access>
  ObjectIndex go_early(ObjectIndex object, ObjectHeader header, std::uint32_t references,
                       bool goes_up);
  [[nodiscard, gnu::always_inline]] ObjectIndex take(std::uint32_t generation,
                                                     std::uint32_t granules, Content content);
  void untake(ObjectIndex copy, std::uint32_t generation, std::uint32_t granules, Content content);

  [[gnu::always_inline]] void fetch(ObjectIndex target) const;
  [[nodiscard, gnu::always_inline]] Unread look_ahead();
  template <class Access>
  [[gnu::always_inline]] void read(const Unread& piece);
  template <class Access, class MayGoOn>
  void drain(MayGoOn may_go_on);
  template <class Access>
  void remember(std::uint32_t card);

  const EvacuationPlan& plan_;
  std::vector<Unread> stack_;
  std::array<SurvivorRoom, kMaxGenerations> rooms_;
  CellCache cells_;
  std::vector<std::uint32_t> remembered_;  // cards claimed beside others, not yet listed
  std::vector<std::uint32_t> held_;        // regions with an object that stays; twins are allowed
  std::vector<ObjectIndex> promoted_;      // to the oldest generation, while a marking goes on
  // What moved, by generation and age: granules, and objects shifted by `kObjectShift`. Neither passes half the
  // cage, as there are two places of each.
  Survivors moved_{};
  /// Moved to the oldest generation for want of room in the one they were for; and those of them that
  /// were for their own.
  struct Early {
    std::uint64_t objects = 0;
    std::uint64_t objects_below_age = 0;
    std::uint64_t granules_below_age = 0;
  };
  std::array<Early, kMaxGenerations> early_{};  // by the generation they came from
  std::uint64_t granules_moved_ = 0;
  std::uint64_t objects_held_ = 0;
};

}  // namespace tenure
