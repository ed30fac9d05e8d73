#include "core/base/check.hpp"
#include "core/payload/pool_core.hpp"
#include "tenure/payload.hpp"

namespace tenure {

namespace {

// Of a block that is leased, and not in the common way.
PayloadView rare_view(const PayloadBlock* block) {
  if (block == nullptr) {
    return {};
  }
  if (block->is(BlockState::kEvictable)) {
    return {block->data, Bytes{block->asked}, block->core->kind};
  }
  return block->is(BlockState::kGuarded) ? PayloadGuard::view_of(*block, block->core->kind)
                                         : PayloadView{};
}

bool is_leased(const PayloadBlock& block) {
  return block.is(BlockState::kLeased) || block.is(BlockState::kGuarded) ||
         block.is(BlockState::kEvictable);
}

// The block is no longer leased, and its state was exchanged all the same.
void report_twice(PayloadBlock& block, BlockState before) {
  if (block.core->guard == nullptr) {
    fail("a payload was handed back twice: its block is no longer leased");
  }
  block.state.store(before, std::memory_order_relaxed);
  block.core->guard->report_twice(block);
}

}  // namespace

PayloadView PayloadLease::view() const {
  if (block_ == nullptr || !block_->is(BlockState::kLeased)) {
    return rare_view(block_);
  }
  return {block_->data, Bytes{block_->asked}, block_->core->kind};
}

void PayloadLease::used_on(StreamId stream) {
  if (block_ == nullptr || !is_leased(*block_)) {
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
  if (block_->is(BlockState::kGuarded)) {
    block_->core->guard->use(*block_, stream);
  }
}

void PayloadLease::release() noexcept {
  PayloadBlock* const block = std::exchange(block_, nullptr);
  if (block == nullptr) {
    return;
  }
  PoolCore& core = *block->core;  // read before the exchange: the block may be gone after it
  // Why acq_rel: of two that hand one block back, the second must see that the first did.
  const BlockState before = block->state.exchange(BlockState::kReturned, std::memory_order_acq_rel);
  switch (before) {
    case BlockState::kLeased:
      // Why acquire: whoever sees it sees the caches.
      if (core.is_caching.load(std::memory_order_acquire)) [[unlikely]] {
        core.caches->put(*block);
      } else {
        core.returned.put(*block);
      }
      return;
    case BlockState::kInert:
      core.let_go();
      return;
    case BlockState::kGuarded:
      core.guarded.put(*block);
      return;
    case BlockState::kEvictable:
      core.evictables.put(*block);
      return;
    default:
      report_twice(*block, before);
  }
}

}  // namespace tenure
