// What lies where in a pool: its blocks as values.
#include <algorithm>
#include <vector>

#include "core/payload/pool.hpp"
#include "tenure/payload_map.hpp"

namespace tenure {

namespace {

PayloadPlace place_of(const PayloadBlock& block, const PayloadGuard* guard) {
  PayloadPlace place{.size = Bytes{block.size}};
  switch (block.state.load(std::memory_order_relaxed)) {
    case BlockState::kLeased:
    case BlockState::kGuarded:
      place.state = PlaceState::kLeased;
      break;
    case BlockState::
        kReturned:  // where nothing is kept from reuse: since the pool was looked through
      place.state = guard != nullptr ? PlaceState::kQuarantined : PlaceState::kLeased;
      break;
    case BlockState::kEvictable:
      place.state = block.note.evictable->is_gone() ? PlaceState::kEvicted : PlaceState::kLeased;
      break;
    case BlockState::kPlanned:
      place.state = PlaceState::kPlanned;
      break;
    default:
      break;
  }
  if (place.state == PlaceState::kLeased || place.state == PlaceState::kEvicted) {
    place.asked = guard == nullptr ? Bytes{block.asked} : PayloadGuard::asked_for(block);
    place.stream = block.uses.home();
    place.site = block.own_site();
    place.client = static_cast<ClientId>(block.client);
  }
  return place;
}

// Slots that are leased lie inside of ranges, and share no byte with each other.
void put_slots(const PayloadBlock& range, const std::vector<const PayloadBlock*>& slots,
               std::vector<PayloadPlace>& places) {
  const std::byte* reached = range.data;
  const auto put_idle = [&](const std::byte* until) {
    if (until != reached) {
      places.push_back({.state = PlaceState::kPlanned,
                        .size = Bytes{static_cast<std::uint64_t>(until - reached)}});
    }
  };
  auto slot =
      std::lower_bound(slots.begin(), slots.end(), range.data,
                       [](const PayloadBlock* a, const std::byte* b) { return a->data < b; });
  for (; slot != slots.end() && (*slot)->data < range.end(); ++slot) {
    put_idle((*slot)->data);
    places.push_back(place_of(**slot, nullptr));
    reached = (*slot)->end();
  }
  put_idle(range.end());
}

}  // namespace

PayloadMap PayloadPool::map() {
  const Lock lock(core_->mutex);
  drain_all(lock);
  PayloadMap map{.kind = kind_, .backend = counts_.backend, .runs = {}, .clients = {}};
  if (sleeping_ != nullptr) {
    return map;
  }
  std::vector<const PayloadBlock*> slots;
  for_each_slot([&](const PayloadBlock& slot) {
    if (!slot.is(BlockState::kPlanned)) slots.push_back(&slot);
  });
  std::sort(slots.begin(), slots.end(),
            [](const PayloadBlock* a, const PayloadBlock* b) { return a->data < b->data; });
  const std::byte* reached = nullptr;
  tiling_.for_each([&](const PayloadBlock& block) {
    if (block.is(BlockState::kUnmapped)) {
      return;
    }
    if (block.data != reached) {
      map.runs.push_back({.address = reinterpret_cast<std::uintptr_t>(block.data), .places = {}});
    }
    reached = block.end();
    std::vector<PayloadPlace>& places = map.runs.back().places;
    if (block.is(BlockState::kPlanned)) {
      put_slots(block, slots, places);
    } else {
      places.push_back(place_of(block, core_->guard.get()));
    }
  });
  return map;
}

}  // namespace tenure
