#include "core/gc/span_marker.hpp"

namespace tenure {

template <Beside kBeside>
void SpanMarker<kBeside>::begin(const MarkJob& job) {
  abandon();
  reader_.begin(job.heap);
  add(job.roots);
}

template <Beside kBeside>
void SpanMarker<kBeside>::abandon() {
  for (std::uint32_t span = queue_.pop(); span != kNoSpan; span = queue_.pop()) {
    (void)spans_.take_grey(span);
  }
  pieces_.clear();
  spans_.clear();
}

template <Beside kBeside>
bool SpanMarker<kBeside>::advance(std::uint64_t budget) {
  while (budget > 0 && reader_.read_some(budget)) {
  }
  reader_.rest();
  return queue_.empty() && pieces_.empty();
}

template <Beside kBeside>
MarkStats SpanMarker<kBeside>::complete() {
  advance(kNoBudget);
  spans_.clear();
  return reader_.stats();
}

template class SpanMarker<Beside::kNobody>;
template class SpanMarker<Beside::kMutators>;

}  // namespace tenure
