// What a step of a random graph may do, and how often.
#include <fmt/format.h>

#include <cstring>

#include "tenure/events.hpp"
#include "tenure/optimizer.hpp"
#include "tenure/profile.hpp"
#include "tenure/snapshot.hpp"
#include "tools/cli/stress_graph.hpp"

namespace tenure::cli {

namespace {
constexpr std::uint64_t kCompactEvery = 50;   // collections asked for, of which one compacts
constexpr std::uint64_t kLongFan = 40'000;    // references: in runs of blocks or regions
constexpr std::uint64_t kMostWaste = 80'000;  // references
constexpr std::uint64_t kReplaceMapEvery = 200;
constexpr std::uint64_t kLongestLetter = 5;   // vertices
constexpr std::uint64_t kSnapshotEvery = 50;  // times that watching changes
}  // namespace

const StressGraph::Share StressGraph::kShares[] = {
    {350, &StressGraph::grow},         {300, &StressGraph::link},
    {130, &StressGraph::unlink},       {30, &StressGraph::give_fan},
    {45, &StressGraph::give_tensor},   {15, &StressGraph::pin},
    {15, &StressGraph::keep_in_table}, {10, &StressGraph::exchange_mail},
    {12, &StressGraph::take_weak},     {13, &StressGraph::follow_weak},
    {20, &StressGraph::change_map},    {20, &StressGraph::change_finalizer},
    {5, &StressGraph::hear_some},      {20, &StressGraph::drop_root},
    {5, &StressGraph::add_root},       {4, &StressGraph::waste},
    {5, &StressGraph::collect_some},   {1, &StressGraph::watch},
};

std::string StressGraph::operate() {
  std::string fault = roots_.check_pins();
  if (!fault.empty()) {
    return fault;
  }
  std::uint64_t dice = draw(1000);
  std::optional<Place> at = wander(fault);
  if (!fault.empty()) {
    return fault;
  }
  if (!at) {
    const Place fresh = create();
    roots_.add(Handle<Vertex>(fresh.vertex), fresh.id);
    return {};
  }
  for (const Share& share : kShares) {
    if (dice < share.per_mille) {
      return (this->*share.operation)(*at);
    }
    dice -= share.per_mille;
  }
  return "the shares of operations do not add up";
}

std::string StressGraph::grow(Place& at) {
  const Place fresh = create();
  if (!roots_.has_many() && draw(4) == 0) {
    roots_.add(Handle<Vertex>(fresh.vertex), fresh.id);
  }
  store(at, fresh);
  return {};
}

std::string StressGraph::link(Place& at) {
  std::string fault;
  if (const std::optional<Place> to = wander(fault)) {
    store(at, *to);
  }
  return fault;
}

std::string StressGraph::unlink(Place& at) {
  store(at, Place{Local<Vertex>(*mutator_), 0});
  return {};
}

void StressGraph::store(Place& from, const Place& to) {
  Shadow& shadow = ledger_.at(from.id);
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
}

std::string StressGraph::give_fan(Place& at) {
  const std::uint64_t length = draw(50) == 0 ? draw(kLongFan) : draw(20);
  at.vertex->fan = make_array<Vertex>(*mutator_, length);
  Shadow& shadow = ledger_.at(at.id);
  shadow.has_fan = true;
  shadow.fan.assign(length, 0);
  return {};
}

std::string StressGraph::give_tensor(Place& at) {
  Shadow& shadow = ledger_.at(at.id);
  if (shadow.has_bytes && draw(3) == 0) {
    at.vertex->tensor->release();
    shadow.has_bytes = false;
    return {};
  }
  const auto elements = static_cast<std::int64_t>(1 + draw(draw(10) == 0 ? 100'000 : 300));
  const Result<Local<Tensor>> tensor =
      make_tensor(*mutator_, {elements}, {.element = ElementType::kInt64});
  if (!tensor) {
    return tensor.failure().message;
  }
  std::memcpy((*tensor)->data(), &at.id, sizeof(at.id));
  at.vertex->tensor = *tensor;
  shadow.has_tensor = true;
  shadow.has_bytes = true;
  return {};
}

// Pins another one, or gives one free, by whether there are many.
std::string StressGraph::pin(Place& at) {
  if (roots_.may_pin() && draw(2) == 0) {
    roots_.pin(at.vertex, at.id);
  } else if (roots_.pins() > 0) {
    roots_.unpin(draw(roots_.pins()));
  }
  return {};
}

std::string StressGraph::keep_in_table(Place& at) {
  const std::size_t size = roots_.table_size();
  roots_.keep_in_table(roots_.may_grow_table() ? size : draw(size), at.vertex, at.id);
  return {};
}

std::string StressGraph::exchange_mail(Place&) {
  if (mail_ == nullptr) {
    return {};
  }
  if (draw(2) == 0) {
    post();
  } else if (std::optional<StressMail::Letter> letter = mail_->take()) {
    adopt(std::move(*letter));
  }
  return {};
}

// Makes a chain that nothing of ours refers to, and gives it away whole.
void StressGraph::post() {
  StressMail::Letter letter;
  Local<Vertex> first(*mutator_);
  for (std::uint64_t length = 1 + draw(kLongestLetter); length > 0; --length) {
    const Place fresh = create();
    fresh.vertex->first = first;
    ledger_.at(fresh.id).first = letter.first_id;
    first = fresh.vertex;
    letter.first_id = fresh.id;
    letter.shadows.insert(ledger_.take_out(fresh.id));
  }
  letter.first = Handle<Vertex>(first);
  mail_->post(std::move(letter));
}

std::string StressGraph::take_weak(Place& at) {
  weak_.take(weak_.may_grow() ? weak_.size() : draw(weak_.size()), at.vertex, at.id);
  return {};
}

// What a weak reference leads to, dead or alive by the oracle, is whole; now and then it lives on.
std::string StressGraph::follow_weak(Place&) {
  if (weak_.size() == 0) {
    return {};
  }
  const std::size_t place = draw(weak_.size());
  const bool keeps = draw(4) == 0;
  const Id id = weak_[place].id;
  const Local<Vertex> found = weak_[place].vertex.lock(*mutator_);
  if (!found) {
    return {};
  }
  std::string fault = check_vertex(ledger_, *found, id);
  if (fault.empty()) {
    fault = weak_.check(*mutator_, found, id);
  }
  if (fault.empty() && keeps) {
    roots_.add(Handle<Vertex>(found), id);
  }
  return fault;
}

std::string StressGraph::change_map(Place& at) {
  if (draw(kReplaceMapEvery) == 0) {
    map_.replace(*mutator_);
    return {};
  }
  const std::uint64_t choice = draw(10);
  if (choice == 0) {
    return map_.erase(at.vertex, at.id);
  }
  if (choice == 1) {
    map_.set(*mutator_, at.vertex, at.id, Local<Vertex>(*mutator_), 0);
    return {};
  }
  if (choice < 6) {  // a fresh value, that nothing else leads to
    const Place fresh = create();
    map_.set(*mutator_, at.vertex, at.id, fresh.vertex, fresh.id);
    at = fresh;  // and an entry of its own, for chains
    return choice < 4 ? change_map(at) : std::string{};
  }
  std::string fault;
  if (const std::optional<Place> to = wander(fault)) {
    map_.set(*mutator_, at.vertex, at.id, to->vertex, to->id);
  }
  return fault;
}

std::string StressGraph::change_finalizer(Place& at) {
  using Kind = StressFinalizers::Kind;
  const bool takes_back = draw(10) == 0;
  const std::uint64_t choice = draw(10);
  const Kind kind = choice < 6 ? Kind::kPlain : choice < 9 ? Kind::kSaves : Kind::kThrows;
  return finalizers_.change(*mutator_, at.vertex, at.id, kind, takes_back);
}

std::string StressGraph::hear_some(Place&) { return hear(); }

std::string StressGraph::drop_root(Place&) {
  roots_.drop(draw(roots_.size()));
  return {};
}

std::string StressGraph::add_root(Place& at) {
  roots_.add(Handle<Vertex>(at.vertex), at.id);
  return {};
}

// Fills the oldest generation with what nobody wants: that is what cycles begin for.
std::string StressGraph::waste(Place&) {
  (void)make_array<Vertex>(*mutator_, draw(kMostWaste));
  return {};
}

std::string StressGraph::collect_some(Place&) {
  const Config& config = runtime_.config();
  if (draw(kCompactEvery) == 0 && config.compaction && config.generations > 1) {
    const Result<CollectionReport> report = runtime_.compact();
    return report ? std::string{} : report.failure().message;
  }
  const auto last = static_cast<std::uint32_t>(draw(8) == 0 ? draw(config.generations) : 0);
  const Result<CollectionReport> report = runtime_.collect_up_to(last);
  return report ? std::string{} : report.failure().message;
}

// Watches more or less closely from now on, has what it saw read, or has the optimizer work or rest:
// whatever they do, the graph is the same.
std::string StressGraph::watch(Place&) {
  const auto fault_of = [](const auto& result) {
    // Nothing is watched just now, or the mode is manual and nothing is optimized.
    const bool is_fault = !result.ok() && result.failure().code != ErrorCode::kBadArgument &&
                          result.failure().code != ErrorCode::kUnsupported;
    return is_fault ? result.failure().message : std::string{};
  };
  if (draw(kSnapshotEvery) == 0) {
    return fault_of(take_snapshot(runtime_));
  }
  switch (draw(8)) {
    case 0:
      return fault_of(take_profile(runtime_));
    case 1:
      return fault_of(take_events(runtime_));
    case 2:
      return fault_of(set_auto_optimize(runtime_, true));
    case 3:
      return fault_of(set_auto_optimize(runtime_, false));
    default:
      return fault_of(set_profile_level(runtime_, static_cast<ProfileLevel>(draw(4))));
  }
}

}  // namespace tenure::cli
