// A pool of payload memory: one for each memory kind of a backend, for all streams.
//
// A lease takes the smallest free block that is large enough and cuts the rest off; a return joins
// with free neighbours. A free block carries the streams' uses of it. Whoever leases it is ordered
// behind them on the device; the host does not wait.
//
//   lease:   remote free list -> recent returns -> own shelf | idle shelf -> other streams' shelves, over first,
//            then behind a wait -> neighbours across seams -> more memory
//   return:  one exchange of the block's state, one push on the remote free list
// Where threads meet at the lock, they may keep blocks for themselves first: see thread_cache.hpp.
// Shelves: while one stream is known, all free blocks stand on shelf 0 and are in its order. Once
// there are more, shelf 0 holds what is idle for anyone, shelf 1 what several streams used, and
// shelf 2 + s what stream s used. Free neighbours on one shelf are always joined; neighbours on two
// shelves make a seam, across which only a request that fits nowhere else is placed.
//
// Memory is mapped piece by piece. Once as much is mapped as was ever leased and a little more, idle
// pieces in holes are mapped elsewhere before fresh ones are taken: addresses are plenty, memory is
// not.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/backend/backend.hpp"
#include "core/backend/fork_watch.hpp"
#include "core/payload/client_accounts.hpp"
#include "core/payload/evictable.hpp"
#include "core/payload/free_index.hpp"
#include "core/payload/guard.hpp"
#include "core/payload/planning.hpp"
#include "core/payload/pool_core.hpp"
#include "core/payload/recent_returns.hpp"
#include "core/payload/sleeping.hpp"
#include "core/payload/stream_epochs.hpp"
#include "core/payload/tiling.hpp"
#include "core/payload/window.hpp"
#include "tenure/payload.hpp"
#include "tenure/payload_map.hpp"
#include "tenure/result.hpp"
#include "tenure/sleep.hpp"
#include "tenure/statistics.hpp"

namespace tenure {

/// How far a lease goes before it gives up.
enum class Effort : std::uint8_t {
  kReuse,  // what is mapped and free; stream waits at the most
  kGrow,   // maps more; the host does not wait
  kWait,   // the host waits for streams, so that their holes can be mapped elsewhere
};

/// Whether the host may wait for streams.
enum class HostWait : std::uint8_t { kNever, kAllowed };

struct PoolOptions {
  Bytes budget = kUnlimited;  // bytes that may be mapped; the backend's capacity bounds them too

  /// How much more than was ever leased is mapped before idle holes are mapped elsewhere instead, in
  /// thousandths. Measured: over 25 traces of training and inference, 5 gives the best utilisation;
  /// 0 maps four times as often elsewhere, 20 a quarter as often and wastes 0.3 % more.
  std::uint32_t slack_per_mille = 5;

  /// Which free hole a lease gets; see `set_strategy`.
  AllocationStrategy strategy = AllocationStrategy::kBestFit;

  /// Memory is mapped in multiples of it from an address that is one. Where all that is leased is a multiple
  /// too, so are all addresses. A power of two, 512 at least and 2 MiB at the most.
  Bytes alignment{kBlockStep};

  /// The pool's own backend, where payloads are checked; null where they are not.
  CheckedBackend* checked = nullptr;
  GuardOptions guard{};

  /// Iterations that repeat are found, and served from a layout once somebody solved it: see
  /// `wants_solver`.
  bool plans = false;

  /// Called once the pool sees that a payload came back that was marked by `set_sampled`; with its lock
  /// held, as a rule. Calls nothing of the pool.
  std::function<void(const PayloadBlock&)> on_sampled_end = [](const PayloadBlock&) {};
};

/// threads  anyone
class PayloadPool {
 public:
  /// backend   outlives the pool
  PayloadPool(Backend& backend, MemoryKind kind, const PoolOptions& options = {});
  PayloadPool(Backend& backend, MemoryKind kind, Bytes budget)
      : PayloadPool(backend, kind, PoolOptions{.budget = budget}) {}
  PayloadPool(const PayloadPool&) = delete;
  PayloadPool& operator=(const PayloadPool&) = delete;
  /// Closes, if nobody did.
  ~PayloadPool();

