#include "host/mapped_ranges.hpp"

#include <algorithm>
#include <iterator>

#include "core/base/check.hpp"
#include "host/pages.hpp"

namespace tenure {

namespace {

bool is_multiple(Bytes size, Bytes step) { return size.count() % step.count() == 0; }

std::string words_of(MemoryKind kind) { return std::string(to_string(kind)); }

// "map of [2 MiB, 4 MiB) in a device range of 1 GiB"
std::string piece_in_words(const char* call, const AddressRange& range, Bytes offset, Bytes size) {
  return std::string(call) + " of [" + to_string(offset) + ", " + to_string(offset + size) +
         ") in a " + words_of(range.kind) + " range of " + to_string(range.size);
}

std::byte* writable(const std::byte* base) { return const_cast<std::byte*>(base); }

}  // namespace

MappedRanges::~MappedRanges() {
  while (!ranges_.empty()) {
    drop(ranges_.begin());
  }
}

Result<AddressRange> MappedRanges::reserve(MemoryKind kind, Bytes size) {
  const Bytes granularity = rules(kind).granularity;
  check(!size.is_zero() && is_multiple(size, granularity),
        "a reservation is a multiple of the kind's granularity, and not nothing");
  Result<std::byte*> base = reserve_pages(size, std::max(granularity, kHugePage));
  if (!base) {
    return base.failure();
  }
  ranges_.try_emplace(*base, Range{size, kind, false, {}});
  return AddressRange{*base, size, kind};
}

void MappedRanges::drop(std::map<const std::byte*, Range>::iterator range) {
  const Range& dropped = range->second;
  mapped_.at(index_of(dropped.kind)) -= Bytes{dropped.pieces.total()};
  release_pages(writable(range->first), dropped.size);
  ranges_.erase(range);
}

void MappedRanges::release(const AddressRange& range) {
  check(!range_of(range, "release").is_block, "a block is deallocated, not released");
  drop(ranges_.find(range.base));
}

Result<void> MappedRanges::take_room(MemoryKind kind, Bytes size) const {
  const std::size_t account = rules(kind).account;
  Bytes taken;
  std::string by_kind;
  for (std::size_t k = 0; k < kMemoryKinds; ++k) {
    if (rules_.kinds.at(k).account != account) continue;
    taken += mapped_.at(k);
    by_kind += (by_kind.empty() ? "" : ", ") + words_of(static_cast<MemoryKind>(k)) + " " +
               to_string(mapped_.at(k));
  }
  check(taken <= capacity(kind), "no account gives more than its capacity");
  const Bytes free = capacity(kind) - taken;
  if (size <= free) {
    return {};
  }
  return Error{ErrorCode::kOutOfMemory,
               "cannot map " + to_string(size) + " of " + words_of(kind) +
                   " memory: " + to_string(free) + " of " + to_string(capacity(kind)) +
                   " are free (mapped: " + by_kind + "); unmap some, or ask for less"};
}

Result<void> MappedRanges::map(const AddressRange& range, Bytes offset, Bytes size) {
  Range& known = piece_of(range, offset, size, "map");
  const std::uint64_t end = (offset + size).count();
  if (known.pieces.covered(offset.count(), end) != 0) {
    fail(piece_in_words("map", range, offset, size) + ", some of which is mapped already");
  }
  if (Result<void> room = take_room(range.kind, size); !room) {
    return room;
  }
  Result<void> committed = commit_pages(range.base + offset.count(), size, rules(range.kind).use);
  if (committed) {
    known.pieces.add(offset.count(), end);
    mapped_.at(index_of(range.kind)) += size;
  }
  return committed;
}

void MappedRanges::unmap(const AddressRange& range, Bytes offset, Bytes size) {
  Range& known = piece_of(range, offset, size, "unmap");
  if (known.pieces.covered(offset.count(), (offset + size).count()) != size.count()) {
    fail(piece_in_words("unmap", range, offset, size) + ", some of which is not mapped");
  }
  decommit_pages(range.base + offset.count(), size);
  known.pieces.erase(offset.count(), (offset + size).count());
  mapped_.at(index_of(range.kind)) -= size;
}

Result<std::byte*> MappedRanges::allocate(MemoryKind kind, Bytes size) {
  check(!size.is_zero(), "an allocation is not nothing");
  const Bytes granularity = rules(kind).granularity;
  if (size > capacity(kind)) {  // also keeps the rounding from wrapping
    return take_room(kind, size).failure();
  }
  Result<AddressRange> range = reserve(kind, round_up(size, granularity));
  if (!range) {
    return range.failure();
  }
  if (Result<void> mapped = map(*range, Bytes{}, range->size); !mapped) {
    release(*range);
    return mapped.failure();
  }
  ranges_.find(range->base)->second.is_block = true;
  return range->base;
}

void MappedRanges::deallocate(MemoryKind kind, std::byte* base, Bytes size) {
  const AddressRange range{base, round_up(size, rules(kind).granularity), kind};
  check(range_of(range, "deallocate").is_block, "what is deallocated was allocated in one piece");
  drop(ranges_.find(base));
}

const std::pair<const std::byte* const, MappedRanges::Range>* MappedRanges::range_below(
    const std::byte* address) const {
  const auto next = ranges_.upper_bound(address);
  return next == ranges_.begin() ? nullptr : &*std::prev(next);
}

std::optional<MemoryKind> MappedRanges::kind_of(const std::byte* address) const {
  const auto* const below = range_below(address);
  const bool is_inside = below != nullptr && address < below->first + below->second.size.count();
  return is_inside ? std::optional(below->second.kind) : std::nullopt;
}

std::optional<std::string> MappedRanges::fault_of(const std::byte* address, Bytes size) const {
  if (size.is_zero()) {
    return std::nullopt;
  }
  if (address == nullptr) {
    return "it is null";
  }
  const auto* const below = range_below(address + size.count() - 1);
  if (below == nullptr || address >= below->first + below->second.size.count()) {
    return std::nullopt;
  }
  const auto& [base, range] = *below;
  // Overlaps the range: all of it has to be inside, and mapped.
  const std::uint64_t first = address < base ? 0 : static_cast<std::uint64_t>(address - base);
  const std::uint64_t wanted = size.count();
  const std::uint64_t covered = address < base ? 0 : range.pieces.covered(first, first + wanted);
  if (covered == wanted) {
    return std::nullopt;
  }
  return to_string(Bytes{wanted - covered}) + " of it, from offset " + to_string(Bytes{first}) +
         " of a " + words_of(range.kind) + " range of " + to_string(range.size) +
         ", are not mapped";
}

MappedRanges::Range& MappedRanges::range_of(const AddressRange& range, const char* call) {
  const auto known = ranges_.find(range.base);
  if (known == ranges_.end() || known->second.size != range.size ||
      known->second.kind != range.kind) {
    fail(std::string(call) + " of a " + words_of(range.kind) + " range of " +
         to_string(range.size) + " that is not there");
  }
  return known->second;
}

MappedRanges::Range& MappedRanges::piece_of(const AddressRange& range, Bytes offset, Bytes size,
                                            const char* call) {
  Range& known = range_of(range, call);
  const Bytes granularity = rules(range.kind).granularity;
  if (size.is_zero() || !is_multiple(offset, granularity) || !is_multiple(size, granularity)) {
    fail(piece_in_words(call, range, offset, size) + ", which is off the granularity of " +
         to_string(granularity));
  }
  if (offset > range.size || size > range.size - offset) {
    fail(piece_in_words(call, range, offset, size) + ", which is past the range's end");
  }
  return known;
}

}  // namespace tenure
