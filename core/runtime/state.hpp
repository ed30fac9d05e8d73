// What a runtime is made of. The only place that sees all rooms.
//
// Invariant: parts end in the reverse order of their making: mutators are gone before the heap,
// objects' payloads are back before the pools close, and the backend ends last.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/backend/backend.hpp"
#include "core/backend/fork_watch.hpp"
#include "core/backend/platform.hpp"
#include "core/heap/heap.hpp"
#include "core/observe/profiler.hpp"
#include "core/observe/rate_window.hpp"
#include "core/payload/checked_backend.hpp"
#include "core/payload/pool.hpp"
#include "core/pressure/ladder.hpp"
#include "core/pressure/levels.hpp"
#include "core/pressure/payload_trigger.hpp"
#include "core/runtime/conductor.hpp"
#include "core/runtime/live_file.hpp"
#include "core/runtime/planner.hpp"
#include "core/runtime/pressure_callers.hpp"
#include "core/runtime/safepoint.hpp"
#include "core/runtime/system_watch.hpp"
#include "core/runtime/ticker.hpp"
#include "tenure/config.hpp"
#include "tenure/memory_pool.hpp"
#include "tenure/runtime.hpp"

namespace tenure {

class Optimizer;  // core/runtime

/// What is needed to collect, or to ask for payload memory, from inside.
class RuntimeState {
 public:
  /// errors   those of Runtime::open
  [[nodiscard]] static Result<std::unique_ptr<RuntimeState>> open(const Config& config,
                                                                  const Config& asked);
  RuntimeState(const RuntimeState&) = delete;
  RuntimeState& operator=(const RuntimeState&) = delete;
  ~RuntimeState();

  CloseReport close();
  [[nodiscard]] bool is_open() const { return open_.load(std::memory_order_acquire); }

  /// Whether this is the child of a fork: the heap's threads, and what they held, stayed with the
  /// parent. Pools go on.
  [[nodiscard]] bool is_child() const { return is_child_.load(std::memory_order_relaxed); }
  /// Ends a runtime in such a child as far as it can end there.
  static void leave(std::unique_ptr<RuntimeState> state);

  [[nodiscard]] const Config& config() const { return config_; }
  /// What the program asked for, before the environment was looked at.
  [[nodiscard]] const Config& asked() const { return asked_; }
  [[nodiscard]] Heap& heap() { return *heap_; }
  [[nodiscard]] Safepoint& safepoint() { return safepoint_; }
  [[nodiscard]] Conductor& conductor() { return *conductor_; }
  /// As the runtime's own. Anyone.
  [[nodiscard]] Statistics statistics();
  [[nodiscard]] Backend& backend() { return *backend_; }

  /// The calling thread's mutator in this runtime, or null.
  [[nodiscard]] MutatorState* self();

  /// Room for an object: from the buffer, a fresh one, or as born old; collects where that helps.
  ///
  /// errors   kOutOfMemory, with what is held
  [[nodiscard]] Result<ObjectIndex> allocate(MutatorState& mutator, TypeId type,
                                             std::uint64_t granules);

  /// Objects at least this big are born old. Why relaxed: it guards nothing, and an allocation may go by
  /// what it was.
  [[nodiscard]] Bytes large_object() const {
    return Bytes{large_object_.load(std::memory_order_relaxed)};
  }
  void set_large_object(Bytes size) {
    large_object_.store(size.count(), std::memory_order_relaxed);
  }
  [[nodiscard]] Optimizer& optimizer() { return *optimizer_; }

  /// Leases payload memory, and climbs the ladder where the pool has none.
  [[nodiscard]] Result<PayloadLease> lease(MutatorState* self, Bytes size,
                                           const LeaseOptions& options);

  /// As the runtime's own, of a block that is leased.
  [[nodiscard]] Result<PayloadUse> use(MutatorState* self, PayloadBlock& block, StreamId stream);

  /// Whether somebody is to be told of a death. Anyone.
  [[nodiscard]] bool has_farewells();
  /// Tells all of them: callbacks of weak references, then finalizers. Inside of one it does nothing.
  ///
  /// mutator  the calling thread's, running; no place in an object is known to anyone but roots
  /// returns  how many were told
  std::uint64_t run_farewells(MutatorState& mutator);

  /// Counts payloads that objects own, so that collections come in time. Anyone.
  void note_owned(Bytes size) {
    owned_.fetch_add(size.count(), std::memory_order_relaxed);
    ever_owned_.fetch_add(size.count(), std::memory_order_relaxed);
  }
  void note_released(Bytes size) { owned_.fetch_sub(size.count(), std::memory_order_relaxed); }

