// Ranges of this computer's memory, and the book that is kept of them. The host backend and the
// simulated device keep one each.
//
// Invariant: a piece that is mapped can be read and written; touching one that is not faults.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "core/backend/backend.hpp"
#include "host/range_ledger.hpp"
#include "tenure/bytes.hpp"
#include "tenure/payload.hpp"
#include "tenure/result.hpp"

namespace tenure {

/// A broken contract stops the program, as the ledger says.
///
/// threads  one at a time
class MappedRanges {
 public:
  explicit MappedRanges(RangeRules rules) : ledger_(std::move(rules)) {}
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

  /// As the ledger says.
  [[nodiscard]] std::optional<std::string> fault_of(const std::byte* address, Bytes size) const {
    return ledger_.fault_of(address, size);
  }
  [[nodiscard]] std::optional<MemoryKind> kind_of(const std::byte* address) const {
    return ledger_.kind_of(address);
  }
  [[nodiscard]] Bytes mapped(MemoryKind kind) const { return ledger_.mapped(kind); }
  [[nodiscard]] const KindRules& rules(MemoryKind kind) const { return ledger_.rules(kind); }
  [[nodiscard]] Bytes capacity(MemoryKind kind) const { return ledger_.capacity(kind); }

 private:
  RangeLedger ledger_;
};

}  // namespace tenure