  /// Leases `size` bytes, to be used on `stream` first.
  ///
  /// size     1 byte at least
  /// stream   of this backend; its work from now on may use the bytes
  /// returns  with Effort::kReuse an empty lease, where memory would have to be mapped
  /// errors   kBadArgument: no bytes, or no such stream; kUnsupported: the kind is not to be had;
  ///          kOverBudget, kOutOfMemory: with what is held; kDeviceRefused, kDeviceLost; kClosed
  /// cost     some 50 ns where a free block fits, whatever the size and the number of free blocks
  [[nodiscard]] Result<PayloadLease> lease(Bytes size, StreamId stream,
                                           SiteId site = SiteId::kUnknown,
                                           Effort effort = Effort::kGrow,
                                           ClientId client = ClientId::kNone);

  /// A lease that maps nothing: empty where memory would have to be mapped, or the request is one
  /// that `lease` refuses.
  [[nodiscard]] PayloadLease try_lease(Bytes size, StreamId stream, SiteId site = SiteId::kUnknown,
                                       ClientId client = ClientId::kNone);

  /// A lease whose bytes may be evicted while no `use` of them is under way. As `lease` otherwise.
  ///
  /// errors   kUnsupported: memory of the host, memory that cannot be mapped, checked payloads
  [[nodiscard]] Result<PayloadLease> lease_evictable(Bytes size, StreamId stream, SiteId site,
                                                     Effort effort, ClientId client);
  /// Work on `stream` is going to use an evictable payload: it stays where it is until the use ends.
  /// Brings it back where it was evicted; the host does not wait for that.
  ///
  /// block    an evictable one that is leased from this pool
  /// errors   kOutOfMemory, kOverBudget: its memory has no room; kDeviceRefused, kDeviceLost;
  ///          kBadArgument: no such stream; kAsleep, kClosed. It is where it was then.
  [[nodiscard]] Result<PayloadUse> use(PayloadBlock& block, StreamId stream, Effort effort);
  [[nodiscard]] bool owns(const PayloadBlock& block) const { return block.core == core_; }
  [[nodiscard]] bool has_evictables();
  /// Gives back what is idle, and then evicts, the coldest first, until a request would find room, or
  /// an evicted payload. The host waits for streams that use what is evicted.
  ///
  /// pinned   a pool where the bytes go as long as it has room; else, and where it is null, plain memory
  [[nodiscard]] EvictionOutcome evict_for(Bytes size, StreamId stream, PayloadPool* pinned);
  [[nodiscard]] EvictionOutcome evict_for_return(const PayloadBlock& block, PayloadPool* pinned);
  /// Evicts until so much is unmapped, or nothing is left that may be evicted.
  [[nodiscard]] EvictionOutcome evict(Bytes at_least, PayloadPool* pinned);
  /// Calls `work` while the pool cannot fall asleep; gives what it gave, or kAsleep.
  template <class Work>
  [[nodiscard]] Result<void> while_awake(Work work) {
    const Lock lock(core_->mutex);
    return sleeping_ != nullptr ? Result<void>(asleep_error()) : work();
  }

  /// How much a client may hold, and whether it passed its soft limit since that was last asked.
  void limit_client(ClientId client, std::string_view name, const ClientLimits& limits);
  [[nodiscard]] bool take_passed(ClientId client);

  /// Gives memory back until it is at least so much, or no whole idle piece is left. Addresses stay.
  ///
  /// wait     kAllowed: waits first until every stream is done with what was handed back
  /// returns  what was given back
  Bytes trim(Bytes at_least = kUnlimited, HostWait wait = HostWait::kNever);

  /// Whether a request of that size could succeed if everything else were handed back.
  [[nodiscard]] bool can_ever_fit(Bytes size) const;

  /// How many bytes others must hand back at the least before `size` fits, in this pool: no wait, no
  /// device call. 0 says that nothing counts against it.
  [[nodiscard]] Bytes shortfall(Bytes size);

  /// Bytes leased now, as rounded, and not evicted.
  [[nodiscard]] Bytes leased();
  /// Bytes mapped now.
  [[nodiscard]] Bytes reserved();

  /// The most bytes that may be mapped: the budget, or the backend's capacity.
  [[nodiscard]] Bytes limit() const { return Bytes{limit_.load(std::memory_order_relaxed)}; }

