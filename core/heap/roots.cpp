#include "core/heap/roots.hpp"

namespace tenure {

HandleTable::Owner HandleTable::make() { return Owner(new HandleTable()); }

detail::HandleCell* HandleTable::take(ObjectIndex object) {
  const std::scoped_lock lock(mutex_);
  if (free_ == nullptr) {
    chunks_.push_back(std::make_unique<Chunk>());
    for (detail::HandleCell& cell : *chunks_.back()) {
      cell.table = this;
      cell.next_free = free_;
      free_ = &cell;
    }
  }
  detail::HandleCell* const cell = free_;
  free_ = cell->next_free;
  ++used_;
  cell->object.store(object, std::memory_order_relaxed);
  return cell;
}

void HandleTable::drop(detail::HandleCell* cell) {
  bool over = false;
  {
    const std::scoped_lock lock(mutex_);
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

void HandleTable::clear() {
  for_each([](detail::HandleCell& cell) {
    cell.object.store(ObjectIndex::kNull, std::memory_order_relaxed);
  });
}

void HandleTable::disown() {
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

std::uint64_t HandleTable::count() const {
  const std::scoped_lock lock(mutex_);
  return used_;
}

namespace detail {

ObjectIndex handle_object(const HandleCell* cell) {
  // Why relaxed: it is changed in stops only, and a stop orders what comes behind it.
  return cell->object.load(std::memory_order_relaxed);
}

HandleCell* copy_handle_cell(HandleCell* cell) {
  if (cell == nullptr) {
    return nullptr;
  }
  const ObjectIndex object = handle_object(cell);
  return object == ObjectIndex::kNull ? nullptr : cell->table->take(object);
}

void drop_handle_cell(HandleCell* cell) noexcept { cell->table->drop(cell); }

void set_handle_cell(HandleCell* cell, ObjectIndex object) noexcept {
  // Why relaxed: as it is read. A stop that empties the cell beside us is met by its own exchange.
  cell->object.store(object, std::memory_order_relaxed);
}

}  // namespace detail

}  // namespace tenure
