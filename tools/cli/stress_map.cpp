#include "tools/cli/stress_map.hpp"

#include <fmt/format.h>

namespace tenure::cli {

void StressMap::set(Mutator& mutator, const Local<Vertex>& key, StressId key_id,
                    const Local<Vertex>& value, StressId value_id) {
  if (!map_) {
    map_.emplace(mutator);
  }
  map_->set(key, value);
  ledger_.entries()[key_id] = value_id;
}

std::string StressMap::erase(const Local<Vertex>& key, StressId key_id) {
  const bool was_there = map_ && map_->erase(key);
  const bool should_be = ledger_.entries().erase(key_id) > 0;
  return was_there == should_be ? std::string{}
                                : fmt::format("the weak map {} an entry of vertex {}",
                                              was_there ? "had" : "has lost", key_id);
}

void StressMap::replace(Mutator& mutator) {
  map_.emplace(mutator);
  ledger_.entries().clear();
}

std::string StressMap::find(Mutator& mutator, const Local<Vertex>& key, StressId key_id,
                            Local<Vertex>& value) const {
  value = nullptr;
  const auto entry = ledger_.entries().find(key_id);
  if (has(key) != (entry != ledger_.entries().end())) {
    return fmt::format("the weak map {} vertex {}, which can be reached",
                       has(key) ? "has a value too many for" : "has lost the entry of", key_id);
  }
  if (entry == ledger_.entries().end()) {
    return {};
  }
  value = map_->find(mutator, key);
  const StressId found = value ? value->id : 0;
  return found == entry->second
             ? std::string{}
             : fmt::format("the weak map gives vertex {} the value {} and not {}", key_id, found,
                           entry->second);
}

std::string StressMap::check_size(const StressSet& reached) const {
  const std::uint64_t found = map_ ? map_->size() : 0;
  const std::uint64_t wanted = ledger_.entries_in(reached);
  return found == wanted ? std::string{}
                         : fmt::format(
                               "a full collection has left {} entries of the weak map, and {} of "
                               "its keys can be reached",
                               found, wanted);
}

std::string StressMap::check_closed() const {
  return map_ && map_->size() > 0 ? "a weak map outlived its runtime with entries in it"
                                  : std::string{};
}

}  // namespace tenure::cli