  /// Sets another budget. What is mapped beyond it and idle is given back; the host waits for streams.
  ///
  /// returns  what was given back
  /// errors   kOverBudget: more is leased; kBadArgument: more than there are addresses for, 16 times the
  ///          first budget as a rule; kAsleep, kClosed. Nothing changes then.
  [[nodiscard]] Result<Bytes> resize(Bytes budget);

  /// Places what is leased from now on so.
  void set_strategy(AllocationStrategy strategy);

  /// Whether an iteration was found for which a plan may be made. Never where the pool does not plan.
  [[nodiscard]] bool wants_solver() const;
  /// The iteration that was found last; also one that ended just now because nothing lives any more.
  ///
  /// cost     O(leases of the iteration), under the pool's lock
  [[nodiscard]] std::optional<Iteration> take_iteration();
  /// A plan for an iteration of this pool, made by `make_plan`; null is passed over. It is followed from
  /// the next such iteration on, and left where the program does something else.
  void offer(std::shared_ptr<const Plan> plan);

  [[nodiscard]] MemoryKind kind() const { return kind_; }
  [[nodiscard]] PoolStatistics statistics();
  /// What lies where; clients have no names yet.
  [[nodiscard]] PayloadMap map();
  /// Peaks are counted from what is live and reserved now.
  void reset_peaks();

  /// Checks every invariant of the pool and its parts.
  ///
  /// errors   kBadArgument, with the first thing that is not as it should be
  /// cost     O(blocks)
  [[nodiscard]] Result<void> verify();

  /// Gives all memory away and keeps the addresses, until `wake`. The host waits until all streams are
  /// done that leases and `used_on` named; nobody may use a payload in between. Leases may be handed
  /// back, and nothing can be leased.
  ///
  /// errors   kUnsupported: memory cannot be mapped, or payloads are checked; kBadArgument: asleep
  ///          already; kOutOfMemory, kFile: the bytes find no place; kDeviceRefused, kDeviceLost;
  ///          kClosed. The pool is awake then, with every byte.
  [[nodiscard]] Result<SleepReport> sleep(const SleepOptions& options = {});
  /// Takes memory back, and brings to the addresses what was kept of payloads that are still leased.
  ///
  /// errors   kBadArgument: awake; kOutOfMemory, kFile, kDeviceRefused, kDeviceLost; kClosed. The pool
  ///          is asleep then, with all that was kept, and can be woken again.
  [[nodiscard]] Result<WakeReport> wake();
  [[nodiscard]] bool is_asleep() const { return asleep_.load(std::memory_order_relaxed); }
  /// What a request is refused with meanwhile.
  [[nodiscard]] Error asleep_error() const;

  /// Ends the pool: waits for its streams, and gives memory and addresses up. Leases that are still
  /// out become inert; they may be looked at and destroyed at any later time. Twice is as good as
  /// once.
  ///
  /// returns  the leases that became inert
  std::uint64_t close();

 private:
  using Lock = std::scoped_lock<std::mutex>;
  // A lease has the lock, and whoever comes meanwhile sees it.
  class Turn;

  static constexpr std::uint16_t kIdleShelf = 0;
  static constexpr std::uint16_t kMixedShelf = 1;
  static constexpr std::uint16_t kFirstStreamShelf = 2;
  static constexpr std::uint16_t kPlanShelf = 0xFFFF;  // of slots; above those of streams

