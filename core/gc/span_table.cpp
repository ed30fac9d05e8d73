#include "core/gc/span_table.hpp"

#include <algorithm>

namespace tenure {

template <Beside kBeside>
void SpanTable<kBeside>::clear() {
  const std::scoped_lock lock(mutex_);
  for (std::size_t k = 0; k < used_; ++k) {
    chunks_[k / kRegionsPerChunk][k % kRegionsPerChunk] = {};
  }
}

template <Beside kBeside>
typename SpanTable<kBeside>::Region& SpanTable<kBeside>::add_region(std::uint32_t number) {
  const std::scoped_lock lock(mutex_);
  const std::atomic_ref place(read_[number]);
  if (Region* const found = place.load(std::memory_order_relaxed); found != nullptr) {
    return *found;  // another member was faster
  }
  if (used_ == chunks_.size() * kRegionsPerChunk) {
    chunks_.push_back(std::make_unique<Region[]>(kRegionsPerChunk));
  }
  Region& fresh = chunks_[used_ / kRegionsPerChunk][used_ % kRegionsPerChunk];
  ++used_;
  place.store(&fresh, std::memory_order_release);
  return fresh;
}

template class SpanTable<Beside::kNobody>;
template class SpanTable<Beside::kMutators>;
template class SpanTable<Beside::kMarkers>;

}  // namespace tenure
