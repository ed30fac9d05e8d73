// A map that keeps a value for as long as its key lives, and no key: what a program wants to know of
// objects beside what they hold, such as a foreign language's wrapper of each.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "tenure/detail/fast_path.hpp"
#include "tenure/object.hpp"
#include "tenure/roots.hpp"

namespace tenure {

class EphemeronMap;  // core/heap

namespace detail {
struct DropWeakMap {
  void operator()(EphemeronMap* map) const noexcept;
};
using WeakMapOwner = std::unique_ptr<EphemeronMap, DropWeakMap>;
[[nodiscard]] WeakMapOwner make_weak_map(MutatorCore& core);
void weak_map_set(EphemeronMap& map, ObjectIndex key, ObjectIndex value);
[[nodiscard]] ObjectIndex weak_map_find(const EphemeronMap& map, ObjectIndex key);
[[nodiscard]] bool weak_map_has(const EphemeronMap& map, ObjectIndex key);
bool weak_map_erase(EphemeronMap& map, ObjectIndex key);
void weak_map_clear(EphemeronMap& map);
[[nodiscard]] std::uint64_t weak_map_size(const EphemeronMap& map);
}  // namespace detail

/// A weak map from objects, by identity. A value lives as long as its key, also where it refers to
/// that key: an entry is an ephemeron. The collection that finds a key dead drops its entry.
///
/// One that outlives its runtime is inert: empty, and safe to end.
///
/// cost     a lock and a look-up; a young collection looks at the entries of which key or value is
///          of a generation it collects
/// threads  any mutator of its runtime, not away; ending and moving: anyone
template <class K, class V>
class WeakMap {
 public:
  explicit WeakMap(Mutator& mutator) : map_(detail::make_weak_map(detail::core_of(mutator))) {}

  /// Sets the key's value, instead of the one it had. The value may be null.
  void set(const Local<K>& key, const Local<V>& value) {
    detail::weak_map_set(*map_, key.index(), value.index());
  }
  /// The key's value; null where there is none.
  [[nodiscard]] Local<V> find(Mutator& mutator, const Local<K>& key) const {
    return Local<V>(detail::core_of(mutator), detail::weak_map_find(*map_, key.index()));
  }
  [[nodiscard]] bool has(const Local<K>& key) const {
    return detail::weak_map_has(*map_, key.index());
  }
  /// False where there was no entry.
  bool erase(const Local<K>& key) { return detail::weak_map_erase(*map_, key.index()); }
  void clear() { detail::weak_map_clear(*map_); }

  /// Entries; those of dead keys that nobody found included.
  [[nodiscard]] std::uint64_t size() const { return detail::weak_map_size(*map_); }

 private:
  detail::WeakMapOwner map_;
};

}  // namespace tenure
