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
constexpr std::uint64_t kCompactEvery = 10;      // collections asked for, of which one compacts
constexpr std::size_t kMostPins = 8;
constexpr std::size_t kMostInTable = 50;
constexpr std::uint64_t kLongestLetter = 5;               // vertices
constexpr std::uint32_t kNumberShift = 48;                // ids of a graph are below so many bits
constexpr std::uint64_t kSeedStep = 0x9E3779B97F4A7C15u;  // between the draws of two graphs
constexpr std::uint64_t kLongFan = 40'000;  // references: in runs of blocks or regions
}  // namespace

StressGraph::StressGraph(Runtime& runtime, std::uint64_t seed, std::uint32_t number,
                         StressMail* mail)
    : runtime_(runtime),
      mail_(mail),
      random_(seed + kSeedStep * number),
      next_id_((std::uint64_t{number} << kNumberShift) + 1),
      callback_(runtime.add_root_callback([this](RootVisitor& visitor) {
        for (Vertex*& vertex : table_) {
          visitor.visit(vertex);
        }
      })) {}

StressGraph::~StressGraph() { runtime_.remove_root_callback(callback_); }

std::string StressGraph::wrong(const std::string& what) const {
  return fmt::format("at step {}: {}", steps_, what);
}

std::string StressGraph::step() {
  ++steps_;
  if (steps_ % kCompareEvery == 0) {
    std::string fault = compare_all();
    // Others' objects cannot be told from ours in a census: where there are some, it is left out.
    return fault.empty() && mail_ == nullptr ? compare_heap(runtime_, count()) : fault;
  }
  std::string fault = check_pins();
  if (!fault.empty()) {
    return fault;
  }
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
    Place nothing{Local<Vertex>(*mutator_), 0};
    return link(*at, nothing);
  }
  if (dice < 880) {
    return give_fan(*at);
  }
  if (dice < 930) {
    return give_tensor(*at);
  }
  if (dice < 945) {
    pin(*at);
    return {};
  }
  if (dice < 960) {
    keep_in_table(*at);
    return {};
  }
  if (dice < 970) {
    if (mail_ != nullptr) {
      dice % 2 == 0 ? post() : take_mail();
    }
    return {};
  }
  if (dice < 985) {
    drop_root();
    return {};
  }
  if (dice < 995) {
    roots_.emplace_back(Handle<Vertex>(at->vertex), at->id);
    return {};
  }
  return dice == 999 && draw(kCompactEvery) == 0 ? compact() : collect_some();
}

// Pins another one, or gives one free, by whether there are many.
void StressGraph::pin(const Place& at) {
  if (pins_.size() < kMostPins && draw(2) == 0) {
    pins_.push_back({Pinned<Vertex>(at.vertex), at.vertex.get(), at.id});
  } else if (!pins_.empty()) {
    std::swap(pins_[draw(pins_.size())], pins_.back());
    pins_.pop_back();
  }
}

std::string StressGraph::check_pins() const {
  for (const Pin& pin : pins_) {
    if (pin.vertex.get() != pin.address) {
      return wrong(fmt::format("vertex {} has moved while it was pinned", pin.id));
    }
    if (pin.address->id != pin.id) {
      return wrong(fmt::format("vertex {} is gone while it was pinned", pin.id));
    }
  }
  return {};
}

void StressGraph::keep_in_table(const Place& at) {
  if (table_.size() < kMostInTable) {
    table_.push_back(at.vertex.get());
    table_ids_.push_back(at.id);
    return;
  }
  const std::uint64_t place = draw(table_.size());
  table_[place] = at.vertex.get();
  table_ids_[place] = at.id;
}

// Makes a chain that nothing of ours refers to, and gives it away whole.
void StressGraph::post() {
  StressMail::Letter letter;
  Local<Vertex> first(*mutator_);
  for (std::uint64_t length = 1 + draw(kLongestLetter); length > 0; --length) {
    const Place fresh = create();
    fresh.vertex->first = first;
    shadow_.at(fresh.id).first = letter.first_id;
    first = fresh.vertex;
    letter.first_id = fresh.id;
    letter.shadows.insert(shadow_.extract(fresh.id));
  }
  letter.first = Handle<Vertex>(first);
  mail_->post(std::move(letter));
}

