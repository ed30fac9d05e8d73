// How a snapshot is taken: a stop of some microseconds to see how much there is, room for the copy, a
// stop for bytes and lists, the graph after.
#include "tenure/snapshot.hpp"

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "core/heap/owners.hpp"
#include "core/observe/heap_graph.hpp"
#include "core/observe/heap_image.hpp"
#include "core/payload/block.hpp"
#include "core/payload/guard.hpp"
#include "core/payload/pool_core.hpp"
#include "core/runtime/away_if_running.hpp"
#include "core/runtime/state.hpp"
#include "tenure/runtime.hpp"

namespace tenure {

namespace {

// What mutators may add before the stop comes; more than that, and it is tried again.
constexpr Bytes kGrowth{8u << 20};
constexpr std::uint64_t kSlack = 8;  // an eighth of what was there

// Pages that are there before the stop needs them.
class Room {
 public:
  static Result<Room> open(Bytes size) {
    Platform& platform = host_platform();
    constexpr Bytes kHugePage{2u << 20};
    const Bytes rounded = round_up(size, kHugePage);
    const Result<std::byte*> base = platform.reserve(rounded, kHugePage);
    if (!base) {
      return base.failure();
    }
    Room room(*base, rounded);
    if (Result<void> committed = platform.commit(*base, rounded, PageUse::kDense); !committed) {
      return committed.failure();
    }
    platform.populate(*base, rounded);
    return room;
  }
  Room(Room&& from) noexcept
      : base_(std::exchange(from.base_, nullptr)), size_(std::exchange(from.size_, Bytes{})) {}
  Room& operator=(Room&& from) noexcept {
    std::swap(base_, from.base_);
    std::swap(size_, from.size_);
    return *this;
  }
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;
  ~Room() {
    if (base_ != nullptr) {
      host_platform().release(base_, size_);
    }
  }

  [[nodiscard]] std::span<std::byte> bytes() const { return {base_, size_.count()}; }

 private:
  Room(std::byte* base, Bytes size) : base_(base), size_(size) {}

  std::byte* base_;
  Bytes size_;
};

// What its owner asked for, without the redzones of a checked runtime.
Bytes asked_for(const PayloadBlock& block) {
  return block.core->guard == nullptr ? Bytes{block.asked} : PayloadGuard::asked_for(block);
}

HeapPlaces places_of(Heap& heap) {
  HeapPlaces places;
  heap.young().for_each_region([&](std::uint32_t region) { places.bumped.push_back(region); });
  places.blocks = heap.blocks().regions();
  heap.large().for_each_object([&](ObjectIndex object) { places.large.push_back(object); });
  return places;
}

// Stopped world: payload blocks are read here, since a pool may use them for others later.
HeapNotes notes_of(Heap& heap) {
  HeapNotes notes;
  heap.roots().for_each_named(
      [&](ObjectIndex object, RootKind kind, std::uint64_t number, std::string_view name) {
        std::uint32_t label = 0;
        if (!name.empty()) {
          if (notes.labels.back() != name) {
            notes.labels.emplace_back(name);
          }
          label = static_cast<std::uint32_t>(notes.labels.size() - 1);
        }
        notes.roots.push_back({object, kind, label, number});
      });
  heap.afterlife().ephemerons()->for_each_listed([&](const Ephemeron& entry, std::uint32_t) {
    notes.weak_map_entries.push_back({entry.key, entry.value});
  });
  for (std::uint32_t generation = 0; generation <= heap.oldest(); ++generation) {
    for (const ObjectIndex owner : heap.owners().in(generation)) {
      if (const PayloadBlock* const block = payload_of(owner).block; block != nullptr) {
        notes.payloads.push_back({owner, block->core->kind, block->own_site(), asked_for(*block)});
      }
    }
  }
  return notes;
}

}  // namespace

Result<HeapSnapshot> take_snapshot(Runtime& runtime) {
  if (!runtime.is_open() || runtime.state().is_child()) {
    return Error{ErrorCode::kClosed,
                 "a snapshot was asked of a runtime that has no heap: it was "
                 "closed, or stayed with the parent of this process"};
  }
  RuntimeState& state = runtime.state();
  Heap& heap = state.heap();
  const std::uint64_t begun = host_platform().now_ns();
  Bytes wanted;
  const Conductor::StopTimes measured = state.conductor().in_counted_stop(
      state.self(), [&](Team&) { wanted = HeapImage::room_for(heap.view(), places_of(heap)); });
  wanted += wanted / kSlack + kGrowth;
  for (;;) {
    Result<Room> room = Room::open(wanted);
    if (!room) {
      return room.failure();
    }
    HeapImage image(room->bytes());
    HeapNotes notes;
    Bytes copied;
    const Conductor::StopTimes times =
        state.conductor().in_counted_stop(state.self(), [&](Team& team) {
          heap.roots().begin_collection();
          copied = image.copy(heap.view(), places_of(heap), team);
          if (copied.count() <= room->bytes().size()) {
            notes = notes_of(heap);
          }
        });
    if (copied.count() > room->bytes().size()) {
      wanted = copied + copied / kSlack + kGrowth;
      continue;
    }
    const AwayIfRunning away(state.safepoint(), state.self());
    image.settle();
    HeapSnapshot snapshot = make_graph(image, TypeTable::instance().rows(), std::move(notes));
    snapshot.cost = {.to_safepoint_ns = times.to_safepoint_ns,
                     .stop_ns = std::max(times.stop_ns, measured.stop_ns),
                     .total_ns = host_platform().now_ns() - begun,
                     .copied = copied};
    return snapshot;
  }
}

}  // namespace tenure
