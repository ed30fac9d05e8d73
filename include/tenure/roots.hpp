// What keeps objects alive from outside the heap: a Local for a scope, a Handle for as long as it
// is held. Both follow their object when it moves.
#pragma once

#include <cstddef>
#include <utility>

#include "tenure/detail/fast_path.hpp"
#include "tenure/object.hpp"
#include "tenure/ref.hpp"

namespace tenure {

class Mutator;
class Runtime;

namespace detail {
struct HandleCell;
[[nodiscard]] MutatorCore& core_of(Mutator& mutator);
[[nodiscard]] HandleCell* take_handle_cell(MutatorCore& core, ObjectIndex object);
[[nodiscard]] HandleCell* copy_handle_cell(HandleCell* cell);
void drop_handle_cell(HandleCell* cell) noexcept;
void set_handle_cell(HandleCell* cell, ObjectIndex object) noexcept;
[[nodiscard]] ObjectIndex handle_object(const HandleCell* cell);
}  // namespace detail

/// A root on the stack, for a scope: three stores to make, one to end.
///
/// Those that lie elsewhere, in a container or on another stack, are best ended in the reverse order
/// of their making: another order costs a walk over those in between. Do not keep many: use Handle.
///
/// threads  the mutator's own, not away
template <class T>
class Local : private detail::LocalLink {
 public:
  explicit Local(Mutator& mutator) : Local(detail::core_of(mutator), ObjectIndex::kNull) {}
  Local(Mutator& mutator, T* target)
      : Local(detail::core_of(mutator),
              target == nullptr ? ObjectIndex::kNull : detail::object_at(target)) {}
  Local(Mutator& mutator, const Ref<T>& field) : Local(detail::core_of(mutator), field.index()) {}
  Local(Mutator& mutator, const Handle<T>& handle)
      : Local(detail::core_of(mutator), handle.index()) {}
  Local(const Local& other) : Local(*other.core_, other.index()) {}
  ~Local() {
    if (detail::is_tagged(*this)) [[likely]] {
      detail::untag(*this);
    } else {
      detail::unlink_local(*core_, *this);
    }
  }

  Local& operator=(const Local& other) {
    object = other.object;
    return *this;
  }
  Local& operator=(const Ref<T>& field) {
    object = field.index();
    return *this;
  }
  Local& operator=(const Handle<T>& handle) {
    object = handle.index();
    return *this;
  }
  Local& operator=(T* other) {
    object = other == nullptr ? ObjectIndex::kNull : detail::object_at(other);
    return *this;
  }
  Local& operator=(std::nullptr_t) {
    object = ObjectIndex::kNull;
    return *this;
  }

  [[nodiscard]] T* get() const {
    return object == ObjectIndex::kNull ? nullptr : reinterpret_cast<T*>(detail::data_of(object));
  }
  T* operator->() const { return reinterpret_cast<T*>(detail::data_of(object)); }
  T& operator*() const { return *operator->(); }
  explicit operator bool() const { return object != ObjectIndex::kNull; }
  [[nodiscard]] ObjectIndex index() const { return object; }
  friend bool operator==(const Local& a, const Local& b) { return a.object == b.object; }

  /// For the library: a root for an object by its place.
  Local(detail::MutatorCore& core, ObjectIndex root) : core_(&core) {
    object = root;
    detail::link_local(core, *this);
  }

 private:
  detail::MutatorCore* core_;  // outlives its locals
};

/// A root that lasts as long as it is held, wherever it is kept. Copies are roots of their own.
///
/// A handle that outlives its runtime is inert: null, and safe to read and to drop.
///
/// cost     a lock and a table cell to make
/// threads  make and read: any mutator, not away; drop: anyone
template <class T>
class Handle {
 public:
  Handle() = default;
  explicit Handle(const Local<T>& object) : Handle(*detail::current_core, object.index()) {}
  Handle(const Handle& other) : cell_(detail::copy_handle_cell(other.cell_)) {}
  Handle(Handle&& other) noexcept : cell_(std::exchange(other.cell_, nullptr)) {}
  Handle& operator=(Handle other) noexcept {
    std::swap(cell_, other.cell_);
    return *this;
  }
  ~Handle() { reset(); }

  void reset() noexcept {
    if (cell_ != nullptr) {
      detail::drop_handle_cell(std::exchange(cell_, nullptr));
    }
  }

  /// Keeps nothing, and its cell: `fill` then needs no lock. For tables of handles used again.
  ///
  /// threads  anyone
  void empty() noexcept {
    if (cell_ != nullptr) {
      detail::set_handle_cell(cell_, ObjectIndex::kNull);
    }
  }
  /// Keeps another object of the same runtime. False where the handle has no cell.
  ///
  /// threads  a mutator of the object's runtime, not away
  [[nodiscard]] bool fill(ObjectIndex object) noexcept {
    if (cell_ != nullptr) {
      detail::set_handle_cell(cell_, object);
    }
    return cell_ != nullptr;
  }

  [[nodiscard]] ObjectIndex index() const {
    return cell_ == nullptr ? ObjectIndex::kNull : detail::handle_object(cell_);
  }
  [[nodiscard]] T* get() const {
    const ObjectIndex object = index();
    return object == ObjectIndex::kNull ? nullptr : reinterpret_cast<T*>(detail::data_of(object));
  }
  T* operator->() const { return get(); }
  T& operator*() const { return *get(); }
  explicit operator bool() const { return index() != ObjectIndex::kNull; }

  /// For the library: a root for an object by its place.
  Handle(detail::MutatorCore& core, ObjectIndex object)
      : cell_(object == ObjectIndex::kNull ? nullptr : detail::take_handle_cell(core, object)) {}

 private:
  detail::HandleCell* cell_ = nullptr;
};

}  // namespace tenure
