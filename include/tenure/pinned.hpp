// An object that keeps its address: for native calls, direct memory access, and whoever else holds
// a bare pointer while collections go on.
#pragma once

#include <utility>

#include "tenure/detail/fast_path.hpp"
#include "tenure/object.hpp"
#include "tenure/roots.hpp"

namespace tenure {

namespace detail {
struct PinRow;
[[nodiscard]] PinRow* take_pin(MutatorCore& core, ObjectIndex object);
[[nodiscard]] PinRow* copy_pin(PinRow* row);
void drop_pin(PinRow* row) noexcept;
[[nodiscard]] ObjectIndex pinned_object(const PinRow* row);
}  // namespace detail

/// A root whose object neither moves nor dies while it is held. Pins of one object are counted:
/// it is free again when the last of them is gone.
///
/// A pinned object of a young generation holds back its region of 256 KiB, and one of the oldest
/// its block of 16 KiB: pin for a call, not for a lifetime. A pin that outlives its runtime is
/// inert: null, and safe to read and to drop.
///
/// cost     a lock and a table row to make
/// threads  make: any mutator of the object's runtime, not away; copy, read, drop: anyone
template <class T>
class Pinned {
 public:
  Pinned() = default;
  explicit Pinned(const Local<T>& object) : Pinned(*detail::current_core, object.index()) {}
  explicit Pinned(const Handle<T>& object) : Pinned(*detail::current_core, object.index()) {}
  explicit Pinned(const Ref<T>& field) : Pinned(*detail::current_core, field.index()) {}
  Pinned(const Pinned& other) : row_(detail::copy_pin(other.row_)) {}
  Pinned(Pinned&& other) noexcept : row_(std::exchange(other.row_, nullptr)) {}
  Pinned& operator=(Pinned other) noexcept {
    std::swap(row_, other.row_);
    return *this;
  }
  ~Pinned() { reset(); }

  void reset() noexcept {
    if (row_ != nullptr) {
      detail::drop_pin(std::exchange(row_, nullptr));
    }
  }

  [[nodiscard]] ObjectIndex index() const {
    return row_ == nullptr ? ObjectIndex::kNull : detail::pinned_object(row_);
  }
  /// The object's address, the same for as long as it is pinned.
  [[nodiscard]] T* get() const {
    const ObjectIndex object = index();
    return object == ObjectIndex::kNull ? nullptr : reinterpret_cast<T*>(detail::data_of(object));
  }
  T* operator->() const { return get(); }
  T& operator*() const { return *get(); }
  explicit operator bool() const { return index() != ObjectIndex::kNull; }

  /// For the library: a pin of an object by its place.
  Pinned(detail::MutatorCore& core, ObjectIndex object)
      : row_(object == ObjectIndex::kNull ? nullptr : detail::take_pin(core, object)) {}

 private:
  detail::PinRow* row_ = nullptr;
};

}  // namespace tenure
