#include "host/host_backend.hpp"

#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/backend/platform.hpp"
#include "core/base/check.hpp"
#include "host/byte_moves.hpp"
#include "host/pages.hpp"

namespace tenure {

namespace {

// Why that of a huge page: a granule can be one, and a pool that is trimmed granule by granule does
// not use up the pieces that the kernel keeps for a process (vm.max_map_count, 65,530).
constexpr Bytes kGranularity = kHugePage;

RangeRules rules_for(Bytes capacity) {
  const Bytes most = std::min(capacity, host_platform().memory().total);
  RangeRules rules;
  rules.kinds.fill({kGranularity, 0, PageUse::kDense});
  rules.capacities = {round_down(most, kGranularity)};
  return rules;
}

std::uint64_t place_of(const std::byte* address) {
  return reinterpret_cast<std::uintptr_t>(address);
}

std::string limit_in_words() {
  rlimit limit{};
  if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0) {
    return "unknown";
  }
  return limit.rlim_cur == RLIM_INFINITY ? "unlimited" : to_string(Bytes{limit.rlim_cur});
}

std::string words_of(StreamId stream) {
  return "stream " + std::to_string(static_cast<std::uint32_t>(stream));
}

}  // namespace

HostBackend::HostBackend() : HostBackend(kUnlimited) {}

HostBackend::HostBackend(Bytes capacity)
    : ranges_(rules_for(capacity)),
      streams_(1),
      fork_watch_(ForkRank::kBackend,
                  {[this] { lock_all(); }, [this] { unlock_all(); }, [this] { unlock_all(); }}) {}

// A fork waits for work of streams that is under way. Nobody who holds a stream takes our lock.
void HostBackend::lock_all() {
  mutex_.lock();
  for (Stream& stream : streams_) {
    stream.in_order.lock();
  }
}

void HostBackend::unlock_all() {
  for (Stream& stream : streams_) {
    stream.in_order.unlock();
  }
  mutex_.unlock();
}

// --- memory -----------------------------------------------------------------------------------

KindTraits HostBackend::traits(MemoryKind kind) const {
  KindTraits traits;
  traits.supported = true;
  traits.can_map = true;
  traits.host_readable = true;
  traits.granularity = ranges_.rules(kind).granularity;
  traits.capacity = ranges_.capacity(kind);
  if (kind == MemoryKind::kPinned) {
    traits.note = note_on_locking();
  }
  if (kind == MemoryKind::kUnified || kind == MemoryKind::kDevice) {
    traits.stands_in = true;
    traits.note = "host memory stands in for " + std::string(to_string(kind)) + " memory";
  }
  return traits;
}

Result<AddressRange> HostBackend::reserve(MemoryKind kind, Bytes size) {
  const std::scoped_lock lock(mutex_);
  return ranges_.reserve(kind, size);
}

void HostBackend::release(const AddressRange& range) {
  const std::scoped_lock lock(mutex_);
  forget_locked(range.base, range.size);
  ranges_.release(range);
}

Result<void> HostBackend::map(const AddressRange& range, Bytes offset, Bytes size) {
  const std::scoped_lock lock(mutex_);
  Result<void> mapped = ranges_.map(range, offset, size);
  if (mapped && range.kind == MemoryKind::kPinned) {
    lock_pages(range.base + offset.count(), size);
  }
  return mapped;
}

void HostBackend::unmap(const AddressRange& range, Bytes offset, Bytes size) {
  const std::scoped_lock lock(mutex_);
  ranges_.unmap(range, offset, size);
  forget_locked(range.base + offset.count(), size);
}

Result<std::byte*> HostBackend::allocate(MemoryKind kind, Bytes size) {
  const std::scoped_lock lock(mutex_);
  Result<std::byte*> base = ranges_.allocate(kind, size);
  if (base && kind == MemoryKind::kPinned) {
    lock_pages(*base, round_up(size, kGranularity));
  }
  return base;
}

void HostBackend::deallocate(MemoryKind kind, std::byte* base, Bytes size) {
  const std::scoped_lock lock(mutex_);
  ranges_.deallocate(kind, base, size);
  forget_locked(base, round_up(size, kGranularity));
}

// Locks a piece as a whole, or not at all: it is usable either way.
void HostBackend::lock_pages(const std::byte* base, Bytes size) {
  if (mlock(base, size.count()) == 0) {
    locked_.add(place_of(base), place_of(base) + size.count());
    return;
  }
  const int number = errno;
  munlock(base, size.count());  // what was locked before the refusal
  lock_refusal_ = to_string(size) + " more were refused: " + system_reason(number);
}

