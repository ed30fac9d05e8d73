#include "tenure/facade/object_relocator.hpp"

#include <unordered_map>
#include <utility>
#include <vector>

#include "core/facade/state.hpp"
#include "core/facade/view_roots.hpp"

namespace tenure {

// A root callback names the place of each object in each collection, which rewrites it.
struct ObjectRelocator::State {
  explicit State(FacadeState& of) : facade(of) {}

  /// Calls `body()` while nothing moves.
  template <class Body>
  auto at_rest(Body body) -> Result<decltype(body())> {
    if (!facade.is_open()) {
      return FacadeState::closed();
    }
    SharedMutator::Use use(*facade.mutator);
    return body();
  }

  FacadeState& facade;                                  // outlives the relocator
  std::unordered_map<const void*, ObjectIndex> places;  // used with the mutator, and in stops
  ViewRoots roots{facade, [this](RootVisitor& visitor) {
                    for (auto& [key, object] : places) {
                      visitor.visit(object);
                    }
                  }};
};

namespace {
const void* data_at(ObjectIndex object) { return detail::data_of(object); }
}  // namespace

ObjectRelocator::ObjectRelocator(FacadeState& state) : state_(std::make_unique<State>(state)) {}
ObjectRelocator::ObjectRelocator(ObjectRelocator&&) noexcept = default;
ObjectRelocator& ObjectRelocator::operator=(ObjectRelocator&&) noexcept = default;
ObjectRelocator::~ObjectRelocator() = default;

Result<const void*> ObjectRelocator::add_forwarding(const Handle<GcObject>& object) {
  return state_->facade.with(object, [&](Mutator&, ObjectIndex index) -> Result<const void*> {
    const void* const key = data_at(index);
    const auto [row, is_new] = state_->places.emplace(key, index);
    if (!is_new && row->second != index) {
      return Error{ErrorCode::kBadArgument,
                   "an object was to be registered under an address that another one, which moved "
                   "away, is registered under; rebase the table first"};
    }
    return key;
  });
}

Result<const void*> ObjectRelocator::relocate_reference(const void* old) const {
  return state_->at_rest([&]() -> const void* {
    const auto row = state_->places.find(old);
    return row == state_->places.end() ? nullptr : data_at(row->second);
  });
}

Result<bool> ObjectRelocator::remove_forwarding(const void* old) {
  return state_->at_rest([&] { return state_->places.erase(old) != 0; });
}

std::size_t ObjectRelocator::count() const { return state_->places.size(); }

Result<std::size_t> ObjectRelocator::moved() const {
  return state_->at_rest([&] {
    std::size_t moved = 0;
    for (const auto& [key, object] : state_->places) {
      moved += data_at(object) != key ? 1 : 0;
    }
    return moved;
  });
}

Result<void> ObjectRelocator::rebase() {
  const Result<bool> done = state_->at_rest([&] {
    std::unordered_map<const void*, ObjectIndex> fresh;
    for (const auto& [key, object] : state_->places) {
      fresh.emplace(data_at(object), object);
    }
    state_->places = std::move(fresh);
    return true;
  });
  return done ? Result<void>() : Result<void>(done.failure());
}

}  // namespace tenure
