#include "core/heap/weak_cells.hpp"

#include <utility>

namespace tenure {

WeakTable::Owner WeakTable::make(const RegionRow* regions) { return Owner(new WeakTable(regions)); }

detail::WeakCell& WeakTable::fresh(const std::scoped_lock<std::mutex>&) {
  if (free_ == nullptr) {
    chunks_.push_back(std::make_unique<Chunk>());
    for (detail::WeakCell& cell : *chunks_.back()) {
      cell.table = this;
      cell.next_free = free_;
      free_ = &cell;
    }
  }
  detail::WeakCell& cell = *free_;
  free_ = cell.next_free;
  ++used_;
  return cell;
}

detail::WeakCell* WeakTable::take(ObjectIndex object, std::function<void()> on_death) {
  std::unique_ptr<std::function<void()>> told;
  if (on_death) {
    told = std::make_unique<std::function<void()>>(std::move(on_death));
  }
  const std::scoped_lock lock(mutex_);
  detail::WeakCell& cell = fresh(lock);
  cell.object.store(object, std::memory_order_relaxed);
  cell.on_death = std::move(told);
  cell.join(heads_[generation_of(object)]);
  return &cell;
}

detail::WeakCell* WeakTable::take_again(detail::WeakCell& cell) {
  const std::scoped_lock lock(mutex_);
  const ObjectIndex object = cell.object.load(std::memory_order_relaxed);
  if (object == ObjectIndex::kNull) {
    return nullptr;
  }
  detail::WeakCell& twin = fresh(lock);
  twin.object.store(object, std::memory_order_relaxed);
  // Why beside it: in the middle of a stop the target's place says nothing about the cell's list.
  twin.join(cell);
  return &twin;
}

void WeakTable::drop(detail::WeakCell* cell) {
  std::unique_ptr<std::function<void()>> untold;  // ends without the lock: it is a user's
  bool over = false;
  {
    const std::scoped_lock lock(mutex_);
    untold = std::move(cell->on_death);
    if (untold != nullptr && cell->object.load(std::memory_order_relaxed) == ObjectIndex::kNull &&
        !cell->is_alone()) {
      due_count_.fetch_sub(1, std::memory_order_relaxed);
    }
    cell->leave();
    cell->object.store(ObjectIndex::kNull, std::memory_order_relaxed);
    cell->next_free = free_;
    free_ = cell;
    --used_;
    over = is_over();
  }
  if (over) {
    delete this;
  }
}

void WeakTable::clear(detail::WeakCell& cell) {
  cell.object.store(ObjectIndex::kNull, std::memory_order_relaxed);
  if (cell.on_death == nullptr) {
    cell.leave();
    return;
  }
  cell.join(due_);
  due_count_.fetch_add(1, std::memory_order_relaxed);
}

bool WeakTable::names(ObjectIndex object) const {
  const std::scoped_lock lock(mutex_);
  const RingLink& head = heads_[generation_of(object)];
  for (const RingLink* at = head.next; at != &head; at = at->next) {
    if (static_cast<const detail::WeakCell&>(*at).object.load(std::memory_order_relaxed) ==
        object) {
      return true;
    }
  }
  return false;
}

std::uint64_t WeakTable::clear_of(ObjectIndex object) {
  std::vector<std::unique_ptr<std::function<void()>>> untold;  // end without the lock
  const std::scoped_lock lock(mutex_);
  RingLink& head = heads_[generation_of(object)];
  std::uint64_t cleared = 0;
  for (RingLink* at = head.next; at != &head;) {
    auto& cell = static_cast<detail::WeakCell&>(*at);
    at = at->next;
    if (cell.object.load(std::memory_order_relaxed) == object) {
      untold.push_back(std::move(cell.on_death));
      clear(cell);
      ++cleared;
    }
  }
  return cleared;
}

std::function<void()> WeakTable::take_due() {
  const std::scoped_lock lock(mutex_);
  if (due_.is_alone()) {
    return {};
  }
  auto& cell = static_cast<detail::WeakCell&>(*due_.next);
  cell.leave();
  due_count_.fetch_sub(1, std::memory_order_relaxed);
  const std::unique_ptr<std::function<void()>> told = std::move(cell.on_death);
  return std::move(*told);
}

void WeakTable::clear_all() {
  const std::scoped_lock lock(mutex_);
  for (RingLink& head : heads_) {
    while (!head.is_alone()) {
      auto& cell = static_cast<detail::WeakCell&>(*head.next);
      cell.object.store(ObjectIndex::kNull, std::memory_order_relaxed);
      cell.leave();
    }
  }
}

void WeakTable::disown() {
  clear_all();
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

std::uint64_t WeakTable::count() const {
  const std::scoped_lock lock(mutex_);
  return used_;
}

std::uint64_t WeakTable::cleared() const {
  const std::scoped_lock lock(mutex_);
  return cleared_;
}

namespace detail {

ObjectIndex weak_object(const WeakCell* cell) {
  // Why relaxed: it is changed in stops only, and a stop orders what comes behind it.
  return cell->object.load(std::memory_order_relaxed);
}

WeakCell* copy_weak_cell(WeakCell* cell) {
  return cell == nullptr ? nullptr : cell->table->take_again(*cell);
}

void drop_weak_cell(WeakCell* cell) noexcept { cell->table->drop(cell); }

}  // namespace detail

}  // namespace tenure
