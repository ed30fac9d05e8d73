#include "host/range_ledger.hpp"

#include <algorithm>
#include <iterator>

#include "core/base/check.hpp"

namespace tenure {

namespace {

bool is_multiple(Bytes size, Bytes step) { return size.count() % step.count() == 0; }

std::string words_of(MemoryKind kind) { return std::string(to_string(kind)); }

// "map of [2 MiB, 4 MiB) in a device range of 1 GiB"
std::string piece_in_words(const char* call, const AddressRange& range, Bytes offset, Bytes size) {
  return std::string(call) + " of [" + to_string(offset) + ", " + to_string(offset + size) +
         ") in a " + words_of(range.kind) + " range of " + to_string(range.size);
}

}  // namespace

// --- ranges and blocks ------------------------------------------------------------------------

void RangeLedger::require_reservable(MemoryKind kind, Bytes size) const {
  check(!size.is_zero() && is_multiple(size, rules(kind).granularity),
        "a reservation is a multiple of the kind's granularity, and not nothing");
}

void RangeLedger::add(const AddressRange& range) {
  ranges_.try_emplace(range.base, Range{range.size, range.kind, false, {}});
}

void RangeLedger::require_range(const AddressRange& range) const {
  check(!range_of(range, "release").is_block, "a block is deallocated, not released");
}

void RangeLedger::remove(const AddressRange& range) {
  const Range& known = range_of(range, "release");
  mapped_.at(index_of(known.kind)) -= Bytes{known.pieces.total()};
  ranges_.erase(range.base);
}

Bytes RangeLedger::block_size(MemoryKind kind, Bytes size) const {
  return round_up(size, rules(kind).granularity);
}

Result<void> RangeLedger::may_allocate(MemoryKind kind, Bytes size) const {
  check(!size.is_zero(), "an allocation is not nothing");
  // Why the size as it is, first: rounding one near the end of all numbers would wrap.
  return find_room(kind, size > capacity(kind) ? size : block_size(kind, size));
}

void RangeLedger::add_block(MemoryKind kind, std::byte* base, Bytes size) {
  const AddressRange range{base, block_size(kind, size), kind};
  add(range);
  note_mapped(range, Bytes{}, range.size);
  ranges_.find(base)->second.is_block = true;
}

AddressRange RangeLedger::require_block(MemoryKind kind, std::byte* base, Bytes size) const {
  const AddressRange range{base, block_size(kind, size), kind};
  check(range_of(range, "deallocate").is_block, "what is deallocated was allocated in one piece");
  return range;
}

std::vector<AddressRange> RangeLedger::ranges() const {
  std::vector<AddressRange> all;
  for (const auto& [base, range] : ranges_) {
    all.push_back({const_cast<std::byte*>(base), range.size, range.kind});
  }
  return all;
}

std::vector<AddressRange> RangeLedger::pieces(const AddressRange& range) const {
  std::vector<AddressRange> all;
  for (const auto& [first, end] : ranges_.at(range.base).pieces) {
    all.push_back({range.base + first, Bytes{end - first}, range.kind});
  }
  return all;
}

// --- pieces -----------------------------------------------------------------------------------

Result<void> RangeLedger::find_room(MemoryKind kind, Bytes size) const {
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

Result<void> RangeLedger::may_map(const AddressRange& range, Bytes offset, Bytes size) const {
  const Range& known = piece_of(range, offset, size, "map");
  if (known.pieces.covered(offset.count(), (offset + size).count()) != 0) {
    fail(piece_in_words("map", range, offset, size) + ", some of which is mapped already");
  }
  return find_room(range.kind, size);
}

void RangeLedger::note_mapped(const AddressRange& range, Bytes offset, Bytes size) {
  ranges_.find(range.base)->second.pieces.add(offset.count(), (offset + size).count());
  mapped_.at(index_of(range.kind)) += size;
}

void RangeLedger::require_mapped(const AddressRange& range, Bytes offset, Bytes size) const {
  const Range& known = piece_of(range, offset, size, "unmap");
  if (known.pieces.covered(offset.count(), (offset + size).count()) != size.count()) {
    fail(piece_in_words("unmap", range, offset, size) + ", some of which is not mapped");
  }
}

void RangeLedger::note_unmapped(const AddressRange& range, Bytes offset, Bytes size) {
  ranges_.find(range.base)->second.pieces.erase(offset.count(), (offset + size).count());
  mapped_.at(index_of(range.kind)) -= size;
}

const RangeLedger::Range& RangeLedger::range_of(const AddressRange& range, const char* call) const {
  const auto known = ranges_.find(range.base);
  if (known == ranges_.end() || known->second.size != range.size ||
      known->second.kind != range.kind) {
    fail(std::string(call) + " of a " + words_of(range.kind) + " range of " +
         to_string(range.size) + " that is not there");
  }
  return known->second;
}

const RangeLedger::Range& RangeLedger::piece_of(const AddressRange& range, Bytes offset, Bytes size,
                                                const char* call) const {
  const Range& known = range_of(range, call);
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

// --- addresses --------------------------------------------------------------------------------

const std::pair<const std::byte* const, RangeLedger::Range>* RangeLedger::range_below(
    const std::byte* address) const {
  const auto next = ranges_.upper_bound(address);
  return next == ranges_.begin() ? nullptr : &*std::prev(next);
}

std::optional<MemoryKind> RangeLedger::kind_of(const std::byte* address) const {
  const auto* const below = range_below(address);
  const bool is_inside = below != nullptr && address < below->first + below->second.size.count();
  return is_inside ? std::optional(below->second.kind) : std::nullopt;
}

std::optional<std::string> RangeLedger::fault_of(const std::byte* address, Bytes size) const {
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

}  // namespace tenure
