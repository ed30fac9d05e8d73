// What a backend reserved, which pieces of it are mapped, and how much of its capacity is left. A book
// alone: it touches no memory, so that backends of this computer and of a device keep the same one,
// with the same contract and the same sentences.
//
// Invariant: the bytes mapped of the kinds that share an account are at most its capacity.
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
/// is not there) stops the program with the figures: the calls that ask, `require_...` and `may_...`,
/// do so before anything is done, and change nothing.
///
/// threads  one at a time
class RangeLedger {
 public:
  explicit RangeLedger(RangeRules rules) : rules_(std::move(rules)) {}

  /// Of a reservation that is asked for.
  void require_reservable(MemoryKind kind, Bytes size) const;
  void add(const AddressRange& range);
  /// Of a range that is to be released.
  void require_range(const AddressRange& range) const;
  /// Of a range or a block.
  void remove(const AddressRange& range);

  /// Whether a piece may be mapped.
  ///
  /// errors   kOutOfMemory: the account has too little left
  [[nodiscard]] Result<void> may_map(const AddressRange& range, Bytes offset, Bytes size) const;
  void note_mapped(const AddressRange& range, Bytes offset, Bytes size);
  void require_mapped(const AddressRange& range, Bytes offset, Bytes size) const;
  void note_unmapped(const AddressRange& range, Bytes offset, Bytes size);

  /// Whether there is room for a block; it takes `block_size`.
  ///
  /// errors   kOutOfMemory: the account has too little left
  [[nodiscard]] Result<void> may_allocate(MemoryKind kind, Bytes size) const;
  [[nodiscard]] Bytes block_size(MemoryKind kind, Bytes size) const;
  /// A range of its own, mapped as a whole.
  void add_block(MemoryKind kind, std::byte* base, Bytes size);
  /// The range of a block that is to be deallocated.
  [[nodiscard]] AddressRange require_block(MemoryKind kind, std::byte* base, Bytes size) const;

  /// Why [address, address + size) cannot be read and written, in half a sentence; nothing where it
  /// can, as far as is known: memory outside all ranges is the caller's own.
  [[nodiscard]] std::optional<std::string> fault_of(const std::byte* address, Bytes size) const;

  /// The kind of the range that an address lies in; nothing where it is the caller's own.
  [[nodiscard]] std::optional<MemoryKind> kind_of(const std::byte* address) const;

  /// All ranges and blocks, by address.
  [[nodiscard]] std::vector<AddressRange> ranges() const;
  [[nodiscard]] bool is_block(const AddressRange& range) const {
    return ranges_.at(range.base).is_block;
  }
  /// The mapped pieces of a range, by address.
  [[nodiscard]] std::vector<AddressRange> pieces(const AddressRange& range) const;

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
    bool is_block = false;
    IntervalSet pieces;  // mapped, as offsets
  };

  // The range with the highest base below or at `address`, or null.
  const std::pair<const std::byte* const, Range>* range_below(const std::byte* address) const;

  // The range, and a piece of it that the contract allows to name; else the program stops.
  const Range& range_of(const AddressRange& range, const char* call) const;
  const Range& piece_of(const AddressRange& range, Bytes offset, Bytes size,
                        const char* call) const;

  [[nodiscard]] Result<void> find_room(MemoryKind kind, Bytes size) const;

  RangeRules rules_;
  std::map<const std::byte*, Range> ranges_;  // by base
  std::array<Bytes, kMemoryKinds> mapped_{};
};

}  // namespace tenure