  /// Payloads that objects ever came to own. Anyone.
  [[nodiscard]] Bytes payload_bytes_owned() const {
    return Bytes{ever_owned_.load(std::memory_order_relaxed)};
  }
  /// Bytes a second, of objects and payloads; `objects` are the bytes of objects so far. Anyone.
  [[nodiscard]] double allocation_rate(Bytes objects);

  /// A full collection looked at all payloads that objects own.
  void settle_payloads();

  /// Gives memory back that nothing uses.
  Bytes trim();

  /// As the runtime's own.
  [[nodiscard]] Result<SleepReport> sleep(MutatorState* self, MemoryKind kind,
                                          const SleepOptions& options);
  [[nodiscard]] Result<WakeReport> wake(MutatorState* self, MemoryKind kind);

  [[nodiscard]] Pressure pressure(MutatorState* self);
  [[nodiscard]] PressureStatistics pressure_statistics();
  [[nodiscard]] PressureCallers& callers() { return callers_; }
  PressureCallbackId add_caller(PressureCallers::Kind kind, std::string name,
                                PressureCallback callback);
  [[nodiscard]] SystemWatch& system_watch() { return system_watch_; }
  /// The machine passed a level of pressure: what can be spared goes back, and callers are told.
  void relieve_system(PressureLevel level);

  [[nodiscard]] Result<void> synchronize(StreamId stream);
  [[nodiscard]] Result<StreamId> adopt_stream(void* native);
  [[nodiscard]] Result<ClientId> make_client(std::string_view name);
  [[nodiscard]] Result<void> limit_client(ClientId client, MemoryKind kind,
                                          const ClientLimits& limits);
  [[nodiscard]] bool knows(ClientId client) const {
    return static_cast<std::uint32_t>(client) <= client_count_.load(std::memory_order_acquire);
  }
  [[nodiscard]] Error no_such(ClientId client) const;
  /// Fills in the names of those in a pool's figures.
  void name_clients(PoolStatistics& pool);
  /// Their names by number; the first is nobody's, and empty.
  [[nodiscard]] std::vector<std::string> client_names();

  [[nodiscard]] Planner& planner() { return planner_; }

  /// The pool of a kind, opened when first asked for.
  ///
  /// errors   kUnsupported, with strict_memory_kind
  [[nodiscard]] Result<PayloadPool*> pool(MemoryKind kind);
  /// Whether it is to be had.
  [[nodiscard]] Result<void> require(MemoryKind kind) const;
  /// As `create_specialized_pool`.
  [[nodiscard]] Result<MemoryPool> make_pool(std::string_view name, Bytes size,
                                             const SpecializedPoolOptions& options);
  /// Those made by name; none once the runtime was closed.
  [[nodiscard]] std::vector<MemoryPool> named_pools();
  /// Calls `visit(pool)` for each that is open.
  template <class Visit>
  void for_each_pool(Visit visit) {
    for (auto& pool : pools_) {
      if (PayloadPool* const open = pool.load(std::memory_order_acquire); open != nullptr) {
        visit(*open);
      }
    }
  }

  /// What knows of all payloads; null but with check=payload.
  [[nodiscard]] PayloadChecker* checker() {
    return checked_ == nullptr ? nullptr : &checked_->checker();
  }

  [[nodiscard]] Profiler& profiler() { return profiler_; }
  void set_profile_level(MutatorState* self, ProfileLevel level);
  /// Has a mutator's allocations drawn and recorded, or not, as the level has it. In a stop, or before it
  /// runs.
  void begin_watching(MutatorState& mutator);
  /// Room for an object while all are recorded, where nothing else is to be done; or none.
  [[nodiscard]] ObjectIndex try_record(MutatorState& mutator, TypeId type, std::uint64_t granules);

  /// Counts allocations down to the next one that collects first. For stress runs.
  [[nodiscard]] bool is_stress_due();

