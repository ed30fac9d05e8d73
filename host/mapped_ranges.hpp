// The ranges that a backend of this computer reserved, which pieces of them are mapped, and how much
// of its capacity is left. The host backend and the simulated device keep one each.
//
// Invariant: the bytes mapped of the kinds that share an account are at most its capacity. A piece
// that is mapped can be read and written; touching one that is not faults.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/backend/backend.hpp"
#include "core/backend/platform.hpp"
#include "host/interval_set.hpp"
#include "tenure/bytes.hpp"
#include "tenure/payload.hpp"
#include "tenure/result.hpp"

namespace tenure {

[[nodiscard]] constexpr std::size_t index_of(MemoryKind kind) {
  return static_cast<std::size_t>(kind);
}

/// How one kind is mapped, and out of which account.
struct KindRules {
  Bytes granularity;  // a multiple of a page
  std::size_t account = 0;
  PageUse use = PageUse::kPlain;
};

struct RangeRules {
  std::array<KindRules, kMemoryKinds> kinds;
  std::vector<Bytes> capacities;  // one an account
};

/// A broken contract (sizes off the granularity, a piece mapped twice or unmapped twice, a range that
/// is not there) stops the program with the figures.
///
/// threads  one at a time
class MappedRanges {
 public:
  explicit MappedRanges(RangeRules rules) : rules_(std::move(rules)) {}
  MappedRanges(const MappedRanges&) = delete;
  MappedRanges& operator=(const MappedRanges&) = delete;
  ~MappedRanges();

  [[nodiscard]] Result<AddressRange> reserve(MemoryKind kind, Bytes size);
  void release(const AddressRange& range);

  /// errors   kOutOfMemory: the account has too little left, or the system refuses
  [[nodiscard]] Result<void> map(const AddressRange& range, Bytes offset, Bytes size);
  void unmap(const AddressRange& range, Bytes offset, Bytes size);

  /// A range of its own, mapped as a whole; `size` is rounded up to the granularity.
  [[nodiscard]] Result<std::byte*> allocate(MemoryKind kind, Bytes size);
  void deallocate(MemoryKind kind, std::byte* base, Bytes size);

  /// Why [address, address + size) cannot be read and written, in half a sentence; nothing where it
  /// can, as far as is known: memory outside all ranges is the caller's own.
  [[nodiscard]] std::optional<std::string> fault_of(const std::byte* address, Bytes size) const;

  /// The kind of the range that an address lies in; nothing where it is the caller's own.
  [[nodiscard]] std::optional<MemoryKind> kind_of(const std::byte* address) const;

  [[nodiscard]] Bytes mapped(MemoryKind kind) const { return mapped_.at(index_of(kind)); }
  [[nodiscard]] const KindRules& rules(MemoryKind kind) const {
    return rules_.kinds.at(index_of(kind));
  }
  [[nodiscard]] Bytes capacity(MemoryKind kind) const {
    return rules_.capacities.at(rules(kind).account);
  }

 private:
  struct Range {
    Bytes size;
    MemoryKind kind = MemoryKind::kHost;
    bool is_block = false;  // made by `allocate`
    IntervalSet pieces;     // mapped, as offsets
  };

  // The range with the highest base below or at `address`, or null.
  const std::pair<const std::byte* const, Range>* range_below(const std::byte* address) const;

  // The range, and a piece of it that the contract allows to name; else the program stops.
  Range& range_of(const AddressRange& range, const char* call);
  Range& piece_of(const AddressRange& range, Bytes offset, Bytes size, const char* call);

  [[nodiscard]] Result<void> take_room(MemoryKind kind, Bytes size) const;
  void drop(std::map<const std::byte*, Range>::iterator range);

  RangeRules rules_;
  std::map<const std::byte*, Range> ranges_;  // by base
  std::array<Bytes, kMemoryKinds> mapped_{};
};

}  // namespace tenure
