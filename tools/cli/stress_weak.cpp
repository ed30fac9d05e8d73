#include "tools/cli/stress_weak.hpp"

#include <fmt/format.h>

namespace tenure::cli {

void StressWeak::take(std::size_t place, const Local<Vertex>& vertex, StressId id) {
  if (place == entries_.size()) {
    entries_.push_back({Weak<Vertex>(vertex), id});
  } else {
    entries_[place] = {Weak<Vertex>(vertex), id};
  }
}

void StressWeak::drop(std::size_t place) {
  std::swap(entries_[place], entries_.back());
  entries_.pop_back();
}

std::string StressWeak::check(Mutator& mutator, const Local<Vertex>& vertex, StressId id) const {
  for (const Entry& entry : entries_) {
    if (entry.id != id) {
      continue;
    }
    const Local<Vertex> found = entry.vertex.lock(mutator);
    if (!found) {
      return fmt::format("a weak reference to vertex {} is null, and it can be reached", id);
    }
    if (!(found == vertex)) {
      return fmt::format("a weak reference to vertex {} leads to {}", id, found->id);
    }
  }
  return {};
}

std::string StressWeak::check_all(Mutator& mutator, const StressSet& reached, bool is_full) {
  for (const Entry& entry : entries_) {
    const Local<Vertex> found = entry.vertex.lock(mutator);
    if (found && found->id != entry.id) {
      return fmt::format("a weak reference to vertex {} leads to {}", entry.id, found->id);
    }
    const bool is_reached = reached.contains(entry.id);
    if (!found && is_reached) {
      return fmt::format("a weak reference to vertex {} is null, and it can be reached", entry.id);
    }
    if (found && !is_reached && is_full) {
      return fmt::format("a full collection has left a weak reference to vertex {}, which is dead",
                         entry.id);
    }
  }
  std::erase_if(entries_, [](const Entry& entry) { return entry.vertex.is_null(); });
  return {};
}

std::string StressWeak::check_dead(StressId id) const {
  for (const Entry& entry : entries_) {
    if (entry.id == id && !entry.vertex.is_null()) {
      return fmt::format("the finalizer of vertex {} found a weak reference to it", id);
    }
  }
  return {};
}

std::string StressWeak::check_closed() const {
  for (const Entry& entry : entries_) {
    if (!entry.vertex.is_null()) {
      return fmt::format("a weak reference to vertex {} outlived its runtime", entry.id);
    }
  }
  return {};
}

void StressWeak::forget_null(StressId id) {
  std::erase_if(entries_,
                [id](const Entry& entry) { return entry.id == id && entry.vertex.is_null(); });
}

}  // namespace tenure::cli