 private:
  RuntimeState(const Config& config, const Config& asked);
  CloseReport close_in_child();
  void close_afterlife(CloseReport& report);
  [[nodiscard]] std::vector<PayloadLeak> find_leaks();
  void finish_farewells(MutatorState& mutator, CloseReport& report);
  [[nodiscard]] std::string describe_heap(MutatorState* self);
  [[nodiscard]] bool try_full(MutatorState& mutator);
  /// A request for memory that found no room.
  struct Climb {
    PayloadPool& pool;
    Bytes size;
    std::function<Result<void>(Effort)> retry;
    std::function<EvictionOutcome(PayloadPool* pinned)> evict;
  };
  [[nodiscard]] Result<void> climb(MutatorState* self, const Climb& request, const Error& refused);
  Bytes take_step(PressureStep step, MutatorState* self, const Climb& request,
                  std::string& failure);
  [[nodiscard]] EvictionOutcome evict(MutatorState* self, const Climb& request);
  [[nodiscard]] bool may_evict(const PayloadPool& pool);
  void call_under_pressure(MutatorState* self, PressureCallers::Kind kind,
                           const PressureCall& call);
  void end_system_watch();
  [[nodiscard]] Result<void> begin_publishing();
  void publish();
  void end_publishing();
  void note_growth(MutatorState* self, PayloadPool& pool);
  void note_client(MutatorState* self, PayloadPool& pool, ClientId client);
  [[nodiscard]] double granules_apart() const;  // of samples, on average
  void sample_object(MutatorState& mutator, ObjectIndex object, TypeId type,
                     std::uint64_t granules);
  void sample_payload(PayloadLease& lease, std::uint64_t size, MemoryKind kind);
  void end_sampled_payload(const PayloadBlock& block);
  void profile_collection(const CollectionReport& report);
  /// Adds an event of the runtime's own, where anything is watched.
  void record_event(const Event& event);
  void record_reserved(PayloadPool& pool);
  [[nodiscard]] Result<PayloadLease> lease_from(MutatorState* self, PayloadPool& pool, Bytes size,
                                                const LeaseOptions& options);
  [[nodiscard]] PayloadAdvice advise(PayloadPool& pool);
  // Calls `visit(pool)` for each made by name.
  template <class Visit>
  void for_each_named_pool(Visit visit) {
    const std::scoped_lock lock(pools_mutex_);
    for (const NamedPool& named : named_pools_) {
      visit(*named.pool);
    }
  }
  std::uint64_t close_pools();
  Bytes collect_for_payload(MutatorState* self, bool full,
                            CollectionTrigger trigger = CollectionTrigger::kDevicePressure);

  Config config_;
  Config asked_;
  Profiler profiler_;                       // told by what ends before it
  std::atomic<std::uint64_t> samplers_{0};  // that ever began, for their seeds
  std::unique_ptr<Backend> backend_;
  CheckedBackend* checked_ = nullptr;  // the same, with check=payload
  std::unique_ptr<Heap> heap_;
  Safepoint safepoint_;
  std::unique_ptr<Conductor> conductor_;
  std::unique_ptr<Optimizer> optimizer_;  // told by the conductor
  std::atomic<std::uint64_t> large_object_;

  std::mutex pools_mutex_;
  std::array<std::unique_ptr<PayloadPool>, kMemoryKinds> owned_pools_;  // guarded by pools_mutex_
  std::array<std::atomic<PayloadPool*>, kMemoryKinds> pools_{};         // what owned_pools_ holds
  struct NamedPool {
    std::string name;
    Bytes alignment{};
    std::unique_ptr<PayloadPool> pool;
  };
  std::vector<NamedPool> named_pools_;  // guarded by pools_mutex_; never fewer
  Planner planner_;                     // ends before the pools close
  std::mutex trigger_mutex_;
  PayloadTrigger payload_trigger_;  // guarded by trigger_mutex_
  PressureCallers callers_;
  std::shared_mutex adopted_mutex_;
  std::unordered_map<void*, StreamId> adopted_;  // by their handles; guarded by adopted_mutex_

  std::mutex clients_mutex_;
  std::vector<std::string> clients_;  // names, by number from 1; guarded by clients_mutex_
  std::atomic<std::uint32_t> client_count_{0};  // of clients_
  std::mutex pressure_mutex_;
  Ladder ladder_;                                    // guarded by pressure_mutex_
  std::array<LevelTracker, kMemoryKinds> levels_{};  // likewise
  SystemWatch system_watch_;                         // ends before the collector and the pools do
  std::optional<LiveFile> live_file_;                // the publisher's
  Ticker publisher_;                                 // likewise, and before the file
  std::atomic<std::uint64_t> owned_{0};       // bytes ever owned by objects, less those released
  std::atomic<std::uint64_t> ever_owned_{0};  // the same, those included
  std::mutex rate_mutex_;
  RateWindow rate_{host_platform().now_ns()};  // guarded by rate_mutex_
  std::atomic<std::uint64_t> allocations_{0};  // counted under stress only
  std::atomic<bool> closing_{false};           // by whoever made it true
  std::atomic<bool> open_{true};
  std::atomic<bool> is_child_{false};  // written where there is one thread
  ForkWatch fork_watch_{ForkRank::kRuntime,
                        {[this] { pools_mutex_.lock(); }, [this] { pools_mutex_.unlock(); },
                         [this] {
                           is_child_.store(true, std::memory_order_relaxed);
                           pools_mutex_.unlock();
                         }}};
};

}  // namespace tenure
