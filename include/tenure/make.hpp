// How objects are made: the inline path, and what stands behind it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <string>
#include <type_traits>
#include <utility>

#include "tenure/bytes.hpp"
#include "tenure/detail/fast_path.hpp"
#include "tenure/mutator.hpp"
#include "tenure/object.hpp"
#include "tenure/ref.hpp"
#include "tenure/result.hpp"
#include "tenure/roots.hpp"
#include "tenure/type.hpp"

namespace tenure {

namespace detail {

/// Allocates where the buffer does not: collects, grows, or throws what `value_or_throw` throws.
/// The object's data are zero.
[[nodiscard]] ObjectIndex allocate_slowly(MutatorCore& core, TypeId type, std::uint64_t granules);

/// Constructing an object must not allocate: it could move what is half built.
void construction_begins(MutatorCore& core);
void construction_ends(MutatorCore& core);

inline void write_header(ObjectIndex object, TypeId type, std::uint32_t granules) {
  header_of(object) = ObjectHeader{static_cast<std::uint32_t>(type), granules};
}

/// Fetches the line where an object will be made some objects from now. The nursery is larger than the
/// caches near a core, and stores that miss them all hold up those behind.
///
/// Measured: `bench gc`, GCBench 175 to 143 ms. Why always inline: g++ 12 takes a call that does nothing
/// else for one that does nothing.
[[gnu::always_inline]] inline void fetch_for_next(ObjectIndex object) {
  constexpr std::uint32_t kBytesAhead = 768;
  __builtin_prefetch(address_of(object) + kBytesAhead, 1);
}

inline constexpr std::uint32_t kBytesZeroedInline = 64;

/// Zeroes the data of an object; those of a small one by stores that may overlap, and no call.
///
/// bytes   8 at least, as every object has
inline void zero(std::byte* data, std::size_t bytes) {
  if (bytes <= 16) {
    std::memset(data, 0, 8);
    std::memset(data + bytes - 8, 0, 8);
  } else if (bytes <= 32) {
    std::memset(data, 0, 16);
    std::memset(data + bytes - 16, 0, 16);
  } else if (bytes <= kBytesZeroedInline) {
    std::memset(data, 0, 32);
    std::memset(data + bytes - 32, 0, 32);
  } else {
    std::memset(data, 0, bytes);
  }
}

/// A fresh object whose data are zero: for doors that construct nothing.
inline void write_zeroed(ObjectIndex object, TypeId type, std::uint32_t granules) {
  write_header(object, type, granules);
  zero(data_of(object), std::size_t{granules - 1} * kGranuleBytes);
}

// Why two spellings: clang 14 cannot make an aggregate from a list in parentheses.
template <class T, class... Arguments>
concept InParentheses = std::is_constructible_v<T, Arguments...>;

template <class T, class... Arguments>
[[nodiscard]] constexpr bool constructs_quietly() {
  if constexpr (InParentheses<T, Arguments...>) {
    return std::is_nothrow_constructible_v<T, Arguments...>;
  } else {
    return noexcept(T{std::declval<Arguments>()...});
  }
}

template <class T, class... Arguments>
void construct(std::byte* place, Arguments&&... arguments) {
  if constexpr (InParentheses<T, Arguments...>) {
    ::new (place) T(std::forward<Arguments>(arguments)...);
  } else {
    ::new (place) T{std::forward<Arguments>(arguments)...};
  }
}

// A bare pointer to an object is stale once the allocation has collected.
template <class Argument>
concept BareObject = std::is_pointer_v<std::remove_cvref_t<Argument>> &&
    Described<std::remove_pointer_t<std::remove_cvref_t<Argument>>>;

}  // namespace detail

/// Makes a T in the heap, and roots it for the scope.
///
/// T        described by `tenure_type()`, or trivially copyable; its constructor must not allocate
///          objects
/// cost     a compare, an addition, the header and the constructor; a collection now and then
/// errors   throws Failure (kOutOfMemory) where the heap is full of live objects
template <Managed T, class... Arguments>
[[nodiscard, gnu::always_inline]] inline Local<T> make(Mutator& mutator, Arguments&&... arguments) {
  static_assert(!(detail::BareObject<Arguments> || ...),
                "pass a Local, not a bare pointer: the allocation may move the object");
  constexpr std::uint64_t kGranules = 1 + granules_for(sizeof(T));
  detail::MutatorCore& core = mutator.core();
  const TypeId type = type_id<T>();
  ObjectIndex object = core.buffer.try_take(kGranules);
  if (object == ObjectIndex::kNull) [[unlikely]] {
    object = detail::allocate_slowly(core, type, kGranules);
  } else {
    detail::write_header(object, type, kGranules);
    detail::fetch_for_next(object);
  }
  if constexpr (detail::constructs_quietly<T, Arguments...>()) {
    detail::construct<T>(detail::data_of(object), std::forward<Arguments>(arguments)...);
  } else {
    // Why: a constructor that throws leaves an object behind that stops may still walk.
    std::memset(detail::data_of(object), 0, (kGranules - 1) * kGranuleBytes);
    detail::construction_begins(core);
    detail::construct<T>(detail::data_of(object), std::forward<Arguments>(arguments)...);
    detail::construction_ends(core);
  }
  return Local<T>(core, object);
}

/// An object of a type that is known only as the program runs, its data zero and not rooted yet.
///
/// type     from `register_type`
/// data     behind the header
/// errors   kOutOfMemory; kBadArgument: no data at all; kClosed
[[nodiscard]] Result<ObjectIndex> allocate_object(Mutator& mutator, TypeId type, Bytes data);

/// Makes a T with `tail` bytes behind it, zero and 8-aligned, in the same object: strings, tuples,
/// frames. `tail_of` finds them.
///
/// T        as for `make`, and nothrow constructible
/// errors   throws Failure: kOutOfMemory
template <Managed T, class... Arguments>
[[nodiscard]] Local<T> make_with_tail(Mutator& mutator, Bytes tail, Arguments&&... arguments) {
  static_assert(detail::constructs_quietly<T, Arguments...>());
  detail::MutatorCore& core = mutator.core();
  const ObjectIndex object = detail::allocate_slowly(
      core, type_id<T>(), 1 + granules_for(sizeof(T)) + granules_for(tail.count()));
  detail::construct<T>(detail::data_of(object), std::forward<Arguments>(arguments)...);
  return Local<T>(core, object);
}

/// The bytes behind an object that `make_with_tail` made; good until the next safepoint.
template <Managed T>
[[nodiscard]] std::byte* tail_of(T* object) {
  return reinterpret_cast<std::byte*>(object) + granules_for(sizeof(T)) * kGranuleBytes;
}

/// Makes an array of `length` null references.
///
/// length   2^31 at most
/// errors   throws Failure: kOutOfMemory; kBadArgument where it is longer
template <class T>
[[nodiscard]] Local<RefArray<T>> make_array(Mutator& mutator, std::uint64_t length);

namespace detail {
[[nodiscard]] ObjectIndex allocate_array(MutatorCore& core, TypeId type, std::uint64_t length);

template <class T>
[[nodiscard]] TypeId array_type_id() {
  static const TypeId id = register_type({.name = std::string(type_name(type_id<T>())) + "[]",
                                          .fills_with_references = true,
                                          .tail_granules = RefArray<T>::kTailGranules});
  return id;
}
}  // namespace detail

template <class T>
Local<RefArray<T>> make_array(Mutator& mutator, std::uint64_t length) {
  detail::MutatorCore& core = mutator.core();
  return Local<RefArray<T>>(core, detail::allocate_array(core, detail::array_type_id<T>(), length));
}

}  // namespace tenure
