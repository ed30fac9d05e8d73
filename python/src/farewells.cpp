#include "python/src/farewells.hpp"

#include <utility>

namespace tenure::python {

FarewellId Farewells::add(Farewell farewell) {
  const std::scoped_lock lock(mutex_);
  const auto id = static_cast<FarewellId>(++made_);
  waiting_.emplace(id, std::move(farewell));
  return id;
}

void Farewells::set_target(FarewellId id, Weak<AnyObject> target) {
  const std::scoped_lock lock(mutex_);
  if (const auto at = waiting_.find(id); at != waiting_.end()) {
    at->second.target = std::move(target);
  }
}

// Why nodes: they go from map to map without a count of references being touched.
void Farewells::note_death(FarewellId id, Handle<AnyObject> dying) {
  const std::scoped_lock lock(mutex_);
  if (auto node = waiting_.extract(id); !node.empty()) {
    node.mapped().dying = std::move(dying);
    due_.insert(std::move(node));
  }
}

void Farewells::abandon(FarewellId id) {
  const std::scoped_lock lock(mutex_);
  if (auto node = waiting_.extract(id); !node.empty()) {
    node.mapped().is_abandoned = true;
    due_.insert(std::move(node));
  }
}

nb::object Farewells::held_by(FarewellId id) const {
  const std::scoped_lock lock(mutex_);
  const auto at = waiting_.find(id);
  return at == waiting_.end() ? nb::object() : at->second.holds;
}

std::optional<Farewell> Farewells::take(FarewellId id) {
  const std::scoped_lock lock(mutex_);
  auto node = waiting_.extract(id);
  return node.empty() ? std::nullopt : std::optional<Farewell>(std::move(node.mapped()));
}

std::optional<Farewell> Farewells::take_due() {
  const std::scoped_lock lock(mutex_);
  if (due_.empty()) {
    return {};
  }
  auto node = due_.extract(due_.begin());
  return std::move(node.mapped());
}

std::vector<FarewellId> Farewells::finalizers() const {
  const std::scoped_lock lock(mutex_);
  std::vector<FarewellId> found;
  for (const auto& [id, farewell] : waiting_) {
    if (farewell.is_finalizer) {
      found.push_back(id);
    }
  }
  return found;
}

bool Farewells::has_due() const {
  const std::scoped_lock lock(mutex_);
  return !due_.empty();
}

}  // namespace tenure::python
