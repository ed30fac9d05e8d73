// Pressure from inside: what a request that finds no room has done for it, who is told when a level
// is passed, and the reading of it all.
#include "tenure/pressure.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "core/runtime/away_if_running.hpp"
#include "core/runtime/state.hpp"
#include "tenure/runtime.hpp"

namespace tenure {

namespace {

bool is_scarcity(const Error& error) {
  return error.code == ErrorCode::kOutOfMemory || error.code == ErrorCode::kOverBudget;
}

// What was evicted for one request, others may take meanwhile: so often it is tried again.
constexpr std::uint32_t kMostEvictions = 8;

double share_of(Bytes part, Bytes whole) {
  return whole.is_zero() ? 0.0
                         : static_cast<double>(part.count()) / static_cast<double>(whole.count());
}

}  // namespace

Result<void> RuntimeState::climb(MutatorState* self, const Climb& request, const Error& refused) {
  PayloadPool& pool = request.pool;
  const bool collects = config_.mode != Mode::kManual;
  const bool calls = !PressureCallers::is_calling();
  // In the order of PressureStep.
  const std::array<bool, kPressureSteps> possible{
      pool.kind() != MemoryKind::kHost,
      collects,
      collects,
      calls && callers_.has(PressureCallers::Kind::kCollector),
      true,
      may_evict(pool),
      calls && callers_.has(PressureCallers::Kind::kCallback),
      true,
  };
  std::vector<PressureStep> steps;
  {
    const std::scoped_lock lock(pressure_mutex_);
    steps = ladder_.plan(possible);
  }
  ClimbLog log;
  std::string eviction_failure;
  Result<void> got = refused;
  for (const PressureStep step : steps) {
    if (step == PressureStep::kDeviceCopy && !conductor_->give_back_marker_memory(self)) {
      continue;  // there is none: nothing was tried
    }
    const std::uint64_t begun = host_platform().now_ns();
    StepResult result;
    std::uint32_t rounds = 0;
    Bytes gained;
    do {
      gained = take_step(step, self, request, eviction_failure);
      result.gained += gained;
      got = request.retry(step == PressureStep::kWait ? Effort::kWait : Effort::kGrow);
    } while (step == PressureStep::kEviction && !got && is_scarcity(got.failure()) &&
             !gained.is_zero() && ++rounds < kMostEvictions);
    result.took_ns = host_platform().now_ns() - begun;
    result.helped = got.ok();
    log.note(step, result);
    record_event({.time_ns = begun,
                  .amount = result.gained.count(),
                  .subject = static_cast<std::uint32_t>(request.pool.kind()),
                  .kind = EventKind::kPressureStep,
                  .detail = static_cast<std::uint8_t>(step)});
    const std::scoped_lock lock(pressure_mutex_);
    ladder_.learn(step, request.size, result);
    if (got.ok() || !is_scarcity(got.failure())) {
      ladder_.end(got.ok());
      return got;
    }
  }
  return Error{refused.code,
               got.failure().message + "; tried: " + log.text() +
                   (eviction_failure.empty() ? "" : "; evicting ended early: " + eviction_failure) +
                   (collects ? "" : "; nobody collected (manual mode)")};
}

Bytes RuntimeState::take_step(PressureStep step, MutatorState* self, const Climb& request,
                              std::string& failure) {
  PayloadPool& pool = request.pool;
  const Bytes size = request.size;
  const auto call = [&](PressureCallers::Kind kind) {
    const Bytes before = pool.leased();
    call_under_pressure(self, kind,
                        {.level = PressureLevel::kCritical,
                         .kind = pool.kind(),
                         .client = {},
                         .wanted = std::max(pool.shortfall(size), Bytes{1})});
    const Bytes after = pool.leased();
    return before > after ? before - after : Bytes{};
  };
  switch (step) {
    case PressureStep::kYoungCollection:
    case PressureStep::kFullCollection:
      return collect_for_payload(self, step == PressureStep::kFullCollection);
    case PressureStep::kForeignCollectors: {
      const Bytes gained = call(PressureCallers::Kind::kCollector);
      // What they let go of may be handles, whose objects only a collection finds dead.
      return pool.shortfall(size).is_zero() || config_.mode == Mode::kManual
                 ? gained
                 : gained + collect_for_payload(self, true, CollectionTrigger::kForeignRequest);
    }
    case PressureStep::kOtherPools: {
      Bytes trimmed;
      for_each_pool([&](PayloadPool& other) {
        if (&other != &pool) {
          trimmed += other.trim(size);
        }
      });
      return trimmed;
    }
    case PressureStep::kEviction: {
      const EvictionOutcome outcome = evict(self, request);
      failure = outcome.failure;
      return outcome.gained;
    }
    case PressureStep::kCallbacks:
      return call(PressureCallers::Kind::kCallback);
    case PressureStep::kDeviceCopy:  // it was given up before
    case PressureStep::kWait:
      break;
  }
  return {};
}

bool RuntimeState::may_evict(const PayloadPool& pool) {
  if (pool.kind() != MemoryKind::kDevice && pool.kind() != MemoryKind::kUnified) {
    return false;  // it is memory of the host that is short, and evictions take some
  }
  bool may = false;
  for_each_pool([&](PayloadPool& any) { may = may || any.has_evictables(); });
  return may;
}

// Evicts from the pool that is short, and then from others, which may share its memory.
EvictionOutcome RuntimeState::evict(MutatorState* self, const Climb& request) {
  // It waits for streams, and copies for as long as that takes.
  const AwayIfRunning away(safepoint_, self);
  const Result<PayloadPool*> found = pool(MemoryKind::kPinned);
  PayloadPool* const pinned = found ? *found : nullptr;
  EvictionOutcome outcome = request.evict(pinned);
  const bool is_own_limit = request.pool.limit() < backend_->traits(request.pool.kind()).capacity;
  for_each_pool([&](PayloadPool& other) {
    if (&other == &request.pool || is_own_limit || outcome.gained >= request.size ||
        !other.has_evictables()) {
      return;
    }
    const EvictionOutcome more = other.evict(request.size - outcome.gained, pinned);
    outcome.gained += more.gained;
    outcome.failure = more.failure.empty() ? outcome.failure : more.failure;
  });
  return outcome;
}

void RuntimeState::call_under_pressure(MutatorState* self, PressureCallers::Kind kind,
                                       const PressureCall& call) {
  std::vector<std::string> failures;
  {
    const AwayIfRunning away(safepoint_, self);
    failures = callers_.call(kind, call);
  }
  const std::scoped_lock lock(pressure_mutex_);
  for (const std::string& failure : failures) {
    ladder_.note_failure(failure);
  }
}

// A pool has grown: whoever can help is told before it is too late.
void RuntimeState::note_growth(MutatorState* self, PayloadPool& pool) {
  record_reserved(pool);
  if (!callers_.has_any() || PressureCallers::is_calling()) {
    return;
  }
  const double share = share_of(pool.leased(), pool.limit());
  PressureLevel level{};
  {
    const std::scoped_lock lock(pressure_mutex_);
    LevelTracker& tracker = levels_[static_cast<std::size_t>(pool.kind())];
    if (!tracker.follow(share)) {
      return;
    }
    level = tracker.level();
    ladder_.note_level_call();
  }
  const PressureCall call{.level = level, .kind = pool.kind(), .client = {}, .wanted = {}};
  call_under_pressure(self, PressureCallers::Kind::kCallback, call);
  if (level >= PressureLevel::kHigh) {
    call_under_pressure(self, PressureCallers::Kind::kCollector, call);
  }
}

void RuntimeState::note_client(MutatorState* self, PayloadPool& pool, ClientId client) {
  if (!pool.take_passed(client) || PressureCallers::is_calling()) {
    return;
  }
  {
    const std::scoped_lock lock(pressure_mutex_);
    ladder_.note_level_call();
  }
  call_under_pressure(
      self, PressureCallers::Kind::kCallback,
      {.level = PressureLevel::kHigh, .kind = pool.kind(), .client = client, .wanted = {}});
}

Pressure RuntimeState::pressure(MutatorState* self) {
  Pressure pressure;
  for_each_pool([&](PayloadPool& pool) {
    const Bytes leased = pool.leased();
    pressure.pools.push_back({.kind = pool.kind(),
                              .leased = leased,
                              .limit = pool.limit(),
                              .share = share_of(leased, pool.limit())});
    pressure.share = std::max(pressure.share, pressure.pools.back().share);
  });
  safepoint_.while_going(self, [&](const std::vector<MutatorState*>&) {
    for (std::uint32_t generation = 0; generation <= heap_->oldest(); ++generation) {
      pressure.heap_used += heap_->used(generation);
    }
  });
  pressure.heap_limit = heap_->limit();
  pressure.heap_share = share_of(pressure.heap_used, pressure.heap_limit);
  const MemoryReading system = host_platform().memory();
  pressure.system_available = system.available;
  pressure.system_total = system.total;
  pressure.system_share =
      system.total > system.available ? share_of(system.total - system.available, system.total) : 0;
  pressure.system_stall = system.stall;
  pressure.share = std::max({pressure.share, pressure.heap_share, pressure.system_share});
  pressure.level = level_of(std::max(pressure.share, share_for_stall(pressure.system_stall)));
  const std::scoped_lock lock(trigger_mutex_);
  pressure.reclaimable =
      payload_trigger_.owned_since_full(Bytes{owned_.load(std::memory_order_relaxed)});
  return pressure;
}

PressureCallbackId RuntimeState::add_caller(PressureCallers::Kind kind, std::string name,
                                            PressureCallback callback) {
  const PressureCallbackId id = callers_.add(kind, std::move(name), std::move(callback));
  system_watch_.start();
  return id;
}

// What it tells may wait for a stop.
void RuntimeState::end_system_watch() {
  const AwayIfRunning away(safepoint_, self());
  system_watch_.end();
}

PressureStatistics RuntimeState::pressure_statistics() {
  const std::scoped_lock lock(pressure_mutex_);
  return ladder_.statistics();
}

Pressure Runtime::pressure() const { return state_->pressure(state_->self()); }

PressureCallbackId Runtime::on_pressure(PressureCallback callback) {
  return state_->add_caller(PressureCallers::Kind::kCallback, "a pressure callback",
                            std::move(callback));
}

PressureCallbackId Runtime::register_collector(std::string name, PressureCallback collect) {
  return state_->add_caller(PressureCallers::Kind::kCollector, std::move(name), std::move(collect));
}

bool Runtime::remove_pressure_callback(PressureCallbackId id) {
  // It may wait for a call, which may wait for a stop.
  const AwayIfRunning away(state_->safepoint(), state_->self());
  return state_->callers().remove(id);
}

}  // namespace tenure
