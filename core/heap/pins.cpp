#include "core/heap/pins.hpp"

#include "core/base/check.hpp"
#include "core/memory/cage.hpp"
#include "core/model/region.hpp"
#include "tenure/detail/fast_path.hpp"

namespace tenure {

PinTable::Owner PinTable::make(Cage& cage) { return Owner(new PinTable(cage)); }

detail::PinRow* PinTable::pin(ObjectIndex object) {
  const std::scoped_lock lock(mutex_);
  detail::PinRow& row = rows_[object];
  if (row.table == nullptr) {
    row.table = this;
    row.object.store(object, std::memory_order_relaxed);
    set_flag(object, true);
  }
  pinned_ += row.pins == 0 ? 1 : 0;
  ++row.pins;
  return &row;
}

detail::PinRow* PinTable::pin_again(detail::PinRow* row) {
  const std::scoped_lock lock(mutex_);
  check(row->pins > 0, "a pin was copied that pins nothing");
  ++row->pins;
  return row;
}

void PinTable::unpin(detail::PinRow* row) {
  bool over = false;
  {
    const std::scoped_lock lock(mutex_);
    check(row->pins > 0, "an object was unpinned more often than it was pinned");
    if (--row->pins == 0) {
      --pinned_;
    }
    over = is_over();
  }
  if (over) {
    delete this;
  }
}

void PinTable::settle() {
  const std::scoped_lock lock(mutex_);
  for (auto at = rows_.begin(); at != rows_.end();) {
    if (at->second.pins > 0) {
      ++at;
      continue;
    }
    set_flag(at->first, false);
    at = rows_.erase(at);
  }
}

// Why atomic: beside a pin other mutators, and a marker, read the header.
void PinTable::set_flag(ObjectIndex object, bool pinned) {
  const auto flag = static_cast<std::uint32_t>(ObjectFlag::kPinned);
  const std::atomic_ref meta(detail::header_of(object).meta);
  std::uint16_t& in_region = cage_.regions()[region_of(object)].pins;
  if (pinned) {
    meta.fetch_or(flag, std::memory_order_relaxed);
    ++in_region;
  } else {
    meta.fetch_and(~flag, std::memory_order_relaxed);
    --in_region;
  }
}

std::uint64_t PinTable::pins_of(ObjectIndex object) const {
  const std::scoped_lock lock(mutex_);
  const auto at = rows_.find(object);
  return at == rows_.end() ? 0 : at->second.pins;
}

std::uint64_t PinTable::count() const {
  const std::scoped_lock lock(mutex_);
  return pinned_;
}

void PinTable::clear() {
  const std::scoped_lock lock(mutex_);
  for (auto& [object, row] : rows_) {
    row.object.store(ObjectIndex::kNull, std::memory_order_relaxed);
  }
}

void PinTable::disown() {
  clear();
  bool over = false;
  {
    const std::scoped_lock lock(mutex_);
    disowned_ = true;
    over = is_over();
  }
  if (over) {
    delete this;
  }
}

namespace detail {

ObjectIndex pinned_object(const PinRow* row) {
  // Why relaxed: it changes once, when the heap ends, and what it names stays where it is.
  return row->object.load(std::memory_order_relaxed);
}

PinRow* copy_pin(PinRow* row) { return row == nullptr ? nullptr : row->table->pin_again(row); }

void drop_pin(PinRow* row) noexcept { row->table->unpin(row); }

}  // namespace detail

}  // namespace tenure