  // pool.cpp: what each lease and return goes through
  [[nodiscard]] bool may_lease(Bytes size, StreamId stream) const {
    return !size.is_zero() && size.count() <= at_once_ && !closed_ && epochs_.knows(stream);
  }
  [[nodiscard]] PayloadBlock* take_at_hand(std::uint64_t size, StreamId stream, SiteId site,
                                           const Lock& lock);
  [[nodiscard]] PayloadBlock* drain(std::uint64_t size, StreamId stream, const Lock& lock);
  void drain_all(const Lock& lock) {
    if (core_->caches != nullptr) {
      core_->caches->drain();
    }
    (void)drain(0, StreamId::kDefault, lock);
    if (core_->guard != nullptr) {
      drain_guarded(lock);
    }
    if (!evictables_.known.empty()) {
      drain_evictables();
    }
  }
  [[nodiscard]] PayloadBlock* take_own(std::uint64_t size, StreamId stream);
  [[nodiscard]] Result<PayloadBlock*> take_or_refuse(std::uint64_t size, StreamId stream,
                                                     Effort effort);
  PayloadLease count_out(PayloadBlock& block, Bytes size, StreamId stream, SiteId site,
                         ClientId client);
  PayloadLease hand_out(PayloadBlock& block, Bytes size, StreamId stream, SiteId site,
                        ClientId client);
  [[nodiscard]] bool is_over(ClientId client, Bytes size, const Lock& lock);
  void end_sample(PayloadBlock& block) {
    if (block.is_sampled()) [[unlikely]] {
      block.set_sampled(false);
      options_.on_sampled_end(block);
    }
  }
  void file(PayloadBlock& block);
  void file_recent() {
    recent_.take_all([this](PayloadBlock& block) { file(block); });
  }
  PayloadBlock& join_neighbours(PayloadBlock& block);
  void shelve(PayloadBlock& block);
  void unshelve(PayloadBlock& block);
  void cut(PayloadBlock& block, std::uint64_t size);
  [[nodiscard]] FreeIndex& shelf(std::uint16_t number);
  [[nodiscard]] std::uint16_t own_shelf(StreamId stream) const {
    return epochs_.has_several()
               ? static_cast<std::uint16_t>(kFirstStreamShelf + static_cast<std::uint32_t>(stream))
               : kIdleShelf;
  }
  [[nodiscard]] std::uint16_t shelf_for(const PayloadBlock& block) const {
    if (!epochs_.has_several() || block.uses.is_empty()) {
      return kIdleShelf;
    }
    return block.uses.is_single() ? own_shelf(block.uses.first().stream()) : kMixedShelf;
  }
  [[nodiscard]] PayloadBlock* best_fit_on(std::uint16_t number, std::uint64_t size) const;
  // What may be leased without a second look.
  void set_at_once();
  [[nodiscard]] static bool is_wilderness(const PayloadBlock& block) {
    return block.after != nullptr && block.after->after == nullptr &&
           block.after->is(BlockState::kUnmapped);
  }

  // pool_caches.cpp: what only pools go through whose threads contend
  void note_turn(bool met);
  void judge_caches();
  void begin_caching();
  void raise_peaks();
  void end_caching();
  [[nodiscard]] PayloadLease lease_kept(Bytes size, StreamId stream, SiteId site, ClientId client);
  [[nodiscard]] PayloadBlock* take_kept(std::uint64_t size, StreamId stream, const Lock& lock);
  [[nodiscard]] std::uint64_t make_inert();

  // pool_strategy.cpp: what only pools go through that do not fit best
  [[nodiscard]] Result<PayloadLease> lease_by_strategy(Bytes size, StreamId stream, SiteId site,
                                                       Effort effort, ClientId client,
                                                       const Lock& lock);
  [[nodiscard]] PayloadBlock* find_by_strategy(std::uint64_t size, StreamId stream) const;
  // A hole that is free for the stream, by whatever strategy.
  [[nodiscard]] PayloadBlock* take_fitting(std::uint64_t size, StreamId stream);

  // pool_streams.cpp: what only programs with several streams go through
  [[nodiscard]] Result<void> make_ready(Bytes size, StreamId stream);
  void begin_several();
  void end_uses(PayloadBlock& block);
  void file_among_streams(PayloadBlock& block);
  void settle(PayloadBlock& block);
  void note_seams_of(PayloadBlock& block);
  void settle_seams();
  void drop_stale_seams();
  [[nodiscard]] PayloadBlock* take_from_others(std::uint64_t size, StreamId stream,
                                               Result<void>& failure);
  [[nodiscard]] PayloadBlock* take_across_seams(std::uint64_t size, StreamId stream,
                                                Result<void>& failure);
  [[nodiscard]] bool may_be_ordered(StreamId stream, const PayloadBlock& block) const;
  [[nodiscard]] std::optional<Window> window_for(std::uint64_t size, StreamId stream,
                                                 std::uint64_t most_to_map) const;
  [[nodiscard]] Result<void> order_behind(StreamId stream, const PayloadBlock& block);

