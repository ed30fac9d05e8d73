#include "core/heap/ephemerons.hpp"

#include <algorithm>
#include <utility>

namespace tenure {

std::vector<Ephemeron*> EphemeronTable::listed(std::uint32_t last) const {
  std::vector<Ephemeron*> entries;
  for (std::uint32_t generation = 0; generation <= last; ++generation) {
    const RingLink& head = heads_[generation];
    for (RingLink* at = head.next; at != &head; at = at->next) {
      entries.push_back(static_cast<Ephemeron*>(at));
    }
  }
  return entries;
}

void EphemeronTable::list(Ephemeron& entry) {
  const std::uint32_t of_key = generation_of(entry.key);
  entry.join(
      heads_[entry.value == ObjectIndex::kNull ? of_key
                                               : std::min(of_key, generation_of(entry.value))]);
}

void EphemeronTable::erase(Ephemeron& entry) {
  entry.leave();
  --count_;
  entry.map->entries_.erase(entry.key);  // which ends the entry
}

// Why no two keys meet: within a collection a place that somebody moves to is not one that somebody
// else has yet to leave.
void EphemeronTable::move_key(Ephemeron& entry, ObjectIndex key) {
  if (key == entry.key) {
    return;
  }
  auto node = entry.map->entries_.extract(entry.key);
  node.key() = key;
  entry.key = key;
  entry.map->entries_.insert(std::move(node));
}

void EphemeronTable::clear_all() {
  const Lock held = lock();
  for (EphemeronMap* const map : maps_) {
    map->clear_held();
  }
}

std::uint64_t EphemeronTable::count() const {
  const Lock held = lock();
  return count_;
}

std::uint64_t EphemeronTable::dropped() const {
  const Lock held = lock();
  return dropped_;
}

EphemeronMap::EphemeronMap(std::shared_ptr<EphemeronTable> table) : table_(std::move(table)) {
  const EphemeronTable::Lock held = table_->lock();
  table_->maps_.insert(this);
}

EphemeronMap::~EphemeronMap() {
  const EphemeronTable::Lock held = table_->lock();
  clear_held();
  table_->maps_.erase(this);
}

void EphemeronMap::set(ObjectIndex key, ObjectIndex value) {
  const EphemeronTable::Lock held = table_->lock();
  const auto [at, fresh] = entries_.try_emplace(key);
  Ephemeron& entry = at->second;
  entry.key = key;
  entry.value = value;
  entry.map = this;
  table_->list(entry);
  table_->count_ += fresh ? 1 : 0;
}

ObjectIndex EphemeronMap::find(ObjectIndex key) const {
  const EphemeronTable::Lock held = table_->lock();
  const auto at = entries_.find(key);
  return at == entries_.end() ? ObjectIndex::kNull : at->second.value;
}

bool EphemeronMap::has(ObjectIndex key) const {
  const EphemeronTable::Lock held = table_->lock();
  return entries_.contains(key);
}

bool EphemeronMap::erase(ObjectIndex key) {
  const EphemeronTable::Lock held = table_->lock();
  const auto at = entries_.find(key);
  if (at == entries_.end()) {
    return false;
  }
  table_->erase(at->second);
  return true;
}

void EphemeronMap::clear() {
  const EphemeronTable::Lock held = table_->lock();
  clear_held();
}

void EphemeronMap::clear_held() {
  for (auto& [key, entry] : entries_) {
    entry.leave();
  }
  table_->count_ -= entries_.size();
  entries_.clear();
}

std::uint64_t EphemeronMap::size() const {
  const EphemeronTable::Lock held = table_->lock();
  return entries_.size();
}

}  // namespace tenure
