// The entries of weak maps: a value that is kept for as long as its key lives, and by nothing else
// here. An entry whose key died is gone.
//
// An entry is listed by the younger generation of its two objects: a collection that condemns
// neither has nothing to do for it. Whether a key lives may hang on another entry's value, so what
// is kept is found by rounds: keep the values of keys reached, read what they lead to, look again.
//
// Invariant: an entry names its key and value where they are, its map finds it by the key's place,
// and it is in the list of the younger one's generation.
//
// Source: "Ephemerons: A New Finalization Mechanism", Hayes, OOPSLA 1997.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/base/ring.hpp"
#include "core/heap/object_access.hpp"
#include "core/model/region.hpp"
#include "tenure/object.hpp"
#include "tenure/statistics.hpp"

namespace tenure {

class EphemeronMap;

/// One entry. Its link is in the list of a generation.
struct Ephemeron : RingLink {
  ObjectIndex value = ObjectIndex::kNull;  // may be null
  ObjectIndex key = ObjectIndex::kNull;    // as its map has it
  EphemeronMap* map = nullptr;
};

/// All entries of one heap's weak maps. Maps hold it, so that they may outlive the heap.
class EphemeronTable {
 public:
  explicit EphemeronTable(const RegionRow* regions) : regions_(regions) {}
  EphemeronTable(const EphemeronTable&) = delete;
  EphemeronTable& operator=(const EphemeronTable&) = delete;

  using Lock = std::unique_lock<std::mutex>;
  /// Held over a collection's look at the entries, which is taken in steps.
  [[nodiscard]] Lock lock() const { return Lock(mutex_); }

  /// Keeps the values whose keys live, in lists 0 to `last`, and all that they lead to. Stopped world.
  ///
  /// reach    as `Afterlife::settle` has it
  /// returns  false: `reach` ran out of time; nothing has changed then
  template <class Reach>
  bool keep_values(const Lock& lock, std::uint32_t last, Reach& reach);

  /// Drops the entries of lists 0 to `last` whose keys were not reached, and rewrites the others.
  /// `keep_values` was called. Stopped world.
  ///
  /// returns  how many were dropped
  template <class Reach>
  std::uint64_t settle(const Lock& lock, std::uint32_t last, Reach& reach);

  /// Calls `visit(ObjectIndex&)` for each key and value, and lets it be rewritten. Stopped world.
  template <class Visit>
  void for_each_object(Visit visit);

  /// Calls `look(entry, generation)` for each, the generation being that of its list.
  template <class Look>
  void for_each_listed(Look look) const {
    const Lock held = lock();
    for (std::uint32_t generation = 0; generation < kMaxGenerations; ++generation) {
      const RingLink& head = heads_[generation];
      for (const RingLink* at = head.next; at != &head; at = at->next) {
        look(static_cast<const Ephemeron&>(*at), generation);
      }
    }
  }

  /// Drops every entry: the heap ends.
  void clear_all();

  [[nodiscard]] std::uint64_t count() const;
  /// Entries that collections dropped.
  [[nodiscard]] std::uint64_t dropped() const;

 private:
  friend class EphemeronMap;
  // Rounds of looking again before the entries' values are followed one by one instead.
  static constexpr int kRounds = 4;

  template <class Reach>
  [[nodiscard]] static bool lives(ObjectIndex& object, Reach& reach) {
    return !reach.covers(object) || reach.reached(object);
  }
  template <class Reach>
  static void keep(ObjectIndex& value, Reach& reach) {
    if (value != ObjectIndex::kNull && reach.covers(value)) {
      reach.keep(value);
    }
  }
  template <class Reach>
  static void follow(const std::vector<Ephemeron*>& open, Reach& reach);
  [[nodiscard]] std::vector<Ephemeron*> listed(std::uint32_t last) const;
  void list(Ephemeron& entry);
  [[nodiscard]] std::uint32_t generation_of(ObjectIndex object) const {
    return regions_[region_of(object)].generation;
  }
  void erase(Ephemeron& entry);
  void move_key(Ephemeron& entry, ObjectIndex key);