  // pool_guarded.cpp: what only pools of checked runtimes go through
  [[nodiscard]] Result<PayloadLease> lease_guarded(Bytes size, StreamId stream, SiteId site,
                                                   Effort effort, ClientId client,
                                                   const Lock& lock);
  void drain_guarded(const Lock& lock);
  void empty_quarantine();
  void take_from_guard(PayloadBlock& block);
  [[nodiscard]] Bytes kept() const {
    return core_->guard == nullptr ? Bytes{} : core_->guard->kept();
  }

  // pool_plan.cpp: what only pools that plan go through
  [[nodiscard]] PayloadBlock* take_at_hand_planning(std::uint64_t size, StreamId stream,
                                                    SiteId site, const Lock& lock);
  void note_empty();
  [[nodiscard]] bool is_moment_of(const Plan& plan, std::uint64_t key) const;
  void follow(StreamId stream);
  void shed_beside_plan();
  [[nodiscard]] bool plan_costs_memory(std::uint64_t size) const;
  [[nodiscard]] PayloadBlock* take_planned(std::uint64_t size, StreamId stream, std::uint64_t key);
  [[nodiscard]] PayloadBlock& slot_block(std::uint32_t slot);
  [[nodiscard]] bool order_slot(std::uint32_t slot, StreamId stream);
  void pass_uses_on(std::uint32_t slot);
  void note_return(PayloadBlock& block);
  void note_lease(PayloadBlock& block, StreamId stream, SiteId site);
  [[nodiscard]] bool is_planned_in_vain();
  [[nodiscard]] bool take_slot_back(PayloadBlock& block);
  void leave_plan();
  void strike();
  void dissolve_plan();
  template <class Visit>
  void for_each_slot(Visit visit) const {
    if (planning_ != nullptr && planning_->followed != nullptr) {
      for (PayloadBlock* const slot : planning_->followed->slots) {
        if (slot != nullptr) visit(*slot);
      }
    }
  }

  // pool_growth.cpp: what needs memory mapped or given back
  [[nodiscard]] Result<PayloadBlock*> take_with_effort(std::uint64_t size, StreamId stream,
                                                       Effort effort);
  [[nodiscard]] Result<PayloadBlock*> grow(std::uint64_t size, StreamId stream, Effort effort);
  [[nodiscard]] Result<PayloadBlock*> grow_by_segment(std::uint64_t size, Effort effort);
  [[nodiscard]] Result<void> make_room(std::uint64_t size, std::uint64_t to_map,
                                       const Window& window, Effort effort);
  [[nodiscard]] Result<PayloadBlock*> map_window(const Window& window, std::uint64_t size);
  [[nodiscard]] Result<PayloadBlock*> take_window(PayloadBlock& inside, std::byte* from,
                                                  std::uint64_t size, StreamId stream);
  [[nodiscard]] bool make_idle(Effort effort);
  std::uint64_t give_back_idle(std::uint64_t at_least, const Window& spared, std::uint64_t size);
  std::uint64_t give_back_inside(PayloadBlock& block, std::uint64_t most);

  // pool_sleep.cpp: what a pool goes through that gives its memory away for a while
  [[nodiscard]] Result<void> may_sleep() const;
  [[nodiscard]] Result<void> come_to_rest();
  [[nodiscard]] Mover mover() const;
  [[nodiscard]] Result<Bytes> keep_bytes(Sleeping& sleeping, const SleepOptions& options);
  [[nodiscard]] std::vector<Stretch> stretches_in_use() const;
  [[nodiscard]] std::vector<Stretch> stretches_gone() const;
  [[nodiscard]] Result<void> restore_all(const std::vector<Stretch>& stretches);
  [[nodiscard]] Result<Bytes> bring_bytes_back(const std::vector<Stretch>& stretches);
  void end_sleep(bool is_idle);

