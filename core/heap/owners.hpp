// Which objects own payloads, by generation, so that a collection finds the payloads of the dead by
// walking the owners it condemned, and no object asks for a finalizer.
//
// Invariant: each owner has one row, in the list of the generation it is in. What it owns is read
// from the object itself, behind its references; null there means that it was released early.
#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/heap/object_access.hpp"
#include "tenure/payload.hpp"
#include "tenure/statistics.hpp"

namespace tenure {

/// Where an owner's payload is named: in its first granule behind the references.
struct OwnedPayload {
  PayloadBlock* block = nullptr;  // exchanged by whoever hands it back
};

[[nodiscard]] inline OwnedPayload& payload_of(ObjectIndex owner) {
  const std::uint32_t references = (slot_count(owner) + 1) / 2;
  return *reinterpret_cast<OwnedPayload*>(detail::data_of(owner) + references * kGranuleBytes);
}

/// Hands an owner's payload back, if it still has one.
///
/// returns  the bytes it was asked for with; empty where there was none
/// threads  anyone
Bytes retire_payload(OwnedPayload& payload);

/// What a collection handed back.
struct Retired {
  std::uint64_t payloads = 0;
  Bytes bytes;
};

/// threads  stopped world
class Owners {
 public:
  [[nodiscard]] std::vector<ObjectIndex>& in(std::uint32_t generation) { return rows_[generation]; }
  [[nodiscard]] const std::vector<ObjectIndex>& in(std::uint32_t generation) const {
    return rows_[generation];
  }
  void add(std::uint32_t generation, ObjectIndex owner) { rows_[generation].push_back(owner); }

  /// Calls `visit(ObjectIndex&)` for each row.
  template <class Visit>
  void for_each(Visit& visit) {
    for (std::vector<ObjectIndex>& rows : rows_) {
      for (ObjectIndex& owner : rows) {
        visit(owner);
      }
    }
  }

  /// Keeps the owners of a generation for which `survives(ObjectIndex&)` is true, and retires the
  /// payloads of the others. One that moved is rewritten, and filed under `generation_of` it.
  template <class Survives, class GenerationOf>
  Retired settle(std::uint32_t generation, Survives survives, GenerationOf generation_of) {
    Retired retired;
    const std::vector<ObjectIndex> rows = std::exchange(rows_[generation], {});
    for (ObjectIndex owner : rows) {
      const ObjectIndex before = owner;
      if (survives(owner)) {
        add(generation_of(owner), owner);
      } else if (OwnedPayload& payload = payload_of(before); payload.block != nullptr) {
        retired.bytes += retire_payload(payload);
        ++retired.payloads;
      }
    }
    return retired;
  }

  /// Retires everything: the heap ends.
  Retired retire_all();

 private:
  std::array<std::vector<ObjectIndex>, kMaxGenerations> rows_;
};

}  // namespace tenure
