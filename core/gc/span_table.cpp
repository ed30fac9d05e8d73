#include "core/gc/span_table.hpp"

namespace tenure {

template <Beside kBeside>
void SpanTable<kBeside>::clear() {
  const std::scoped_lock lock(mutex_);
  for (const std::uint32_t number : numbers_) {
    read_[number] = nullptr;
  }
  numbers_.clear();
  chunks_.clear();
}

template <Beside kBeside>
typename SpanTable<kBeside>::Region& SpanTable<kBeside>::add_region(std::uint32_t number) {
  const std::scoped_lock lock(mutex_);
  const std::atomic_ref place(read_[number]);
  if (Region* const found = place.load(std::memory_order_relaxed); found != nullptr) {
    return *found;  // another member was faster
  }
  if (numbers_.size() == chunks_.size() * kRegionsPerChunk) {
    chunks_.push_back(std::make_unique<Region[]>(kRegionsPerChunk));
  }
  Region& fresh = chunks_.back()[numbers_.size() % kRegionsPerChunk];
  numbers_.push_back(number);
  place.store(&fresh, std::memory_order_release);
  return fresh;
}

template class SpanTable<Beside::kNobody>;
template class SpanTable<Beside::kMutators>;
template class SpanTable<Beside::kMarkers>;

}  // namespace tenure