  const RegionRow* regions_;
  mutable std::mutex mutex_;                     // of all maps' entries, too
  std::array<RingLink, kMaxGenerations> heads_;  // guarded by mutex_
  std::unordered_set<EphemeronMap*> maps_;       // guarded by mutex_
  std::uint64_t count_ = 0;                      // guarded by mutex_
  std::uint64_t dropped_ = 0;                    // guarded by mutex_
};

/// One map, from keys to values. Its calls: any mutator, not away; ending it: anyone.
class EphemeronMap {
 public:
  explicit EphemeronMap(std::shared_ptr<EphemeronTable> table);
  EphemeronMap(const EphemeronMap&) = delete;
  EphemeronMap& operator=(const EphemeronMap&) = delete;
  ~EphemeronMap();

  /// key   of the map's heap
  void set(ObjectIndex key, ObjectIndex value);
  /// The value, or null where there is no entry.
  [[nodiscard]] ObjectIndex find(ObjectIndex key) const;
  [[nodiscard]] bool has(ObjectIndex key) const;
  bool erase(ObjectIndex key);
  void clear();
  [[nodiscard]] std::uint64_t size() const;

 private:
  friend class EphemeronTable;
  void clear_held();

  std::shared_ptr<EphemeronTable> table_;
  std::unordered_map<ObjectIndex, Ephemeron> entries_;  // by key; guarded by the table
};

template <class Reach>
bool EphemeronTable::keep_values(const Lock&, std::uint32_t last, Reach& reach) {
  std::vector<Ephemeron*> open = listed(last);  // keys not known to live
  for (int round = 0;; ++round) {
    if (!reach.read()) {
      return false;
    }
    if (round == kRounds) {
      follow(open, reach);
      return reach.read();
    }
    const std::size_t before = open.size();
    std::erase_if(open, [&](Ephemeron* entry) {
      ObjectIndex key = entry->key;
      const bool is_live = lives(key, reach);
      if (is_live) {
        keep(entry->value, reach);
      }
      return is_live;
    });
    if (open.size() == before) {
      return true;
    }
  }
}

// Linear in what is newly reached, where rounds are quadratic for chains in an unlucky order: here
// each object is looked up among the waiting keys as it is reached. The collection reads those
// objects once more.
template <class Reach>
void EphemeronTable::follow(const std::vector<Ephemeron*>& open, Reach& reach) {
  std::unordered_multimap<ObjectIndex, ObjectIndex> waiting;  // values by keys
  std::vector<ObjectIndex> found;                             // reached, not looked at yet
  std::unordered_set<ObjectIndex> followed;  // a marker may set the bits of what is kept later on
  for (const Ephemeron* entry : open) {
    ObjectIndex key = entry->key;
    if (lives(key, reach)) {
      found.push_back(entry->value);
    } else {
      waiting.emplace(entry->key, entry->value);
    }
  }
  while (!found.empty()) {
    ObjectIndex object = found.back();
    found.pop_back();
    if (object == ObjectIndex::kNull) {
      continue;
    }
    ObjectIndex now = object;
    if (lives(now, reach) || !followed.insert(object).second) {
      continue;
    }
    const auto [first, end] = waiting.equal_range(object);
    for (auto at = first; at != end; ++at) {
      found.push_back(at->second);
    }
    waiting.erase(first, end);
    // Its slots, and those of its copy, still name old places, as the waiting keys do; the
    // collection rewrites them as it reads the copy.
    reach.keep(object);
    const std::uint32_t slots = slot_count(object);
    found.insert(found.end(), slots_of(object), slots_of(object) + slots);
  }
}

template <class Reach>
std::uint64_t EphemeronTable::settle(const Lock&, std::uint32_t last, Reach& reach) {
  const std::uint64_t before = dropped_;
  for (Ephemeron* const entry : listed(last)) {
    ObjectIndex key = entry->key;
    if (reach.covers(key) && !reach.reached(key)) {
      erase(*entry);
      ++dropped_;
      continue;
    }
    if (entry->value != ObjectIndex::kNull && reach.covers(entry->value)) {
      (void)reach.reached(entry->value);  // it was; where is it now?
    }
    move_key(*entry, key);
    list(*entry);
  }
  return dropped_ - before;
}

template <class Visit>
void EphemeronTable::for_each_object(Visit visit) {
  const Lock held = lock();
  for (Ephemeron* const entry : listed(kMaxGenerations - 1)) {
    ObjectIndex key = entry->key;
    visit(key);
    if (entry->value != ObjectIndex::kNull) {
      visit(entry->value);
    }
    move_key(*entry, key);
  }
}

}  // namespace tenure
