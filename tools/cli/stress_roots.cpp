#include "tools/cli/stress_roots.hpp"

#include <fmt/format.h>

namespace tenure::cli {

StressRoots::StressRoots(Runtime& runtime)
    : runtime_(runtime), callback_(runtime.add_root_callback([this](RootVisitor& visitor) {
        for (Vertex*& vertex : table_) {
          visitor.visit(vertex);
        }
      })) {}

StressRoots::~StressRoots() { runtime_.remove_root_callback(callback_); }

void StressRoots::drop(std::size_t place) {
  std::swap(roots_[place], roots_.back());
  roots_.pop_back();
}

void StressRoots::pin(const Local<Vertex>& vertex, StressId id) {
  pins_.push_back({Pinned<Vertex>(vertex), vertex.get(), id});
}

void StressRoots::unpin(std::size_t place) {
  std::swap(pins_[place], pins_.back());
  pins_.pop_back();
}

std::string StressRoots::check_pins() const {
  for (const Pin& pin : pins_) {
    if (pin.vertex.get() != pin.address) {
      return fmt::format("vertex {} has moved while it was pinned", pin.id);
    }
    if (pin.address->id != pin.id) {
      return fmt::format("vertex {} is gone while it was pinned", pin.id);
    }
  }
  return {};
}

void StressRoots::keep_in_table(std::size_t place, const Local<Vertex>& vertex, StressId id) {
  if (place == table_.size()) {
    table_.push_back(vertex.get());
    table_ids_.push_back(id);
    return;
  }
  table_[place] = vertex.get();
  table_ids_[place] = id;
}

void StressRoots::clear() {
  roots_.clear();
  pins_.clear();
  table_.clear();
  table_ids_.clear();
}

std::vector<StressId> StressRoots::ids() const {
  std::vector<StressId> ids = table_ids_;
  for (const auto& [handle, id] : roots_) {
    ids.push_back(id);
  }
  for (const Pin& pin : pins_) {
    ids.push_back(pin.id);
  }
  return ids;
}

}  // namespace tenure::cli
