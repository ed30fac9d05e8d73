#include "tools/cli/stress_finalizers.hpp"

#include <fmt/format.h>

#include <stdexcept>

namespace tenure::cli {

Result<void> StressFinalizers::set(Mutator& mutator, const Local<Vertex>& vertex, StressId id,
                                   Kind kind) {
  return set_finalizer(
      mutator, vertex, [this, box = box_, id, kind](Mutator& on, const Local<Vertex>& dying) {
        // Why: collections may come in here, and it is to follow its object.
        (void)make<Vertex>(on);
        StressFarewell farewell{id, Handle<Vertex>(dying), kind == Kind::kSaves, {}};
        if (dying->id != id) {
          farewell.fault = fmt::format("the finalizer of vertex {} was given {}", id, dying->id);
        } else if (box->belongs_to(on)) {
          farewell.fault = look_(*dying, id);
        }
        box->post(std::move(farewell));
        if (kind == Kind::kThrows) {
          throw std::runtime_error(fmt::format("vertex {} objects", id));
        }
      });
}

std::string StressFinalizers::change(Mutator& mutator, const Local<Vertex>& vertex, StressId id,
                                     Kind kind, bool takes_back) {
  const auto at = rows_.find(id);
  if (at != rows_.end() && at->second.is_excused) {
    return {};  // it may await its turn
  }
  if (takes_back) {
    const bool was_there = remove_finalizer(mutator, vertex);
    if (was_there != (at != rows_.end())) {
      return fmt::format("the finalizer of vertex {} was {} to be taken back", id,
                         was_there ? "there" : "not there");
    }
    rows_.erase(id);
    return {};
  }
  const bool is_set = set(mutator, vertex, id, kind).ok();
  if (is_set == ran_.contains(id)) {
    return fmt::format("vertex {} {} a finalizer, and one {}", id, is_set ? "took" : "refused",
                       is_set ? "has run for it" : "never ran for it");
  }
  if (is_set) {
    rows_[id] = {kind, false};
  }
  return {};
}

std::string StressFinalizers::hear(StressId id, const StressSet& reached) {
  const auto at = rows_.find(id);
  if (at == rows_.end()) {
    return fmt::format("the finalizer of vertex {} ran {}", id,
                       ran_.contains(id) ? "twice" : "though none was set");
  }
  if (!at->second.is_excused && reached.contains(id)) {
    return fmt::format("the finalizer of vertex {} ran, and it can be reached", id);
  }
  ++ran_count_;
  threw_count_ += at->second.kind == Kind::kThrows ? 1 : 0;
  rows_.erase(at);
  ran_.insert(id);
  return {};
}

void StressFinalizers::excuse(StressId id) {
  if (const auto at = rows_.find(id); at != rows_.end()) {
    at->second.is_excused = true;
  }
}

bool StressFinalizers::is_excused(StressId id) const {
  const auto at = rows_.find(id);
  return at != rows_.end() && at->second.is_excused;
}

std::uint64_t StressFinalizers::to_come(const StressSet& reached, bool inside) const {
  std::uint64_t count = 0;
  for (const auto& [id, row] : rows_) {
    count += reached.contains(id) == inside ? 1 : 0;
  }
  return count;
}

std::vector<StressId> StressFinalizers::to_come() const {
  std::vector<StressId> ids;
  for (const auto& [id, row] : rows_) {
    ids.push_back(id);
  }
  return ids;
}

std::uint64_t StressFinalizers::to_throw() const {
  std::uint64_t count = 0;
  for (const auto& [id, row] : rows_) {
    count += row.kind == Kind::kThrows ? 1 : 0;
  }
  return count;
}

}  // namespace tenure::cli
