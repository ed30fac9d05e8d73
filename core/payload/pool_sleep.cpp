// The part of a pool that gives all of its memory away and takes it back at the same addresses.
//
//   sleep:  rest -> idle pieces are unmapped -> bytes are copied out -> all else is withdrawn
//   wake:   what was handed back meanwhile is unmapped -> the rest is restored -> bytes are copied in
//
// Why in this order: all that can fail comes before anything is withdrawn, and after everything is
// restored. So a sleep that fails leaves the pool awake, and a wake that fails leaves it asleep.
#include <algorithm>
#include <string>
#include <utility>

#include "core/payload/pool.hpp"

namespace tenure {

namespace {

constexpr std::uint64_t kAll = ~std::uint64_t{0};

bool is_held(const PayloadBlock& block) {
  return !block.is(BlockState::kFree) && !block.is(BlockState::kUnmapped);
}

std::uint64_t sum_of(const std::vector<Stretch>& stretches) {
  std::uint64_t sum = 0;
  for (const Stretch& stretch : stretches) {
    sum += stretch.size;
  }
  return sum;
}

}  // namespace

Error PayloadPool::asleep_error() const {
  return {ErrorCode::kAsleep, "the " + std::string(to_string(kind_)) + " pool on " +
                                  counts_.backend +
                                  " is asleep: its memory was given away; wake it"};
}

Result<void> PayloadPool::may_sleep() const {
  if (closed_ || sleeping_ == nullptr) {
    return closed_ ? Error{ErrorCode::kClosed, "a pool that was closed cannot sleep"}
                   : Result<void>();
  }
  return Error{ErrorCode::kBadArgument, "the " + std::string(to_string(kind_)) + " pool on " +
                                            counts_.backend + " is asleep already; wake it first"};
}

Result<SleepReport> PayloadPool::sleep(const SleepOptions& options) {
  const std::uint64_t begun = host_platform().now_ns();
  const Lock lock(core_->mutex);
  if (Result<void> may = may_sleep(); !may) {
    return may.failure();
  }
  const std::string name = "the " + std::string(to_string(kind_)) + " pool on " + counts_.backend;
  if (!traits_.supported || !traits_.can_map) {
    return Error{ErrorCode::kUnsupported,
                 name + " cannot sleep: its memory cannot be unmapped from behind its addresses"};
  }
  if (core_->guard != nullptr) {
    return Error{ErrorCode::kUnsupported,
                 name + " cannot sleep with check=payload, which looks at payloads at any time"};
  }
  if (core_->is_caching.load(std::memory_order_relaxed)) {
    end_caching();
  }
  drain_all(lock);
  for (const Evictable& entry : evictables_.known) {
    if (entry.is_pinned()) {
      return Error{ErrorCode::kBadArgument,
                   name + " cannot sleep while an evictable payload is used; end its use first"};
    }
  }
  dissolve_plan();
  if (Result<void> rested = come_to_rest(); !rested) {
    return rested.failure();
  }
  SleepReport report;
  report.given_back = Bytes{give_back_idle(kAll, {}, 0)};
  auto sleeping = std::make_unique<Sleeping>();
  if (options.contents != SleepContents::kDropped) {
    Result<Bytes> kept = keep_bytes(*sleeping, options);
    if (!kept) {
      return kept.failure();
    }
    report.kept = *kept;
  }
  const std::vector<Stretch> stretches = stretches_in_use();
  for (const Stretch& stretch : stretches) {
    tiling_.withdraw(stretch.from, stretch.size);
  }
  report.given_back += Bytes{sum_of(stretches)};
  sleeping_ = std::move(sleeping);
  set_at_once();
  asleep_.store(true, std::memory_order_relaxed);
  report.took_ns = host_platform().now_ns() - begun;
  return report;
}

// Waits until all that streams were given so far is done, also with what is leased still.
Result<void> PayloadPool::come_to_rest() {
  const bool was_single = !epochs_.has_several();
  tiling_.for_each([&](PayloadBlock& block) {
    if (is_held(block)) {
      block.uses.for_each_ongoing([&](StreamId stream) { epochs_.admit(stream); });
    }
  });
  if (was_single && epochs_.has_several()) {
    begin_several();
  }
  for (const StreamId stream : epochs_.known()) {
    (void)epochs_.end_use(stream);  // so that an event is recorded behind it
  }
  Result<void> rested = epochs_.wait_for_all();
  if (!rested && rested.failure().code != ErrorCode::kDeviceLost) {
    rested = epochs_.wait_for_all();  // a refusal may have passed
  }
  settle_seams();
  return rested;
}

// A stream for copies that the host waits for.
Mover PayloadPool::mover() const {
  const std::vector<StreamId>& known = epochs_.known();
  const auto there = std::find_if(known.begin(), known.end(), [&](StreamId stream) {
    return core_->backend.has_stream(stream);
  });
  return {backend_, there == known.end() ? StreamId::kDefault : *there, traits_.host_readable};
}

// Copies the bytes of all that is leased into a stash.
Result<Bytes> PayloadPool::keep_bytes(Sleeping& sleeping, const SleepOptions& options) {
  std::uint64_t total = 0;
  const auto keep = [&](std::byte* from, const std::byte* end) {
    if (from < end) {
      const auto size = static_cast<std::uint64_t>(end - from);
      sleeping.kept.push_back({{from, size}, total});
      total += (size + kBlockStep - 1) & ~(kBlockStep - 1);
    }
  };
  const std::vector<Stretch> gone = stretches_gone();
  auto next = gone.begin();
  tiling_.for_each([&](PayloadBlock& block) {
    if (!is_held(block)) {
      return;
    }
    std::byte* from = block.data;
    if (next != gone.end() && next->from < block.end()) {
      keep(from, next->from);
      from = next->from + next->size;
      ++next;
    }
    keep(from, block.data + block.asked);
  });
  Result<Stash> stash = Stash::make(
      options.contents == SleepContents::kInFile ? Stash::Place::kFile : Stash::Place::kHost,
      Bytes{total}, options.directory);
  if (!stash) {
    return stash.failure();
  }
  sleeping.stash = std::move(*stash);
  const Mover mover = this->mover();
  Result<void> kept;
  Bytes bytes;
  for (const Sleeping::Kept& payload : sleeping.kept) {
    kept = sleeping.stash.put(mover, payload.offset, payload.bytes.from, Bytes{payload.bytes.size});
    if (!kept) {
      break;
    }
    bytes += Bytes{payload.bytes.size};
  }
  kept = kept ? sleeping.stash.finish(mover) : kept;
  if (!kept) {
    if (!mover.finish()) {
      sleeping.stash.abandon();
    }
    return kept.failure();
  }
  return bytes;
}

// What is mapped, but for free memory that was given back before; or, of a pool that is asleep, what
// has to be mapped for it to be awake.
std::vector<Stretch> PayloadPool::stretches_in_use() const {
  std::vector<Stretch> stretches;
  const auto add = [&](std::byte* from, const std::byte* end) {
    const auto size = static_cast<std::uint64_t>(end - from);
    if (size == 0) {
      return;
    }
    if (!stretches.empty() && stretches.back().from + stretches.back().size == from) {
      stretches.back().size += size;
    } else {
      stretches.push_back({from, size});
    }
  };
  const std::vector<Stretch> gone = stretches_gone();
  auto next = gone.begin();
  tiling_.for_each([&](const PayloadBlock& block) {
    if (block.is(BlockState::kUnmapped)) {
      return;
    }
    std::byte* from = block.data;
    if (next != gone.end() && next->from < block.end()) {
      add(from, next->from);
      from = next->from + next->size;
      ++next;
    }
    add(from, block.end());
  });
  return stretches;
}

// What is evicted, by address. Each lies in one block.
std::vector<Stretch> PayloadPool::stretches_gone() const {
  std::vector<Stretch> gone;
  for (const Evictable& entry : evictables_.known) {
    if (entry.is_gone()) {
      gone.push_back(entry.gone);
    }
  }
  std::sort(gone.begin(), gone.end(),
            [](const Stretch& a, const Stretch& b) { return a.from < b.from; });
  return gone;
}

Result<WakeReport> PayloadPool::wake() {
  const std::uint64_t begun = host_platform().now_ns();
  const Lock lock(core_->mutex);
  if (closed_ || sleeping_ == nullptr) {
    return closed_ ? Error{ErrorCode::kClosed, "a pool that was closed cannot be woken"}
                   : Error{ErrorCode::kBadArgument, "the " + std::string(to_string(kind_)) +
                                                        " pool on " + counts_.backend +
                                                        " is awake; there is nothing to wake"};
  }
  drain_all(lock);
  if (!sleeping_->has_memory) {
    settle_seams();
    give_back_idle(kAll, {}, 0);
  }
  const std::vector<Stretch> stretches = stretches_in_use();
  if (!sleeping_->has_memory) {
    if (Result<void> restored = restore_all(stretches); !restored) {
      return restored.failure();
    }
    sleeping_->has_memory = true;
  }
  Result<Bytes> brought = bring_bytes_back(stretches);
  if (!brought) {
    return brought.failure();
  }
  sleeping_.reset();
  set_at_once();
  asleep_.store(false, std::memory_order_relaxed);
  return WakeReport{.mapped = Bytes{sum_of(stretches)},
                    .brought_back = *brought,
                    .took_ns = host_platform().now_ns() - begun};
}

// All of them, or none.
Result<void> PayloadPool::restore_all(const std::vector<Stretch>& stretches) {
  for (std::size_t i = 0; i < stretches.size(); ++i) {
    const Result<void> restored = tiling_.restore(stretches[i].from, stretches[i].size);
    if (!restored) {
      while (i-- > 0) {
        tiling_.withdraw(stretches[i].from, stretches[i].size);
      }
      return Error{restored.failure().code,
                   "the " + std::string(to_string(kind_)) + " pool on " + counts_.backend +
                       " stays asleep, with all it kept: " + restored.failure().message};
    }
  }
  return {};
}

// Copies what was kept to the payloads that are leased still.
Result<Bytes> PayloadPool::bring_bytes_back(const std::vector<Stretch>& stretches) {
  const Mover mover = this->mover();
  Result<void> brought;
  Bytes bytes;
  auto next = sleeping_->kept.begin();
  tiling_.for_each([&](const PayloadBlock& block) {
    for (; next != sleeping_->kept.end() && next->bytes.from < block.end(); ++next) {
      if (!brought || !is_held(block)) {
        continue;
      }
      const auto& [kept, offset] = *next;
      brought = sleeping_->stash.get(mover, offset, kept.from, Bytes{kept.size});
      bytes += Bytes{kept.size};
    }
  });
  const Result<void> finished = sleeping_->kept.empty() ? Result<void>() : mover.finish();
  if (brought && finished) {
    return bytes;
  }
  if (finished) {
    for (const Stretch& stretch : stretches) {
      tiling_.withdraw(stretch.from, stretch.size);
    }
    sleeping_->has_memory = false;
  }
  const Error& why = brought ? finished.failure() : brought.failure();
  return Error{why.code, "the " + std::string(to_string(kind_)) + " pool on " + counts_.backend +
                             " stays asleep, with all it kept: " + why.message};
}

// The pool ends asleep, and its streams did or did not come to rest.
void PayloadPool::end_sleep(bool is_idle) {
  if (sleeping_ != nullptr && !is_idle) {
    sleeping_->stash.abandon();
  }
  sleeping_.reset();
}

}  // namespace tenure
