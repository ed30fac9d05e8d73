#include "tools/cli/stress_graph.hpp"

#include <fmt/format.h>

#include <utility>

namespace tenure::cli {

namespace {
constexpr std::uint64_t kLongestPath = 12;
constexpr std::uint32_t kNumberShift = 48;                // ids of a graph are below so many bits
constexpr std::uint64_t kSeedStep = 0x9E3779B97F4A7C15u;  // between the draws of two graphs
}  // namespace

StressGraph::StressGraph(Runtime& runtime, std::uint64_t seed, std::uint32_t number,
                         StressMail* mail)
    : runtime_(runtime),
      mail_(mail),
      random_(seed + kSeedStep * number),
      next_id_((std::uint64_t{number} << kNumberShift) + 1),
      roots_(runtime),
      finalizers_([this](const Vertex& vertex, Id id) { return check_dying(vertex, id); }) {}

void StressGraph::work_with(Mutator& mutator) {
  mutator_ = &mutator;
  finalizers_.box().belong_to(&mutator);
}

void StressGraph::rest() {
  finalizers_.box().belong_to(nullptr);
  mutator_ = nullptr;
}

std::string StressGraph::at_step(const std::string& fault) const {
  return fault.empty() ? fault : fmt::format("at step {}: {}", steps_, fault);
}

std::string StressGraph::step() {
  ++steps_;
  return at_step(operate());
}

StressGraph::Place StressGraph::create() {
  const Id id = next_id_++;
  Local<Vertex> vertex = make<Vertex>(*mutator_);
  vertex->id = id;
  ledger_.add(id);
  return {vertex, id};
}

// A vertex some steps below a root, compared with its shadow on the way.
std::optional<StressGraph::Place> StressGraph::wander(std::string& fault) {
  if (roots_.is_empty()) {
    return std::nullopt;
  }
  const auto& [root, root_id] = roots_[draw(roots_.size())];
  Place at{Local<Vertex>(*mutator_, root), root_id};
  fault = check_vertex(ledger_, *at.vertex, at.id);
  for (std::uint64_t length = draw(kLongestPath); length > 0 && fault.empty(); --length) {
    fault = follow(at);
  }
  if (fault.empty()) {
    fault = weak_.check(*mutator_, at.vertex, at.id);
  }
  return fault.empty() ? std::optional(at) : std::nullopt;
}

// One edge, or the way through the weak map; nowhere where there is none.
std::string StressGraph::follow(Place& at) {
  const Shadow& shadow = ledger_.at(at.id);
  const std::uint64_t choice = draw(4);
  if (choice == 3) {
    Local<Vertex> value(*mutator_);
    std::string fault = map_.find(*mutator_, at.vertex, at.id, value);
    if (fault.empty() && value) {
      at.vertex = value;
      at.id = value->id;
      fault = check_vertex(ledger_, *at.vertex, at.id);
    }
    return fault;
  }
  Id next = choice == 0 ? shadow.first : shadow.second;
  const Ref<Vertex>* edge = choice == 0 ? &at.vertex->first : &at.vertex->second;
  if (choice == 2 && !shadow.fan.empty()) {
    const auto place = static_cast<std::uint32_t>(draw(shadow.fan.size()));
    next = shadow.fan[place];
    edge = &(*at.vertex->fan)[place];
  }
  if (next == 0) {
    return *edge ? fmt::format("vertex {} has an edge too many", at.id) : std::string{};
  }
  if (!*edge) {
    return fmt::format("vertex {} has lost its edge to {}", at.id, next);
  }
  at.vertex = *edge;
  at.id = next;
  return check_vertex(ledger_, *at.vertex, at.id);
}

// In a finalizer, on this graph's thread: the object is whole, and no weak way leads to it.
std::string StressGraph::check_dying(const Vertex& vertex, Id id) {
  if (std::string fault = check_vertex(ledger_, vertex, id); !fault.empty()) {
    return fault;
  }
  if (finalizers_.is_excused(id)) {
    return {};
  }
  if (map_.has(Local<Vertex>(*mutator_, const_cast<Vertex*>(&vertex)))) {
    return fmt::format("the finalizer of vertex {} found an entry of it", id);
  }
  return weak_.check_dead(id);
}

std::string StressGraph::hear() {
  std::vector<StressFarewell> farewells = finalizers_.box().take_all();
  if (farewells.empty()) {
    return {};
  }
  StressSet reached = ledger_.reach(roots_.ids());
  StressWalk walk(*mutator_, ledger_, map_, StressWalk::Entries::kLeave);
  walk.pass_by(reached);
  for (StressFarewell& farewell : farewells) {
    std::string fault = farewell.fault;
    if (fault.empty()) {
      fault = finalizers_.hear(farewell.id, reached);
    }
    if (fault.empty()) {
      fault = walk.visit(farewell.vertex.get(), farewell.id);
    }
    if (fault.empty() && farewell.saves) {
      fault = revive(std::move(farewell.vertex), farewell.id, reached);
    }
    if (!fault.empty()) {
      return at_step(fault);
    }
  }
  return {};
}

// It lives on, with all that it leads to. Of that, what was dead until now may have lost its weak
// references and entries, and may be finalized.
std::string StressGraph::revive(Handle<Vertex> vertex, Id id, StressSet& reached) {
  StressWalk walk(*mutator_, ledger_, map_, StressWalk::Entries::kSettle);
  walk.pass_by(reached);
  if (std::string fault = walk.visit(vertex.get(), id); !fault.empty()) {
    return fault;
  }
  for (const Id back : walk.visited()) {
    weak_.forget_null(back);
    finalizers_.excuse(back);
  }
  reached.insert(walk.visited().begin(), walk.visited().end());
  roots_.add(std::move(vertex), id);
  return {};
}

void StressGraph::adopt(StressMail::Letter letter) {
  ledger_.take_in(letter.shadows);
  roots_.add(std::move(letter.first), letter.first_id);
}

std::string StressGraph::compare_all() {
  StressWalk walk(*mutator_, ledger_, map_, StressWalk::Entries::kFollow);
  std::string fault;
  roots_.for_each([&](const Vertex* vertex, Id id) {
    if (fault.empty() && vertex->id != id) {
      fault = fmt::format("a root of vertex {} leads to {}", id, vertex->id);
    }
    if (fault.empty()) {
      fault = walk.visit(vertex, id);
    }
  });
  const StressSet wanted = ledger_.reach(roots_.ids());
  if (fault.empty() && walk.visited().size() != wanted.size()) {
    fault = fmt::format("{} vertices are reached and {} are expected", walk.visited().size(),
                        wanted.size());
  }
  if (fault.empty()) {
    fault = weak_.check_all(*mutator_, wanted, false);
  }
  return at_step(fault);
}

StressSet StressGraph::reach() {
  std::vector<Id> kept = roots_.ids();
  StressSet reached = ledger_.reach(kept);
  const std::vector<Id> to_come = finalizers_.to_come();
  kept.insert(kept.end(), to_come.begin(), to_come.end());
  for (std::size_t k = 0; k < weak_.size(); ++k) {
    kept.push_back(weak_[k].id);
  }
  ledger_.forget_all_but(ledger_.reach(kept));
  return reached;
}

std::string StressGraph::check_weak(const StressSet& reached) {
  std::string fault = weak_.check_all(*mutator_, reached, true);
  return at_step(fault.empty() ? map_.check_size(reached) : fault);
}

std::string StressGraph::check_closed() {
  for (const StressFarewell& farewell : finalizers_.box().take_all()) {
    const std::string fault =
        farewell.fault.empty() ? finalizers_.hear(farewell.id, {}) : farewell.fault;
    if (!fault.empty()) {
      return fault;
    }
  }
  const std::string fault = weak_.check_closed();
  return fault.empty() ? map_.check_closed() : fault;
}

}  // namespace tenure::cli
