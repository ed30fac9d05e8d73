#include "core/base/check.hpp"
#include "core/payload/pool_core.hpp"
#include "tenure/payload.hpp"

namespace tenure {

PayloadView PayloadLease::view() const {
  if (block_ == nullptr || !block_->is(BlockState::kLeased)) {
    return {};
  }
  return {block_->data, Bytes{block_->asked}, block_->core->kind};
}

void PayloadLease::used_on(StreamId stream) {
  if (block_ == nullptr || !block_->is(BlockState::kLeased)) {
    return;
  }
  if (block_->uses.home() == stream) {
    return;
  }
  check(
      static_cast<std::uint32_t>(stream) < kMaxStreams && block_->core->backend.has_stream(stream),
      "a payload was used on a stream that its backend does not have");
  if (!block_->uses.try_add_ongoing(stream)) {
    const std::scoped_lock lock(block_->core->mutex);
    block_->uses.add_ongoing(stream);
  }
}

void PayloadLease::release() noexcept {
  PayloadBlock* const block = std::exchange(block_, nullptr);
  if (block == nullptr) {
    return;
  }
  PoolCore& core = *block->core;  // read before the exchange: the block may be gone after it
  // Why acq_rel: of two that hand one block back, the second must see that the first did.
  switch (block->state.exchange(BlockState::kReturned, std::memory_order_acq_rel)) {
    case BlockState::kLeased:
      core.returned.put(*block);
      return;
    case BlockState::kInert:
      core.let_go();
      return;
    default:
      fail("a payload was handed back twice: its block is no longer leased");
  }
}

}  // namespace tenure
