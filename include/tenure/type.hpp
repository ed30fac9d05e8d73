// A C++ type described as data: how many references it holds, and that they stand first. One line
// beside the members does it:
//
//   struct Node {
//     Ref<Node> left;
//     Ref<Node> right;
//     std::int64_t value = 0;
//     static auto tenure_type() { return describe("Node", &Node::left, &Node::right); }
//   };
//
// `describe(...).named("left", "right")` has reports say "Node.right" where they would say "Node.#1".
//
// A type that is trivially copyable holds no reference and needs no line at all.
//
// Invariant: a type that a kernel could not walk is refused, with a sentence, before its first
// object is made.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "tenure/object.hpp"

namespace tenure {

template <class T>
class Ref;

/// What the heap must know of a type.
///
/// offsets      bytes from the start of the type's own data, [reference count], in slot order
/// data_bytes   sizeof the type; 0 where its objects differ in size
/// field_names  of the references, [reference count], for reports; null where they have none
struct TypeDescription {
  std::string_view name;
  const std::uint32_t* offsets = nullptr;
  std::uint32_t reference_count = 0;
  std::uint32_t data_bytes = 0;

  /// All granules but the last `tail_granules` are references; `reference_count` does not count.
  bool fills_with_references = false;
  std::uint32_t tail_granules = 0;
  const std::string_view* field_names = nullptr;
};

/// Adds a type to the process's table.
///
/// errors   stops the program with a sentence where the references do not stand first, at byte 0,
///          4, 8, ..., or where the table is full: both are the program's own mistake
/// threads  anyone
[[nodiscard]] TypeId register_type(const TypeDescription& type);

/// The name a type was registered under; "free cell" and "filler" for the heap's own.
[[nodiscard]] std::string_view type_name(TypeId type);

/// The name of a type's reference number `slot`; empty where it has none.
[[nodiscard]] std::string_view type_field_name(TypeId type, std::uint32_t slot);

/// What `describe` gives: the name, and which members are references.
template <class T, std::size_t kCount>
struct Description {
  using Type = T;
  std::string_view name;
  std::array<std::uint32_t, kCount> offsets;
  std::array<std::string_view, kCount> field_names{};

  /// The same, its references named for reports, in their order.
  template <class... Names>
  [[nodiscard]] Description named(Names... names) const {
    static_assert(sizeof...(Names) == kCount, "name each reference, or none");
    return {name, offsets, {std::string_view(names)...}};
  }
};

namespace detail {

// Where a member lies, asked of storage in which no T was ever made.
template <class T, class Member>
std::uint32_t offset_of(Member T::*member) {
  alignas(T) static const std::byte storage[sizeof(T)] = {};
  const auto* object = reinterpret_cast<const T*>(storage);
  const auto* place = reinterpret_cast<const std::byte*>(&(object->*member));
  return static_cast<std::uint32_t>(place - storage);
}

template <class T>
concept Described = requires {
  T::tenure_type();
};

}  // namespace detail

/// Describes a type by its reference members, all of them, in the order in which they stand.
template <class T, class... Targets>
[[nodiscard]] auto describe(std::string_view name, Ref<Targets> T::*... references) {
  return Description<T, sizeof...(Targets)>{name, {detail::offset_of(references)...}};
}

/// Describes a type without references that is not trivially copyable.
template <class T>
[[nodiscard]] auto describe_leaf(std::string_view name) {
  return Description<T, 0>{name, {}};
}

namespace detail {

// 0 until the type is registered.
template <class T>
inline constinit std::atomic<std::uint32_t> type_cell{0};

template <class T>
[[gnu::cold, gnu::noinline]] TypeId register_once() {
  static const TypeId id = [] {
    TypeDescription row;
    if constexpr (Described<T>) {
      const auto described = T::tenure_type();
      static_assert(std::is_same_v<typename decltype(described)::Type, T>,
                    "tenure_type() describes another type than the one it stands in");
      row.name = described.name;
      row.offsets = described.offsets.data();
      row.reference_count = static_cast<std::uint32_t>(described.offsets.size());
      row.data_bytes = sizeof(T);
      row.field_names = described.field_names.data();
      return register_type(row);
    } else {
      row.name = __PRETTY_FUNCTION__;
      row.data_bytes = sizeof(T);
      return register_type(row);
    }
  }();
  type_cell<T>.store(static_cast<std::uint32_t>(id), std::memory_order_release);
  return id;
}

}  // namespace detail

/// What may be an object: data that can be moved by copying its bytes, and described as above.
template <class T>
concept Managed =
    std::is_class_v<T> && std::is_trivially_destructible_v<T> && !std::is_polymorphic_v<T> &&
    alignof(T) <= kGranuleBytes && (detail::Described<T> || std::is_trivially_copyable_v<T>);

/// The type's row, registered when it is first asked for.
template <class T>
[[nodiscard]] TypeId type_id() {
  const std::uint32_t id = detail::type_cell<T>.load(std::memory_order_acquire);
  if (id == 0) [[unlikely]] {
    return detail::register_once<T>();
  }
  return static_cast<TypeId>(id);
}

}  // namespace tenure
