// A reference that keeps nothing alive: it leads to its object for as long as something else does.
#pragma once

#include <functional>
#include <utility>

#include "tenure/detail/fast_path.hpp"
#include "tenure/object.hpp"
#include "tenure/roots.hpp"

namespace tenure {

namespace detail {
struct WeakCell;
[[nodiscard]] WeakCell* take_weak_cell(MutatorCore& core, ObjectIndex object,
                                       std::function<void()> on_death);
[[nodiscard]] WeakCell* copy_weak_cell(WeakCell* cell);
void drop_weak_cell(WeakCell* cell) noexcept;
[[nodiscard]] ObjectIndex lock_weak_cell(MutatorCore& core, const WeakCell* cell);
[[nodiscard]] ObjectIndex weak_object(const WeakCell* cell);
}  // namespace detail

/// A weak reference. The collection that finds its object dead clears it, whatever the object's
/// generation, before any finalizer runs; an object that is kept for its finalizer alone is dead.
///
/// One that outlives its runtime is inert: null, and safe to read and to drop.
///
/// cost     a lock and a table cell to make
/// threads  make: any mutator of the object's runtime, not away; lock: likewise; copy, drop: anyone
template <class T>
class Weak {
 public:
  Weak() = default;
  explicit Weak(const Local<T>& object) : Weak(object, {}) {}
  explicit Weak(const Handle<T>& object) : Weak(object.index(), {}) {}
  /// Has `on_death` called once after the object died: between stops, where finalizers run and
  /// before those of the same collection. Not called where the weak reference is gone by then, or
  /// its runtime is closed first; not taken over by copies.
  Weak(const Local<T>& object, std::function<void()> on_death)
      : Weak(object.index(), std::move(on_death)) {}
  Weak(const Weak& other) : cell_(detail::copy_weak_cell(other.cell_)) {}
  Weak(Weak&& other) noexcept : cell_(std::exchange(other.cell_, nullptr)) {}
  Weak& operator=(Weak other) noexcept {
    std::swap(cell_, other.cell_);
    return *this;
  }
  ~Weak() { reset(); }

  void reset() noexcept {
    if (cell_ != nullptr) {
      detail::drop_weak_cell(std::exchange(cell_, nullptr));
    }
  }

  /// The object, kept from here on; null once it died.
  [[nodiscard]] Local<T> lock(Mutator& mutator) const {
    detail::MutatorCore& core = detail::core_of(mutator);
    return Local<T>(core,
                    cell_ == nullptr ? ObjectIndex::kNull : detail::lock_weak_cell(core, cell_));
  }

  /// Whether the object died, or there never was one. What is not dead by one's own doing may be by
  /// the next safepoint.
  [[nodiscard]] bool is_null() const {
    return cell_ == nullptr || detail::weak_object(cell_) == ObjectIndex::kNull;
  }

 private:
  Weak(ObjectIndex object, std::function<void()> on_death)
      : cell_(object == ObjectIndex::kNull
                  ? nullptr
                  : detail::take_weak_cell(*detail::current_core, object, std::move(on_death))) {}

  detail::WeakCell* cell_ = nullptr;
};

}  // namespace tenure