void StressGraph::take_mail() {
  std::optional<StressMail::Letter> letter = mail_->take();
  if (letter) {
    shadow_.merge(letter->shadows);
    roots_.emplace_back(std::move(letter->first), letter->first_id);
  }
}

std::string StressGraph::compact() {
  if (!runtime_.config().compaction || runtime_.config().generations == 1) {
    return {};
  }
  const Result<CollectionReport> report = runtime_.compact();
  return report ? std::string{} : wrong(report.failure().message);
}

StressGraph::Place StressGraph::create() {
  const Id id = next_id_++;
  Local<Vertex> vertex = make<Vertex>(*mutator_);
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
  Local<Vertex> at(*mutator_, root);
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
  to.vertex->fan = make_array<Vertex>(*mutator_, length);
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
      make_tensor(*mutator_, {elements}, {.element = ElementType::kInt64});
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

void StressGraph::drop_all() {
  roots_.clear();
  pins_.clear();
  table_.clear();
  table_ids_.clear();
}

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
  for (const Pin& pin : pins_) {
    reach(pin.id);
  }
  for (const Id id : table_ids_) {
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

// No safepoint is met in here, so that bare pointers stay good.
std::string StressGraph::compare_all() {
  std::vector<std::pair<const Vertex*, Id>> order;
  std::unordered_set<Id> seen;
  const auto reach = [&](const Vertex* vertex, Id id) {
    if (vertex != nullptr && seen.insert(id).second) {
      order.emplace_back(vertex, id);
    }
  };
  for (const auto& [handle, id] : roots_) {
    reach(handle.get(), id);
  }
  for (const Pin& pin : pins_) {
    reach(pin.address, pin.id);
  }
  for (std::size_t k = 0; k < table_.size(); ++k) {
    reach(table_[k], table_ids_[k]);
  }
  for (std::size_t k = 0; k < order.size(); ++k) {
    const auto [vertex, id] = order[k];
    if (std::string fault = check(*vertex, id); !fault.empty()) {
      return fault;
    }
    const Shadow& shadow = shadow_.at(id);
    reach(vertex->first.get(), shadow.first);
    reach(vertex->second.get(), shadow.second);
    for (std::uint32_t place = 0; place < shadow.fan.size(); ++place) {
      const Vertex* const child = (*vertex->fan)[place].get();
      if ((child == nullptr) != (shadow.fan[place] == 0)) {
        return wrong(fmt::format("the fan of vertex {} differs at {}", id, place));
      }
      reach(child, shadow.fan[place]);
    }
  }
  if (order.size() != reachable().size()) {
    return wrong(fmt::format("{} vertices are reached and {} are expected", order.size(),
                             reachable().size()));
  }
  return {};
}

StressCounts StressGraph::count() {
  StressCounts counts;
  std::unordered_map<Id, Shadow> kept;
  for (const Id id : reachable()) {
    Shadow& shadow = shadow_.at(id);
    ++counts.vertices;
    counts.fans += shadow.has_fan ? 1 : 0;
    counts.tensors += shadow.has_tensor ? 1 : 0;
    counts.payloads += shadow.has_bytes ? 1 : 0;
    kept.emplace(id, std::move(shadow));
  }
  shadow_ = std::move(kept);
  return counts;
}

std::string compare_heap(Runtime& runtime, const StressCounts& wanted) {
  if (const Result<CollectionReport> report = runtime.collect(Collect::kFull); !report) {
    return report.failure().message;
  }
  Census census = take_census(runtime);
  std::uint64_t blocks = 0;
  for (const PoolStatistics& pool : runtime.statistics().pools) {
    blocks += pool.live_blocks;
  }
  const auto expect = [](const char* what, std::uint64_t found, std::uint64_t reached) {
    return found == reached ? std::string{}
                            : fmt::format(
                                  "after a full collection {} {} are there and {} can be "
                                  "reached",
                                  found, what, reached);
  };
  for (const std::string& fault :
       {expect("vertices", census.by_type["Vertex"].objects, wanted.vertices),
        expect("fans", census.by_type["Vertex[]"].objects, wanted.fans),
        expect("tensors", census.by_type["Tensor"].objects, wanted.tensors),
        expect("payloads", blocks, wanted.payloads)}) {
    if (!fault.empty()) {
      return fault;
    }
  }
  const Result<void> sound = verify_heap(runtime);
  return sound ? std::string{} : sound.failure().message;
}

}  // namespace tenure::cli
