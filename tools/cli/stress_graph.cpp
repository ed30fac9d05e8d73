#include "tools/cli/stress_graph.hpp"

#include <fmt/format.h>

#include <cstring>
#include <unordered_set>

#include "tenure/inspect.hpp"

namespace tenure::cli {

namespace {
constexpr std::size_t kMostRoots = 200;
constexpr std::uint64_t kLongestPath = 12;
constexpr std::uint64_t kCompareEvery = 50'000;  // steps between comparisons of everything
constexpr std::uint64_t kLongFan = 40'000;       // references: in runs of blocks or regions
}  // namespace

StressGraph::StressGraph(Runtime& runtime, Mutator& mutator, std::uint64_t seed)
    : runtime_(runtime), mutator_(mutator), random_(seed) {}

std::string StressGraph::wrong(const std::string& what) const {
  return fmt::format("at step {}: {}", steps_, what);
}

std::string StressGraph::step() {
  ++steps_;
  if (steps_ % kCompareEvery == 0) {
    return compare_all();
  }
  std::string fault;
  const std::uint64_t dice = draw(1000);
  if (roots_.empty() || dice < 350) {
    Place fresh = create();
    if (roots_.size() < kMostRoots && draw(4) == 0) {
      roots_.emplace_back(Handle<Vertex>(fresh.vertex), fresh.id);
    }
    std::optional<Place> at = wander(fault);
    return at ? link(*at, fresh) : fault;
  }
  std::optional<Place> at = wander(fault);
  if (!at) {
    return fault;
  }
  if (dice < 700) {
    const std::optional<Place> to = wander(fault);
    return to ? link(*at, *to) : fault;
  }
  if (dice < 850) {
    Place nothing{Local<Vertex>(mutator_), 0};
    return link(*at, nothing);
  }
  if (dice < 880) {
    return give_fan(*at);
  }
  if (dice < 930) {
    return give_tensor(*at);
  }
  if (dice < 985) {
    drop_root();
    return {};
  }
  if (dice < 995) {
    roots_.emplace_back(Handle<Vertex>(at->vertex), at->id);
    return {};
  }
  return collect_some();
}

StressGraph::Place StressGraph::create() {
  const Id id = next_id_++;
  Local<Vertex> vertex = make<Vertex>(mutator_);
  vertex->id = id;
  shadow_.emplace(id, Shadow{});
  return {vertex, id};
}

// A vertex some steps below a root, compared with its shadow on the way.
std::optional<StressGraph::Place> StressGraph::wander(std::string& fault) {
  if (roots_.empty()) {
    return std::nullopt;
  }
  const auto& [root, root_id] = roots_[draw(roots_.size())];
  Local<Vertex> at(mutator_, root);
  Id id = root_id;
  fault = check(*at, id);
  for (std::uint64_t length = draw(kLongestPath); length > 0 && fault.empty(); --length) {
    fault = follow(at, id);
  }
  if (!fault.empty()) {
    return std::nullopt;
  }
  return Place{at, id};
}

std::string StressGraph::check(const Vertex& vertex, Id id) const {
  if (vertex.id != id) {
    return wrong(fmt::format("vertex {} is expected and {} is there", id, vertex.id));
  }
  const Shadow& shadow = shadow_.at(id);
  const auto differs = [](const Ref<Vertex>& edge, Id wanted) {
    return edge ? edge->id != wanted : wanted != 0;
  };
  if (differs(vertex.first, shadow.first) || differs(vertex.second, shadow.second)) {
    return wrong(fmt::format("vertex {} has lost an edge", id));
  }
  if (static_cast<bool>(vertex.fan) != shadow.has_fan ||
      (shadow.has_fan && vertex.fan->size() != shadow.fan.size())) {
    return wrong(fmt::format("vertex {} has another fan than it was given", id));
  }
  if (static_cast<bool>(vertex.tensor) != shadow.has_tensor) {
    return wrong(fmt::format("vertex {} has lost its tensor", id));
  }
  const std::byte* const bytes = shadow.has_tensor ? vertex.tensor->data() : nullptr;
  if ((bytes != nullptr) != shadow.has_bytes ||
      (bytes != nullptr && std::memcmp(bytes, &id, sizeof(id)) != 0)) {
    return wrong(fmt::format("the tensor of vertex {} has lost its bytes", id));
  }
  return {};
}

std::string StressGraph::follow(Local<Vertex>& at, Id& id) {
  const Shadow& shadow = shadow_.at(id);
  const std::uint64_t choice = draw(3);
  Id next = choice == 0 ? shadow.first : shadow.second;
  const Ref<Vertex>* edge = choice == 0 ? &at->first : &at->second;
  if (choice == 2 && !shadow.fan.empty()) {
    const auto place = static_cast<std::uint32_t>(draw(shadow.fan.size()));
    next = shadow.fan[place];
    edge = &(*at->fan)[place];
  }
  if (next == 0) {
    return *edge ? wrong(fmt::format("vertex {} has an edge too many", id)) : std::string{};
  }
  if (!*edge) {
    return wrong(fmt::format("vertex {} has lost its edge to {}", id, next));
  }
  at = *edge;
  id = next;
  return check(*at, id);
}

std::string StressGraph::link(Place& from, const Place& to) {
  Shadow& shadow = shadow_.at(from.id);
  const std::uint64_t choice = draw(3);
  if (choice == 2 && !shadow.fan.empty()) {
    const auto place = static_cast<std::uint32_t>(draw(shadow.fan.size()));
    (*from.vertex->fan)[place] = to.vertex;
    shadow.fan[place] = to.id;
  } else if (choice == 0) {
    from.vertex->first = to.vertex;
    shadow.first = to.id;
  } else {
    from.vertex->second = to.vertex;
    shadow.second = to.id;
  }
  return {};
}

std::string StressGraph::give_fan(Place& to) {
  const std::uint64_t length = draw(50) == 0 ? draw(kLongFan) : draw(20);
  to.vertex->fan = make_array<Vertex>(mutator_, length);
  Shadow& shadow = shadow_.at(to.id);
  shadow.has_fan = true;
  shadow.fan.assign(length, 0);
  return {};
}

std::string StressGraph::give_tensor(Place& to) {
  Shadow& shadow = shadow_.at(to.id);
  if (shadow.has_bytes && draw(3) == 0) {
    to.vertex->tensor->release();
    shadow.has_bytes = false;
    return {};
  }
  const auto elements = static_cast<std::int64_t>(1 + draw(draw(10) == 0 ? 100'000 : 300));
  const Result<Local<Tensor>> tensor =
      make_tensor(mutator_, {elements}, {.element = ElementType::kInt64});
  if (!tensor) {
    return wrong(tensor.failure().message);
  }
  std::memcpy((*tensor)->data(), &to.id, sizeof(to.id));
  to.vertex->tensor = *tensor;
  shadow.has_tensor = true;
  shadow.has_bytes = true;
  return {};
}

std::string StressGraph::collect_some() {
  const std::uint32_t generations = runtime_.config().generations;
  const auto last = static_cast<std::uint32_t>(draw(8) == 0 ? draw(generations) : 0);
  const Result<CollectionReport> report = runtime_.collect_up_to(last);
  return report ? std::string{} : wrong(report.failure().message);
}

void StressGraph::drop_root() {
  std::swap(roots_[draw(roots_.size())], roots_.back());
  roots_.pop_back();
}

void StressGraph::drop_all() { roots_.clear(); }

std::vector<StressGraph::Id> StressGraph::reachable() const {
  std::vector<Id> order;
  std::unordered_set<Id> seen;
  const auto reach = [&](Id id) {
    if (id != 0 && seen.insert(id).second) {
      order.push_back(id);
    }
  };
  for (const auto& [handle, id] : roots_) {
    reach(id);
  }
  for (std::size_t k = 0; k < order.size(); ++k) {
    const Shadow& shadow = shadow_.at(order[k]);
    reach(shadow.first);
    reach(shadow.second);
    for (const Id id : shadow.fan) {
      reach(id);
    }
  }
  return order;
}

std::string StressGraph::compare_all() {
  if (const Result<CollectionReport> report = runtime_.collect(Collect::kFull); !report) {
    return wrong(report.failure().message);
  }
  std::uint64_t fans = 0;
  std::uint64_t tensors = 0;
  std::uint64_t payloads = 0;
  std::unordered_map<Id, Shadow> kept;
  const std::vector<Id> live = reachable();
  for (const Id id : live) {
    Shadow& shadow = shadow_.at(id);
    fans += shadow.has_fan ? 1 : 0;
    tensors += shadow.has_tensor ? 1 : 0;
    payloads += shadow.has_bytes ? 1 : 0;
    kept.emplace(id, std::move(shadow));
  }
  shadow_ = std::move(kept);

  Census census = take_census(runtime_);
  std::uint64_t blocks = 0;
  for (const PoolStatistics& pool : runtime_.statistics().pools) {
    blocks += pool.live_blocks;
  }
  const auto expect = [&](const char* what, std::uint64_t found, std::uint64_t wanted) {
    return found == wanted ? std::string{}
                           : wrong(fmt::format("after a full collection {} {} are there and {} "
                                               "can be reached",
                                               found, what, wanted));
  };
  for (const std::string& fault :
       {expect("vertices", census.by_type["Vertex"].objects, live.size()),
        expect("fans", census.by_type["Vertex[]"].objects, fans),
        expect("tensors", census.by_type["Tensor"].objects, tensors),
        expect("payloads", blocks, payloads)}) {
    if (!fault.empty()) {
      return fault;
    }
  }
  const Result<void> sound = verify_heap(runtime_);
  return sound ? std::string{} : wrong(sound.failure().message);
}

}  // namespace tenure::cli