  // pool_evictable.cpp, pool_evict.cpp: what only pools with evictable payloads go through
  struct Leaver {
    Evictable* entry = nullptr;
    Stretch pieces{};
    StreamId stream{};  // of the copy
    Refuge refuge{};
  };
  [[nodiscard]] Result<void> may_have_evictables() const;
  void drain_evictables();
  void file_evicted(PayloadBlock& block, const Stretch& gone);
  [[nodiscard]] Result<void> order_behind_return(Evictable& entry, StreamId stream);
  [[nodiscard]] Result<void> bring_back(Evictable& entry, StreamId stream, Effort effort);
  [[nodiscard]] Result<void> restore_with_effort(const Stretch& gone, Effort effort);
  void drop_pages_left();
  void count_no_longer_evicted(std::uint64_t size);
  [[nodiscard]] EvictionOutcome evict_until_mappable(std::uint64_t to_map, const Window& spared,
                                                     std::uint64_t size, PayloadPool* pinned);
  [[nodiscard]] EvictionOutcome evict_coldest(std::uint64_t at_least, PayloadPool* pinned);
  [[nodiscard]] Stretch whole_pieces_of(const PayloadBlock& block) const;
  [[nodiscard]] Result<Leaver> copy_out(Evictable& entry, const Stretch& pieces,
                                        PayloadPool* pinned);
  [[nodiscard]] Result<void> copy_to_pinned(Leaver& leaver, PayloadPool& pinned);
  [[nodiscard]] Result<void> copy_to_pages(Leaver& leaver);
  [[nodiscard]] Result<void> order_behind_ongoing(StreamId stream, PayloadBlock& block);
  std::uint64_t finish_leaving(std::vector<Leaver>& leavers, EvictionOutcome& outcome);
  void end_evictables(bool is_idle);
  [[nodiscard]] std::string evictables_fault() const;

  // pool_report.cpp: what is said about it
  [[nodiscard]] Error client_refusal(ClientId client, Bytes size) const;
  [[nodiscard]] Error refusal(ErrorCode code, std::uint64_t size, const std::string& why) const;
  [[nodiscard]] std::string holders() const;
  [[nodiscard]] std::uint64_t largest_free() const;
  [[nodiscard]] std::uint64_t free_blocks() const;
  [[nodiscard]] std::string fault() const;

  Backend& backend_;
  const MemoryKind kind_;
  const KindTraits traits_;
  const PoolOptions options_;
  Bytes budget_;                      // guarded by the core's mutex
  std::atomic<std::uint64_t> limit_;  // bytes that may be mapped: budget and capacity; likewise
  AllocationStrategy strategy_;       // likewise
  std::uint64_t
      at_once_;  // may be leased without a second look; 0 with a guard, and asleep, and where
                 // another strategy than best fit decides

  PoolCore* core_;  // outlives the pool while leases do; its mutex guards what follows
  StreamEpochs epochs_;
  Tiling tiling_;
  RecentReturns recent_;  // not filed yet: no longer leased, and on no shelf
  std::vector<std::unique_ptr<FreeIndex>> shelves_;  // by number; null where nothing ever stood
  PayloadBlock* wilderness_ = nullptr;  // the free block below the endless unmapped one: used last
  std::vector<PayloadBlock*> seams_;    // lower blocks of seams, and some that no longer are
  const std::byte* placed_end_ = nullptr;  // of the last placement by a strategy, for next fit
  std::uint64_t peak_leased_ = 0;          // as rounded
  std::uint64_t moved_ = 0;                // bytes ever mapped elsewhere
  bool closed_ = false;
  Evictables evictables_;
  std::unique_ptr<Sleeping> sleeping_;  // null while awake
  std::atomic<bool> asleep_{false};     // the same, for those without the lock
  std::uint32_t heat_ = 0;              // of late, how often threads met at the lock
  std::uint32_t looks_alone_ = 0;       // in a row, at which one thread alone leased out of caches
  std::uint32_t misses_ = 0;       // leases that caches had nothing for, since they were judged
  std::uint64_t hits_judged_ = 0;  // leases out of caches, when they were judged
  std::uint32_t failures_ = 0;     // times in a row that caches were of no use
  std::uint32_t passes_ = 0;       // times that the heat is passed over before they are tried again
  ClientAccounts clients_;
  std::unique_ptr<Planning> planning_;   // null where the pool does not plan
  PoolStatistics counts_;                // all but what is worked out when asked for
  std::optional<ForkWatch> fork_watch_;  // ends before the core
};

}  // namespace tenure
