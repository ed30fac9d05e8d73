#include "tenure/runtime.hpp"

#include <algorithm>
#include <string>
#include <thread>
#include <utility>

#include "core/base/check.hpp"
#include "core/runtime/generation_options.hpp"
#include "core/runtime/optimizer.hpp"
#include "core/runtime/option_table.hpp"
#include "core/runtime/state.hpp"

namespace tenure {

namespace {

// A nursery may grow up to this, by a preset or by the tuner; only addresses are spent on it.
constexpr Bytes kNurseryReserve{256u << 20};

// More than these and a collection of a few milliseconds only waits for its slowest thread.
constexpr std::uint32_t kMostWorkers = 16;

std::uint32_t workers_for(const Config& config) {
  const std::uint32_t cores = std::max(1u, std::thread::hardware_concurrency());
  return config.gc_workers != 0 ? config.gc_workers : std::min(cores, kMostWorkers);
}

Error stayed_with_parent() {
  return {ErrorCode::kClosed,
          "the heap stayed with the parent of this process; its child has pools"};
}

MutatorState* mutator_in(const RuntimeState& runtime) {
  MutatorState* state = detail::current_core->state;
  while (state != nullptr && &state->runtime != &runtime) {
    state = state->outer;
  }
  return state;
}

}  // namespace

Result<std::unique_ptr<RuntimeState>> RuntimeState::open(const Config& config,
                                                         const Config& asked) {
  std::unique_ptr<RuntimeState> state(new RuntimeState(config, asked));
  Result<std::unique_ptr<Backend>> backend = open_backend(config.device, config.seed);
  if (!backend) {
    return backend.failure();
  }
  state->backend_ = std::move(*backend);
  if (config.check == Check::kPayload) {
    auto checked = std::make_unique<CheckedBackend>(std::move(state->backend_));
    state->checked_ = checked.get();
    state->backend_ = std::move(checked);
  }
  Result<std::unique_ptr<Heap>> heap =
      Heap::open(host_platform(), {.generations = config.generations,
                                   .promotion_age = ages_of(config),
                                   .adapts_ages = adapts_ages(config),
                                   .nursery = config.nursery,
                                   .nursery_reserve = std::max(config.nursery, kNurseryReserve),
                                   .limit = config.heap_limit,
                                   .compaction = config.compaction && config.generations > 1,
                                   .compact_at = config.compact_at});
  if (!heap) {
    return heap.failure();
  }
  state->heap_ = std::move(*heap);
  state->conductor_ = std::make_unique<Conductor>(
      *state, host_platform(), *state->heap_, state->safepoint_,
      ConductorOptions{.trigger = {.generations = config.generations,
                                   .collection_ratio = ratios_of(config),
                                   .nursery = config.nursery,
                                   .old_start = config.old_start,
                                   .heap_limit = config.heap_limit},
                       .workers = workers_for(config),
                       .mode = config.mode,
                       .max_pause_ns = config.max_pause_us * 1000,
                       .verify = config.verify,
                       .after_full = [raw = state.get()] { raw->settle_payloads(); },
                       .after_stop =
                           [raw = state.get()](const CollectionReport& report) {
                             raw->profile_collection(report);
                             raw->optimizer_->note(report);
                             (void)raw->allocation_rate(Bytes{raw->conductor().bytes_allocated()});
                           },
                       .may_slice = config.incremental,
                       .write_barriers = config.write_barriers});
  state->optimizer_ =
      std::make_unique<Optimizer>(*state, std::max(config.nursery, kNurseryReserve));
  // Why not wherever there is a device: its context costs half a second, and memory on it.
  const bool has_context = state->backend_->name().starts_with("cuda");
  if (config.marker == MarkerChoice::kCuda ||
      (config.marker == MarkerChoice::kAuto && has_context && config.write_barriers)) {
    if (Result<void> marks = state->conductor_->mark_on_device(config.marker);
        !marks && config.marker == MarkerChoice::kCuda) {
      return marks.failure();
    }
  }
  if (Result<void> begun = state->begin_publishing(); !begun) {
    return begun.failure();
  }
  return state;
}

RuntimeState::RuntimeState(const Config& config, const Config& asked)
    : config_(config),
      asked_(asked),
      profiler_(config.sample_interval),
      large_object_(config.large_object.count()),
      planner_(config.plan_payloads == PayloadPlans::kOn && may_start_threads(config.mode)),
      system_watch_(
          may_start_threads(config.mode) ? config.watch_system_ms : 0,
          [] { return host_platform().memory(); },
          [this](PressureLevel level) { relieve_system(level); }),
      publisher_(config.publish_ms, [this] { publish(); }) {
  profiler_.set_level(config.profile, host_platform().now_ns());
}

RuntimeState::~RuntimeState() {
  check(safepoint_.count() == 0, "a runtime ended before a mutator that is attached to it");
  close();
}

MutatorState* RuntimeState::self() {
  MutatorState* const own = mutator_in(*this);
  // A thread that is away asks like one that has no mutator. Only it changes where it is.
  return own == nullptr || own->presence == Presence::kAway ? nullptr : own;
}

CloseReport RuntimeState::close() {
  if (is_child()) {
    return close_in_child();
  }
  CloseReport report;
  if (closing_.exchange(true, std::memory_order_acq_rel) || conductor_ == nullptr) {
    return report;
  }
  end_system_watch();
  end_publishing();
  conductor_->end_background(self());
  check(safepoint_.count() == (mutator_in(*this) == nullptr ? 0u : 1u),
        "a runtime was closed while another thread's mutator was attached to it");
  close_afterlife(report);
  if (checked_ != nullptr) {
    report.leaks = find_leaks();
  }
  open_.store(false, std::memory_order_release);
  conductor_->in_stop(self(),
                      [&] { report.payloads_returned = heap_->owners().retire_all().payloads; });
  conductor_->dismiss_team();
  heap_->afterlife().clear_all();
  report.handles_outstanding = heap_->roots().handles().count();
  heap_->roots().handles().clear();
  report.pins_outstanding = heap_->roots().pins().count();
  heap_->roots().pins().clear();
  planner_.end();
  report.leases_outstanding = close_pools();
  return report;
}

CloseReport RuntimeState::close_in_child() {
  CloseReport report;
  open_.store(false, std::memory_order_release);
  report.leases_outstanding = close_pools();
  return report;
}

std::uint64_t RuntimeState::close_pools() {
  std::uint64_t inert = 0;
  for_each_named_pool([&](PayloadPool& pool) { inert += pool.close(); });
  const std::scoped_lock lock(pools_mutex_);
  for (const std::unique_ptr<PayloadPool>& pool : owned_pools_) {
    if (pool != nullptr) {
      inert += pool->close();
    }
  }
  return inert;
}

void RuntimeState::leave(std::unique_ptr<RuntimeState> state) {
  // Why kept: its destructors would wait for threads that are not there, and take locks that these
  // may have held. Why named: a leak checker would take it for one.
  static auto& kept = *new std::vector<std::unique_ptr<RuntimeState>>;
  state->close();
  kept.push_back(std::move(state));
}

// Finalizers need a mutator: the caller's own, brought back where it is away, or one for the time.
void RuntimeState::close_afterlife(CloseReport& report) {
  MutatorState* const own = mutator_in(*this);
  if (own == nullptr) {
    const Mutator passing(*this);
    finish_farewells(*passing.core().state, report);
    return;
  }
  const bool was_away = own->presence == Presence::kAway;
  if (was_away) {
    safepoint_.come_back(*own);
  }
  finish_farewells(*own, report);
  if (was_away) {
    safepoint_.leave(*own);
  }
}

Result<Runtime> Runtime::open(const Config& config) {
  if (Result<void> sound = check_config(config); !sound) {
    return sound.failure();
  }
  const Result<Config> effective = config_from_environment(config);
  if (!effective) {
    return effective.failure();
  }
  if (Result<void> sound = check_config(*effective); !sound) {
    return sound.failure();
  }
  Result<std::unique_ptr<RuntimeState>> state = RuntimeState::open(*effective, config);
  if (!state) {
    return state.failure();
  }
  return Runtime(std::move(*state));
}

Runtime::Runtime(std::unique_ptr<RuntimeState> state) : state_(std::move(state)) {}
Runtime::Runtime(Runtime&&) noexcept = default;
Runtime& Runtime::operator=(Runtime&& from) noexcept {
  if (this != &from) {
    const Runtime ended(std::move(*this));
    state_ = std::move(from.state_);
  }
  return *this;
}
Runtime::~Runtime() {
  if (state_ != nullptr && state_->is_child()) {
    RuntimeState::leave(std::move(state_));
  }
}

CloseReport Runtime::close() { return state_->close(); }
bool Runtime::is_open() const { return state_ != nullptr && state_->is_open(); }

Result<CollectionReport> Runtime::collect(Collect what) {
  return collect_up_to(what == Collect::kFull ? config().generations - 1 : 0);
}

Result<CollectionReport> Runtime::collect_up_to(std::uint32_t last) {
  if (state_->is_child()) {
    return stayed_with_parent();
  }
  if (!is_open()) {
    return Error{ErrorCode::kClosed, "the runtime was closed; it has nothing to collect"};
  }
  if (last >= config().generations) {
    return Error{ErrorCode::kBadArgument, "there is no generation " + std::to_string(last) +
                                              "; the oldest is " +
                                              std::to_string(config().generations - 1)};
  }
  return state_->conductor().collect(state_->self(), last, CollectionTrigger::kExplicitRequest);
}

Result<CollectionReport> Runtime::compact() {
  if (state_->is_child()) {
    return stayed_with_parent();
  }
  if (!is_open()) {
    return Error{ErrorCode::kClosed, "the runtime was closed; it has nothing to compact"};
  }
  if (!state_->heap().options().compaction) {
    return Error{ErrorCode::kUnsupported,
                 config().compaction
                     ? "a heap of one generation moves no object, and cannot be compacted"
                     : "compaction is off, so that no old object changes its address"};
  }
  const CollectionReport report =
      state_->conductor().collect(state_->self(), state_->heap().oldest(),
                                  CollectionTrigger::kExplicitRequest, Compact::kAlways);
  // Mutators run by now: giving memory back costs the system more than the packing cost us.
  state_->conductor().discard_free();
  return report;
}

Result<void> Runtime::resize_nursery(Bytes nursery) {
  if (!is_open()) {
    return Error{ErrorCode::kClosed, "the runtime was closed; it has no nursery"};
  }
  Config changed = state_->config();
  changed.nursery = nursery;
  if (Result<void> sound = check_config(changed); !sound) {
    return Error{ErrorCode::kBadArgument, sound.failure().message};
  }
  const Bytes most = std::max(config().nursery, kNurseryReserve);
  if (nursery > most) {
    return Error{ErrorCode::kBadArgument, "a nursery of " + to_string(nursery) +
                                              " is more than the " + to_string(most) +
                                              " that were reserved for it"};
  }
  if (state_->heap().has_nursery()) {
    state_->conductor().resize_nursery(nursery);
  }
  return {};
}

RootCallbackId Runtime::add_root_callback(RootCallback callback, std::string name) {
  check(is_open(), "a root callback was added to a runtime that was closed");
  RootCallbackId id{};
  state_->safepoint().while_going(state_->self(), [&](const std::vector<MutatorState*>&) {
    id = state_->heap().roots().callbacks().add(std::move(callback), std::move(name));
  });
  return id;
}

bool Runtime::remove_root_callback(RootCallbackId id) {
  bool removed = false;
  state_->safepoint().while_going(state_->self(), [&](const std::vector<MutatorState*>&) {
    removed = state_->heap().roots().callbacks().remove(id);
  });
  return removed;
}

Result<void> Runtime::synchronize(StreamId stream) { return state_->synchronize(stream); }
Result<StreamId> Runtime::adopt_stream(void* native) { return state_->adopt_stream(native); }
Result<StreamId> Runtime::make_stream() { return state_->backend().make_stream(); }

const Config& Runtime::config() const { return state_->config(); }

std::vector<ConfigRow> Runtime::describe() const {
  std::vector<ConfigRow> rows = tenure::describe(state_->config());
  for (ConfigRow& row : rows) {
    const Option& option = *find_option(row.name);
    if (!is_same(option, state_->asked(), state_->config())) {
      row.source = ConfigSource::kEnvironment;
    }
  }
  return rows;
}

}  // namespace tenure
