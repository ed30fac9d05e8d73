#include "tenure/facade/reference_tracer.hpp"

#include <string>
#include <unordered_set>
#include <utility>

#include "core/facade/state.hpp"
#include "core/facade/view_roots.hpp"
#include "tenure/object_facts.hpp"

namespace tenure {

// Objects reached lie in one list, which a root callback names in each collection: so they live, and their
// places are right. The stack and the set are by place in that list, and by object; the latter is made
// anew where a collection may have moved some.
struct ReferenceTracer::State {
  explicit State(FacadeState& of) : facade(of) {}

  void settle() {
    if (std::exchange(is_stale, false)) {
      seen.clear();
      seen.insert(reached.begin(), reached.end());
    }
  }
  bool push(ObjectIndex object) {
    if (!seen.insert(object).second) {
      return false;
    }
    stack.push_back(reached.size());
    reached.push_back(object);
    bytes += Bytes{std::uint64_t{detail::header_of(object).size} * kGranuleBytes};
    return true;
  }

  FacadeState& facade;                   // outlives the tracer
  std::vector<ObjectIndex> reached;      // used with the mutator, and in stops; so the rest
  std::vector<std::size_t> stack;        // of places in it
  std::unordered_set<ObjectIndex> seen;  // what is in it, once settled
  bool is_stale = false;                 // a collection came since
  Bytes bytes{};
  ViewRoots roots{facade, [this](RootVisitor& visitor) {
                    for (ObjectIndex& object : reached) {
                      visitor.visit(object);
                    }
                    is_stale = true;
                  }};
};

ReferenceTracer::ReferenceTracer(FacadeState& state) : state_(std::make_unique<State>(state)) {}
ReferenceTracer::ReferenceTracer(ReferenceTracer&&) noexcept = default;
ReferenceTracer& ReferenceTracer::operator=(ReferenceTracer&&) noexcept = default;
ReferenceTracer::~ReferenceTracer() = default;

Result<bool> ReferenceTracer::trace_object(const Handle<GcObject>& object) {
  return state_->facade.with(object, [&](Mutator&, ObjectIndex index) -> Result<bool> {
    state_->settle();
    return state_->push(index);
  });
}

Result<std::uint64_t> ReferenceTracer::trace_array(const Handle<GcObject>& array,
                                                   std::uint32_t first, std::uint32_t count) {
  return state_->facade.with(array, [&](Mutator&, ObjectIndex index) -> Result<std::uint64_t> {
    const auto& object = *reinterpret_cast<const GcObject*>(detail::data_of(index));
    if (first > object.reference_count() || count > object.reference_count() - first) {
      return Error{ErrorCode::kBadArgument, "references " + std::to_string(first) + " and " +
                                                std::to_string(count) +
                                                " on were to be traced; the object has " +
                                                std::to_string(object.reference_count())};
    }
    state_->settle();
    std::uint64_t pushed = 0;
    for (std::uint32_t slot = first; slot < first + count; ++slot) {
      const ObjectIndex target = detail::places_of(index)[slot + 1];
      pushed += target != ObjectIndex::kNull && state_->push(target) ? 1 : 0;
    }
    return pushed;
  });
}

Result<bool> ReferenceTracer::process_work_stack(std::uint64_t budget) {
  if (!state_->facade.is_open()) {
    return FacadeState::closed();
  }
  SharedMutator::Use use(*state_->facade.mutator);
  state_->settle();
  for (; budget > 0 && !state_->stack.empty(); --budget) {
    const ObjectIndex object = state_->reached[state_->stack.back()];
    state_->stack.pop_back();
    for (const ObjectIndex target : references_of(object)) {
      (void)state_->push(target);
    }
  }
  return state_->stack.empty();
}

std::uint64_t ReferenceTracer::reached() const { return state_->reached.size(); }
std::size_t ReferenceTracer::pending() const { return state_->stack.size(); }
Bytes ReferenceTracer::bytes() const { return state_->bytes; }

Result<bool> ReferenceTracer::has_reached(const Handle<GcObject>& object) const {
  return state_->facade.with(object, [&](Mutator&, ObjectIndex index) -> Result<bool> {
    state_->settle();
    return state_->seen.count(index) != 0;
  });
}

}  // namespace tenure
