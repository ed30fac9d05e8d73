#include "host/mapped_ranges.hpp"

#include <algorithm>

#include "host/pages.hpp"

namespace tenure {

MappedRanges::~MappedRanges() {
  for (const AddressRange& range : ledger_.ranges()) {
    release_pages(range.base, range.size);
  }
}

Result<AddressRange> MappedRanges::reserve(MemoryKind kind, Bytes size) {
  ledger_.require_reservable(kind, size);
  Result<std::byte*> base = reserve_pages(size, std::max(rules(kind).granularity, kHugePage));
  if (!base) {
    return base.failure();
  }
  const AddressRange range{*base, size, kind};
  ledger_.add(range);
  return range;
}

void MappedRanges::release(const AddressRange& range) {
  ledger_.require_range(range);
  release_pages(range.base, range.size);
  ledger_.remove(range);
}

Result<void> MappedRanges::map(const AddressRange& range, Bytes offset, Bytes size) {
  if (Result<void> room = ledger_.may_map(range, offset, size); !room) {
    return room;
  }
  Result<void> committed = commit_pages(range.base + offset.count(), size, rules(range.kind).use);
  if (committed) {
    ledger_.note_mapped(range, offset, size);
  }
  return committed;
}

void MappedRanges::unmap(const AddressRange& range, Bytes offset, Bytes size) {
  ledger_.require_mapped(range, offset, size);
  decommit_pages(range.base + offset.count(), size);
  ledger_.note_unmapped(range, offset, size);
}

Result<std::byte*> MappedRanges::allocate(MemoryKind kind, Bytes size) {
  if (Result<void> room = ledger_.may_allocate(kind, size); !room) {
    return room.failure();
  }
  const Bytes whole = ledger_.block_size(kind, size);
  Result<std::byte*> base = allocate_pages(whole, rules(kind).granularity, rules(kind).use);
  if (base) {
    ledger_.add_block(kind, *base, size);
  }
  return base;
}

void MappedRanges::deallocate(MemoryKind kind, std::byte* base, Bytes size) {
  const AddressRange range = ledger_.require_block(kind, base, size);
  release_pages(range.base, range.size);
  ledger_.remove(range);
}

}  // namespace tenure
