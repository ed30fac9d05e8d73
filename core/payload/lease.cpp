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

// The common way back. Why the state is stored, and not exchanged: it is one locked instruction less of
// two, and only the end of the pool changes the state of a leased block beside its holder. So:
//
//   holder:  state <- returned;  head of the list <-> block;  is the pool closed?   link of the block
//   close:   the pool is closed; takes the list;  state leased? -> inert
//
// Either the holder sees that the pool closed, and says that the block is inert, or the pool finds the
// block in the list. It waits for the link of what it finds there, and so is not gone before it.
void hand_back(PoolCore& core, PayloadBlock& block) noexcept {
  block.state.store(BlockState::kReturned, std::memory_order_relaxed);
  PayloadBlock* const before = core.returned.announce(block);
  const bool is_closed = core.is_closed.load(std::memory_order_seq_cst);
  if (is_closed) [[unlikely]] {
    block.state.store(BlockState::kInert, std::memory_order_relaxed);
  }
  RemoteFreeList::link(block, before);
  if (is_closed) [[unlikely]] {
    core.let_go();
  }
}

// The way back where threads keep blocks, where a pool closed, and of what is not leased in the common
// way, or not at all.
void hand_back_rare(PoolCore& core, PayloadBlock& block) noexcept {
  // Why acq_rel: of two that hand one block back, the second must see that the first did.
  const BlockState before = block.state.exchange(BlockState::kReturned, std::memory_order_acq_rel);
  switch (before) {
    case BlockState::kLeased:
      if (core.is_caching.load(std::memory_order_acquire)) {
        core.caches->put(block);
      } else {
        core.returned.put(block);
      }
      return;
    case BlockState::kInert:
      block.state.store(BlockState::kInert, std::memory_order_relaxed);  // the pool may still count
      core.let_go();
      return;
    case BlockState::kGuarded:
      core.guarded.put(block);
      return;
    case BlockState::kEvictable:
      core.evictables.put(block);
      return;
    default:
      report_twice(block, before);
  }
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
  PoolCore& core = *block->core;
  // Why acquire: whoever sees it sees the caches.
  if (core.is_caching.load(std::memory_order_acquire) || !block->is(BlockState::kLeased))
      [[unlikely]] {
    hand_back_rare(core, *block);
  } else {
    hand_back(core, *block);
  }
}

}  // namespace tenure
