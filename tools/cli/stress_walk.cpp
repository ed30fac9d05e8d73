#include "tools/cli/stress_walk.hpp"

#include <fmt/format.h>

#include <cstring>

namespace tenure::cli {

std::string check_vertex(const StressLedger& ledger, const Vertex& vertex, StressId id) {
  if (vertex.id != id) {
    return fmt::format("vertex {} is expected and {} is there", id, vertex.id);
  }
  const Shadow& shadow = ledger.at(id);
  const auto differs = [](const Ref<Vertex>& edge, StressId wanted) {
    return edge ? edge->id != wanted : wanted != 0;
  };
  if (differs(vertex.first, shadow.first) || differs(vertex.second, shadow.second)) {
    return fmt::format("vertex {} has lost an edge", id);
  }
  if (static_cast<bool>(vertex.fan) != shadow.has_fan ||
      (shadow.has_fan && vertex.fan->size() != shadow.fan.size())) {
    return fmt::format("vertex {} has another fan than it was given", id);
  }
  if (static_cast<bool>(vertex.tensor) != shadow.has_tensor) {
    return fmt::format("vertex {} has lost its tensor", id);
  }
  const std::byte* const bytes = shadow.has_tensor ? vertex.tensor->data() : nullptr;
  if ((bytes != nullptr) != shadow.has_bytes ||
      (bytes != nullptr && std::memcmp(bytes, &id, sizeof(id)) != 0)) {
    return fmt::format("the tensor of vertex {} has lost its bytes", id);
  }
  return {};
}

std::string StressWalk::visit(const Vertex* vertex, StressId id) {
  reach(vertex, id);
  while (!waiting_.empty()) {
    const auto [next, next_id] = waiting_.back();
    waiting_.pop_back();
    if (std::string fault = read(next, next_id); !fault.empty()) {
      return fault;
    }
  }
  return {};
}

void StressWalk::reach(const Vertex* vertex, StressId id) {
  if (vertex != nullptr && seen_.insert(id).second) {
    waiting_.emplace_back(vertex, id);
  }
}

std::string StressWalk::read(const Vertex* vertex, StressId id) {
  visited_.push_back(id);
  if (std::string fault = check_vertex(ledger_, *vertex, id); !fault.empty()) {
    return fault;
  }
  const Shadow& shadow = ledger_.at(id);
  reach(vertex->first.get(), shadow.first);
  reach(vertex->second.get(), shadow.second);
  for (std::uint32_t place = 0; place < shadow.fan.size(); ++place) {
    const Vertex* const child = (*vertex->fan)[place].get();
    if ((child == nullptr) != (shadow.fan[place] == 0)) {
      return fmt::format("the fan of vertex {} differs at {}", id, place);
    }
    reach(child, shadow.fan[place]);
  }
  return entries_ == Entries::kLeave ? std::string{} : read_entry(vertex, id);
}

std::string StressWalk::read_entry(const Vertex* vertex, StressId id) {
  const Local<Vertex> key(mutator_, const_cast<Vertex*>(vertex));
  if (entries_ == Entries::kSettle && !map_.has(key)) {
    ledger_.entries().erase(id);
  }
  Local<Vertex> value(mutator_);
  std::string fault = map_.find(mutator_, key, id, value);
  if (fault.empty() && value) {
    reach(value.get(), value->id);
  }
  return fault;
}

}  // namespace tenure::cli
