// Pools of payload memory by name.
#include "tenure/memory_pool.hpp"

#include <algorithm>
#include <bit>
#include <memory>

#include "core/runtime/state.hpp"
#include "tenure/runtime.hpp"

namespace tenure {

namespace {

constexpr Bytes kLeastAlignment{16};
constexpr Bytes kMostAlignment{2u << 20};  // addresses are reserved from a multiple of it on
constexpr Bytes kStep{kBlockStep};

Error closed(std::string_view name) {
  return {ErrorCode::kClosed, "the runtime of pool \"" + std::string(name) + "\" was closed"};
}

Error bad(std::string message) { return {ErrorCode::kBadArgument, std::move(message)}; }

std::string name_of(MemoryKind kind) { return std::string(to_string(kind)) + " payloads"; }

Result<void> check_pool(std::string_view name, Bytes size, Bytes alignment) {
  if (name.empty()) {
    return bad("a pool was asked for without a name");
  }
  if (size.is_zero()) {
    return bad("pool \"" + std::string(name) +
               "\" was to have a size of 0; it takes 1 byte and more");
  }
  if (!std::has_single_bit(alignment.count()) || alignment < kLeastAlignment ||
      alignment > kMostAlignment) {
    return bad("pool \"" + std::string(name) + "\" was to have an alignment of " +
               std::to_string(alignment.count()) + "; it takes a power of two from 16 to 2 MiB");
  }
  return {};
}

}  // namespace

std::optional<std::pair<FreeBlock, FreeBlock>> FreeBlock::split(Bytes lower) const {
  if (lower.is_zero() || lower >= size) {
    return std::nullopt;
  }
  return std::pair(FreeBlock{address, lower}, FreeBlock{address + lower.count(), size - lower});
}

MemoryKind MemoryPool::kind() const { return pool_->kind(); }

Result<PayloadLease> MemoryPool::allocate(Bytes size, StreamId stream) {
  if (!state_->is_open()) {
    return closed(name_);
  }
  // Why only above a step: blocks start and end on steps, so that they are aligned to one in any case.
  const bool is_coarse = alignment_ > kStep && size <= pool_->limit();
  return pool_->lease(is_coarse ? round_up(size, alignment_) : size, stream, SiteId::kUnknown,
                      Effort::kWait);
}

Result<void> MemoryPool::deallocate(PayloadLease& lease) {
  PayloadBlock* const block = lease.detach();
  if (block == nullptr) {
    return bad("pool \"" + name_ + "\" was handed a lease back that owns nothing");
  }
  lease = PayloadLease(*block);
  if (!pool_->owns(*block)) {
    return bad("pool \"" + name_ + "\" was handed a payload back that is another pool's");
  }
  lease.release();
  return {};
}

Result<PoolResize> MemoryPool::resize(Bytes size) {
  if (!state_->is_open()) {
    return closed(name_);
  }
  if (size.is_zero()) {
    return bad("pool \"" + name_ + "\" was to be resized to 0; it takes 1 byte and more");
  }
  const Bytes piece = state_->backend().traits(pool_->kind()).granularity;
  const Result<Bytes> given_back = pool_->resize(round_up(size, std::max(piece, alignment_)));
  if (!given_back) {
    return given_back.failure();
  }
  return PoolResize{
      .size = pool_->limit(), .reserved = pool_->reserved(), .given_back = *given_back};
}

Result<PoolStatistics> MemoryPool::statistics() const {
  if (!state_->is_open()) {
    return closed(name_);
  }
  PoolStatistics statistics = pool_->statistics();
  statistics.name = name_;
  state_->name_clients(statistics);
  return statistics;
}

Result<std::vector<FreeBlock>> MemoryPool::free_blocks() const {
  if (!state_->is_open()) {
    return closed(name_);
  }
  std::vector<FreeBlock> found;
  for (const PayloadRun& run : pool_->map().runs) {
    const auto* at = reinterpret_cast<const std::byte*>(run.address);
    for (const PayloadPlace& place : run.places) {
      if (place.state == PlaceState::kFree) {
        found.push_back({at, place.size});
      }
      at += place.size.count();
    }
  }
  return found;
}

Result<void> MemoryPool::verify() const {
  return state_->is_open() ? pool_->verify() : Result<void>(closed(name_));
}

Result<MemoryPool> RuntimeState::make_pool(std::string_view name, Bytes size,
                                           const SpecializedPoolOptions& options) {
  if (!is_open()) {
    return closed(name);
  }
  if (Result<void> sound = check_pool(name, size, options.alignment); !sound) {
    return sound.failure();
  }
  if (Result<void> is_there = require(options.kind); !is_there) {
    return is_there.failure();
  }
  const KindTraits traits = backend_->traits(options.kind);
  if (options.alignment > kStep && (!traits.can_map || checked_ != nullptr)) {
    return Error{
        ErrorCode::kUnsupported,
        "pool \"" + std::string(name) + "\" cannot be aligned to " + to_string(options.alignment) +
            (checked_ != nullptr ? ": with check=payload payloads lie behind redzones of 512 bytes"
                                 : ": " + backend_->name() + " maps no " +
                                       std::string(to_string(options.kind)) + " memory")};
  }
  const Bytes whole = std::max(traits.granularity, options.alignment);
  // Why made without the lock: as the kinds' pools are.
  auto made = std::make_unique<PayloadPool>(
      *backend_, options.kind,
      PoolOptions{
          .budget = round_up(size, whole),
          .strategy = options.strategy,
          .alignment = std::max(options.alignment, kStep),
          .checked = checked_,
          .on_sampled_end = [this](const PayloadBlock& block) { end_sampled_payload(block); }});
  const std::scoped_lock lock(pools_mutex_);
  const bool is_kind = name == name_of(MemoryKind::kHost) || name == name_of(MemoryKind::kPinned) ||
                       name == name_of(MemoryKind::kUnified) ||
                       name == name_of(MemoryKind::kDevice);
  const bool is_taken =
      is_kind || std::any_of(named_pools_.begin(), named_pools_.end(),
                             [&](const NamedPool& other) { return other.name == name; });
  if (is_taken) {
    return bad("a pool is called \"" + std::string(name) + "\" already");
  }
  named_pools_.push_back({std::string(name), options.alignment, std::move(made)});
  const NamedPool& pool = named_pools_.back();
  return MemoryPool(*this, *pool.pool, pool.name, pool.alignment);
}

std::vector<MemoryPool> RuntimeState::named_pools() {
  std::vector<MemoryPool> pools;
  if (is_open()) {
    const std::scoped_lock lock(pools_mutex_);
    for (const NamedPool& pool : named_pools_) {
      pools.emplace_back(*this, *pool.pool, pool.name, pool.alignment);
    }
  }
  return pools;
}

Result<MemoryPool> create_specialized_pool(Runtime& runtime, std::string_view name, Bytes size,
                                           const SpecializedPoolOptions& options) {
  return runtime.state().make_pool(name, size, options);
}

std::vector<MemoryPool> memory_pools(Runtime& runtime) {
  RuntimeState& state = runtime.state();
  std::vector<MemoryPool> pools;
  if (state.is_open()) {
    state.for_each_pool(
        [&](PayloadPool& pool) { pools.emplace_back(state, pool, name_of(pool.kind()), kStep); });
  }
  for (MemoryPool& pool : state.named_pools()) {
    pools.push_back(std::move(pool));
  }
  return pools;
}

std::optional<MemoryPool> find_memory_pool(Runtime& runtime, std::string_view name) {
  for (MemoryPool& pool : memory_pools(runtime)) {
    if (pool.name() == name) {
      return std::move(pool);
    }
  }
  return std::nullopt;
}

Result<void> set_allocation_strategy(Runtime& runtime, MemoryKind kind,
                                     AllocationStrategy strategy) {
  if (!runtime.is_open()) {
    return Error{ErrorCode::kClosed, "a strategy was set for a runtime that was closed"};
  }
  const Result<PayloadPool*> pool = runtime.state().pool(kind);
  if (!pool) {
    return pool.failure();
  }
  (*pool)->set_strategy(strategy);
  return {};
}

}  // namespace tenure