// Unmapping took the lock away with the memory.
void HostBackend::forget_locked(const std::byte* base, Bytes size) {
  locked_.erase(place_of(base), place_of(base) + size.count());
}

std::string HostBackend::note_on_locking() const {
  const std::scoped_lock lock(mutex_);
  const Bytes locked{locked_.total()};
  const Bytes mapped = ranges_.mapped(MemoryKind::kPinned);
  if (locked == mapped) {
    return "locked in full: " + to_string(locked) + " (limit " + limit_in_words() + ")";
  }
  return "locked in part: " + to_string(locked) + " of " + to_string(mapped) + "; " +
         lock_refusal_ + "; the limit is " + limit_in_words() + ", raise it with ulimit -l";
}

// --- streams ----------------------------------------------------------------------------------

Result<HostBackend::Stream*> HostBackend::stream_at(StreamId stream, const char* call) {
  const std::scoped_lock lock(mutex_);
  const auto number = static_cast<std::size_t>(stream);
  if (number < streams_.size()) {
    return &streams_[number];
  }
  return Error{ErrorCode::kBadArgument, std::string("cannot ") + call + ": " + words_of(stream) +
                                            " was never made; there are " +
                                            std::to_string(streams_.size())};
}

Result<void> HostBackend::require_recorded(StreamEvent event, const char* call) {
  Result<Stream*> stream = stream_at(event.stream, call);
  if (!stream) {
    return stream.failure();
  }
  const std::uint64_t recorded = (*stream)->recorded.load(std::memory_order_acquire);
  if (event.sequence <= recorded) {
    return {};
  }
  return Error{ErrorCode::kBadArgument, std::string("cannot ") + call + " for event " +
                                            std::to_string(event.sequence) + " of " +
                                            words_of(event.stream) + ": " +
                                            std::to_string(recorded) + " were recorded there"};
}

Result<StreamId> HostBackend::make_stream() {
  const std::scoped_lock lock(mutex_);
  streams_.emplace_back();
  return static_cast<StreamId>(streams_.size() - 1);
}

bool HostBackend::has_stream(StreamId stream) const {
  const std::scoped_lock lock(mutex_);
  return static_cast<std::size_t>(stream) < streams_.size();
}

Result<StreamEvent> HostBackend::record(StreamId stream) {
  Result<Stream*> target = stream_at(stream, "record");
  if (!target) {
    return target.failure();
  }
  const std::scoped_lock in_order((*target)->in_order);
  // Why release: who sees the event reached sees what the work before it wrote.
  const std::uint64_t before = (*target)->recorded.fetch_add(1, std::memory_order_release);
  return StreamEvent{stream, before + 1};
}

std::uint64_t HostBackend::reached(StreamId stream) {
  Result<Stream*> target = stream_at(stream, "ask after a stream");
  check(target.ok(), "a stream that is asked after was made");
  return (*target)->recorded.load(std::memory_order_acquire);
}

Result<void> HostBackend::wait(StreamId waiter, StreamEvent event) {
  if (Result<Stream*> target = stream_at(waiter, "wait"); !target) {
    return target.failure();
  }
  return require_recorded(event, "wait");  // and was reached as it was recorded
}

Result<void> HostBackend::synchronize(StreamEvent event) {
  return require_recorded(event, "synchronize");
}

// --- work -------------------------------------------------------------------------------------

Result<void> HostBackend::require_access(const std::byte* address, Bytes size,
                                         const char* call) const {
  const std::scoped_lock lock(mutex_);
  const std::optional<std::string> fault = ranges_.fault_of(address, size);
  if (!fault) {
    return {};
  }
  return Error{ErrorCode::kBadArgument,
               std::string("cannot ") + call + " " + to_string(size) + ": " + *fault};
}

Result<void> HostBackend::copy(StreamId stream, std::byte* to, const std::byte* from, Bytes size) {
  Result<Stream*> target = stream_at(stream, "copy");
  if (!target) {
    return target.failure();
  }
  for (const std::byte* const side : {from, static_cast<const std::byte*>(to)}) {
    if (Result<void> access = require_access(side, size, "copy"); !access) {
      return access;
    }
  }
  const std::scoped_lock in_order((*target)->in_order);
  copy_bytes(to, from, size);
  return {};
}

Result<void> HostBackend::fill(StreamId stream, std::byte* to, std::byte value, Bytes size) {
  Result<Stream*> target = stream_at(stream, "fill");
  if (!target) {
    return target.failure();
  }
  if (Result<void> access = require_access(to, size, "fill"); !access) {
    return access;
  }
  const std::scoped_lock in_order((*target)->in_order);
  fill_bytes(to, value, size);
  return {};
}

}  // namespace tenure
