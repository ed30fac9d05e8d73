// Things that a C program holds by number: what is put here is found again by a handle, until it is
// taken out. Any other number finds nothing.
//
//   a handle     63      56 55                  32 31                   0
//               +----------+----------------------+----------------------+
//               | kind     | serial of the place  | place                |
//               +----------+----------------------+----------------------+
//
// Invariant: a place's serial goes up with each thing put there, and is never 0.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace tenure::capi {

/// threads  guarded by the registry's mutex
template <class T, std::uint8_t kKind>
class Shelf {
 public:
  [[nodiscard]] std::uint64_t put(T thing) {
    if (free_.empty()) {
      free_.reserve(places_.size() + 1);  // so that taking out never fails
      places_.emplace_back();
      free_.push_back(static_cast<std::uint32_t>(places_.size() - 1));
    }
    const std::uint32_t at = free_.back();
    Place& place = places_[at];
    place.thing.emplace(std::move(thing));
    free_.pop_back();
    place.serial = place.serial % kMostSerial + 1;
    return handle_of(at);
  }

  /// Null where there is no such thing. Good until the next `put`.
  [[nodiscard]] T* find(std::uint64_t handle) {
    const std::uint64_t at = handle & kPlaceMask;
    if (at >= places_.size() || !places_[at].thing.has_value() ||
        handle_of(static_cast<std::uint32_t>(at)) != handle) {
      return nullptr;
    }
    return &*places_[at].thing;
  }

  /// The thing, which is here no more; it ends where its last user has no lock.
  [[nodiscard]] std::optional<T> take(std::uint64_t handle) {
    T* const found = find(handle);
    if (found == nullptr) {
      return {};
    }
    std::optional<T> taken(std::move(*found));
    places_[handle & kPlaceMask].thing.reset();
    free_.push_back(static_cast<std::uint32_t>(handle & kPlaceMask));
    return taken;
  }

  /// Takes out everything that `chosen(thing)`.
  template <class Chosen>
  [[nodiscard]] std::vector<T> take_all(Chosen chosen) {
    std::vector<T> taken;
    taken.reserve(places_.size());
    for (std::uint32_t at = 0; at < places_.size(); ++at) {
      if (places_[at].thing.has_value() && chosen(*places_[at].thing)) {
        taken.push_back(std::move(*take(handle_of(at))));
      }
    }
    return taken;
  }

 private:
  static constexpr std::uint64_t kPlaceMask = 0xFFFF'FFFF;
  static constexpr std::uint32_t kMostSerial = (1u << 24) - 1;

  struct Place {
    std::optional<T> thing;
    std::uint32_t serial = 0;
  };
  [[nodiscard]] std::uint64_t handle_of(std::uint32_t at) const {
    return std::uint64_t{kKind} << 56 | std::uint64_t{places_[at].serial} << 32 | at;
  }

  std::vector<Place> places_;
  std::vector<std::uint32_t> free_;
};

}  // namespace tenure::capi
