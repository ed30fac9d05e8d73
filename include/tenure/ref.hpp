// Fields of objects that refer to other objects. A Ref stores through the write barrier, whatever
// it is assigned from, so the barrier cannot be forgotten.
//
// Invariant: a Ref lies inside an object of the heap, never on the stack; there, use Local. It
// cannot be copied out by mistake: its copy constructor is deleted.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tenure/detail/fast_path.hpp"
#include "tenure/object.hpp"
#include "tenure/type.hpp"

namespace tenure {

template <class T>
class Local;
template <class T>
class Handle;

/// A field that refers to a T, or to nothing. Four bytes.
///
/// A bare pointer got from it is good until the thread's next safepoint: an allocation, a poll, a
/// collection, leaving an Away scope.
///
/// threads  the mutator's own; two threads that store in one field race as with any variable
template <class T>
class Ref {
 public:
  constexpr Ref() = default;
  constexpr Ref(std::nullptr_t) noexcept {}  // NOLINT: null is a reference
  /// The first store in an object under construction. It needs no barrier.
  Ref(const Local<T>& object) noexcept
      : object_(object.index()) {}  // NOLINT: what a field is made from
  Ref(const Handle<T>& object) noexcept : object_(object.index()) {}  // NOLINT: likewise
  Ref(T* object) noexcept : object_(index_of(object)) {}              // NOLINT: likewise

  Ref(const Ref&) = delete;  // a copy on the stack would not be seen by the collector
  Ref& operator=(const Ref& other) { return store(other.object_); }
  Ref& operator=(std::nullptr_t) { return store(ObjectIndex::kNull); }
  Ref& operator=(const Local<T>& object) { return store(object.index()); }
  Ref& operator=(const Handle<T>& object) { return store(object.index()); }
  Ref& operator=(T* object) { return store(index_of(object)); }

  [[nodiscard]] T* get() const {
    return object_ == ObjectIndex::kNull ? nullptr : reinterpret_cast<T*>(detail::data_of(object_));
  }
  /// The object. A null reference faults on an address that is never mapped.
  T* operator->() const { return reinterpret_cast<T*>(detail::data_of(object_)); }
  T& operator*() const { return *operator->(); }
  explicit operator bool() const { return object_ != ObjectIndex::kNull; }
  [[nodiscard]] ObjectIndex index() const { return object_; }

  friend bool operator==(const Ref& a, const Ref& b) { return a.object_ == b.object_; }
  friend bool operator==(const Ref& a, const T* b) { return a.object_ == index_of(b); }

 private:
  static ObjectIndex index_of(const T* object) {
    return object == nullptr ? ObjectIndex::kNull : detail::object_at(object);
  }
  Ref& store(ObjectIndex value) {
    detail::write_reference(*detail::current_core, object_, value);
    return *this;
  }

  ObjectIndex object_ = ObjectIndex::kNull;
};
static_assert(sizeof(Ref<int>) == sizeof(ObjectIndex));

/// An array of references, as one object: its slots, and its length behind them.
///
/// Made by `make_array`. Large ones lie in runs of regions.
template <class T>
class RefArray {
 public:
  RefArray(const RefArray&) = delete;
  RefArray& operator=(const RefArray&) = delete;

  [[nodiscard]] std::uint32_t size() const {
    const std::uint32_t granules = detail::header_of(detail::object_at(this)).size;
    const auto* words = reinterpret_cast<const std::uint32_t*>(this);
    return words[2 * (granules - 1 - kTailGranules)];
  }
  /// The slot `place`, below `size()`.
  Ref<T>& operator[](std::uint32_t place) { return slots()[place]; }
  const Ref<T>& operator[](std::uint32_t place) const { return slots()[place]; }
  Ref<T>* begin() { return slots(); }
  Ref<T>* end() { return slots() + size(); }

  /// The granules of an array of `length`, its header included.
  static constexpr std::uint64_t granules_for_length(std::uint64_t length) {
    return 1 + (length + 1) / 2 + kTailGranules;
  }

  static constexpr std::uint32_t kTailGranules = 1;  // the length

 private:
  RefArray() = default;
  Ref<T>* slots() { return reinterpret_cast<Ref<T>*>(this); }
  const Ref<T>* slots() const { return reinterpret_cast<const Ref<T>*>(this); }
};

}  // namespace tenure
