// The front door: a runtime owns a heap, its pools and its backend.
//
//   Runtime runtime = value_or_throw(Runtime::open());
//   Mutator mutator(runtime);
//   Local<Node> root = make<Node>(mutator);
//   root->left = make<Node>(mutator);
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tenure/bytes.hpp"
#include "tenure/config.hpp"
#include "tenure/finalizer.hpp"
#include "tenure/leak.hpp"
#include "tenure/make.hpp"
#include "tenure/memory_hints.hpp"
#include "tenure/mutator.hpp"
#include "tenure/payload.hpp"
#include "tenure/pinned.hpp"
#include "tenure/pressure.hpp"
#include "tenure/result.hpp"
#include "tenure/root_callback.hpp"
#include "tenure/roots.hpp"
#include "tenure/sleep.hpp"
#include "tenure/statistics.hpp"
#include "tenure/weak.hpp"
#include "tenure/weak_map.hpp"

namespace tenure {

class RuntimeState;  // core/runtime

/// What to collect.
enum class Collect : std::uint8_t {
  kYoung,  // generation 0
  kFull,   // every generation; afterwards what is reachable is left, and nothing else
};

/// What a runtime left behind when it was closed.
struct CloseReport {
  std::uint64_t payloads_returned = 0;    // owned by objects, handed back by closing
  std::uint64_t leases_outstanding = 0;   // held by the program still; inert from now on
  std::uint64_t handles_outstanding = 0;  // likewise
  std::uint64_t pins_outstanding = 0;     // likewise
  std::uint64_t finalizers_run = 0;       // by closing: all that were set or waiting
  std::uint64_t finalizers_failed = 0;    // of those, the ones that threw
  std::uint64_t finalizers_left = 0;      // not run: set again and again by others that ran
  std::vector<PayloadLeak> leaks;         // with check=payload; the largest first
};

/// One heap, its pools and its backend.
///
/// In the child of a fork the pools of host memory are there: payloads may be handed back, leased,
/// written, trimmed, and the runtime closed. Its objects stayed with the parent, with the threads that
/// a heap needs: nothing of them may be touched there, and collections are refused. A context of CUDA
/// does not outlive a fork. Not to be forked in a signal handler that interrupted one of our calls.
///
/// threads  all calls: anyone, unless they say otherwise
class Runtime {
 public:
  /// Opens a runtime. What the environment sets (TENURE_NURSERY=8MiB) goes over `config`.
  ///
  /// errors   kBadConfig; kUnsupported: no such device here; kOutOfMemory: no address space
  [[nodiscard]] static Result<Runtime> open(const Config& config = {});
  Runtime(Runtime&&) noexcept;
  Runtime& operator=(Runtime&&) noexcept;
  /// Closes, if nobody did.
  ~Runtime();

  /// Ends the runtime: all finalizers run, payloads go back, threads and mappings end. Twice is as
  /// good as once.
  ///
  /// Leases and handles that are left become inert. All mutators must be gone, but for the
  /// caller's own: a thread that still works in a closed heap is a bug and stops the program.
  CloseReport close();
  [[nodiscard]] bool is_open() const;

  /// Collects now. Mutators stop meanwhile.
  ///
  /// errors   kClosed
  Result<CollectionReport> collect(Collect what = Collect::kFull);

  /// Collects generations 0 to `last` now; the oldest for a full collection.
  ///
  /// errors   kBadArgument: there is no such generation; kClosed
  Result<CollectionReport> collect_up_to(std::uint32_t last);

  /// Collects everything, packs the oldest generation as closely as pins allow, whatever its
  /// fragmentation, and gives the memory of emptied regions back to the system.
  ///
  /// errors   kUnsupported: compaction is off, or there is one generation; kClosed
  Result<CollectionReport> compact();

  /// Asks `callback` for roots in each collection from now on, once in each of its stops. A
  /// safepoint, as its removal is: what it is to name, it names once it was added.
  ///
  /// name     for reports: what a path that starts here says
  /// threads  anyone but a root callback
  RootCallbackId add_root_callback(RootCallback callback, std::string name = {});
  /// Never asks it again; what it captured may end once this returns.
  ///
  /// returns  false where there is no such callback
  /// threads  anyone but a root callback
  bool remove_root_callback(RootCallbackId id);

  /// Leases payload memory without an object.
  ///
  /// errors   kBadArgument: no bytes; kUnsupported: that kind, with strict_memory_kind;
  ///          kOutOfMemory: the ladder was climbed to its end; kClosed
  [[nodiscard]] Result<PayloadLease> lease(Bytes size, const LeaseOptions& options = {});

  /// The bytes of a lease, for work that is about to be put on `stream`. An evictable payload is brought
  /// back where it was evicted, stays where it is until the use ends, and counts as used by `stream`
  /// from now on. The copy that brings it back comes first on that stream, and before other streams
  /// that ask; the host waits for neither, and must wait for `stream` itself before it reads. Any other
  /// payload is used as by `used_on`.
  ///
  /// errors   kBadArgument: nothing is owned, or it is another runtime's; kOutOfMemory, kOverBudget: the
  ///          ladder was climbed to its end for the memory; kDeviceRefused, kDeviceLost; kAsleep;
  ///          kClosed. The bytes are where they were then, and nothing is lost.
  /// cost     a lock and some 50 ns where the bytes are resident; else mapping, and a copy
  /// threads  anyone who keeps the lease from being given up meanwhile
  [[nodiscard]] Result<PayloadUse> use(PayloadLease& lease, StreamId stream);

  /// Has pages of a unified payload move to a side, in stream order. A hint: no bytes depend on it, and
  /// a device's refusal is no error. Other kinds do not move.
  ///
  /// bytes    of a payload that stays leased until `stream` has done so; pages that they share with
  ///          other payloads go along
  /// errors   kBadArgument: no such stream; kDeviceLost; kClosed
  [[nodiscard]] Result<HintOutcome> prefetch(const PayloadView& bytes, MemorySide side,
                                             StreamId stream);
  /// Says what to expect of a unified payload's pages from now on, also once others have them. A hint.
  ///
  /// errors   kDeviceLost; kClosed
  [[nodiscard]] Result<HintOutcome> advise(const PayloadView& bytes, MemoryAdvice advice);

  /// How full everything is: pools, heap and machine.
  ///
  /// cost     some 100 us: a dozen small files, and a lock a pool
  [[nodiscard]] Pressure pressure() const;

  /// Calls `callback` when a pool passes a level on its way up, and for a request that would be
  /// refused otherwise, with what it needs. Levels are looked at where a pool grows.
  ///
  /// threads  anyone; the callback runs on whichever thread asks for memory, on several at a time
  PressureCallbackId on_pressure(PressureCallback callback);

  /// Makes another garbage collector of the process known, one whose garbage holds payloads of this
  /// runtime: it is asked to collect once a pool is nine tenths full, and before a request is
  /// refused. While that gives nothing back, other steps go first.
  ///
  /// name     for reports
  /// threads  as above
  PressureCallbackId register_collector(std::string name, PressureCallback collect);

  /// Ends either: it is not called again, and no other thread runs it any more.
  ///
  /// returns  false where there is none
  bool remove_pressure_callback(PressureCallbackId id);

  /// Whether work on `stream` may use these bytes now: they lie in one payload that is leased, and it
  /// is leased for that stream or was told of it by `used_on`. For asserting before a launch.
  ///
  /// errors   kBadArgument: says what is wrong, and names the payload; kUnsupported: without
  ///          check=payload nothing is known
  /// cost     a lock, and O(log payloads)
  [[nodiscard]] Result<void> check_use(const PayloadView& bytes, StreamId stream) const;

  /// Uses a nursery of another size from the next young collection on.
  ///
  /// nursery  256 KiB at least, and at most what was reserved: 256 MiB, or what it began with
  /// errors   kBadArgument; kClosed
  Result<void> resize_nursery(Bytes nursery);

  /// Makes a client known, for limits and figures of its own. The same name gives the same client.
  ///
  /// errors   kBadArgument: no name, or 65,535 clients are known
  [[nodiscard]] Result<ClientId> make_client(std::string_view name);

  /// Sets how much of a memory kind a client may hold from now on. What it holds already stays.
  ///
  /// errors   kBadArgument: no such client, or soft above hard; kUnsupported: that kind, with
  ///          strict_memory_kind; kClosed
  Result<void> limit_client(ClientId client, MemoryKind kind, const ClientLimits& limits);

  /// A new stream of the backend, in order by itself and not ordered with others.
  [[nodiscard]] Result<StreamId> make_stream();

  /// Has the host wait until all work that was put on `stream` so far is done.
  ///
  /// errors   kBadArgument: no such stream; kDeviceRefused; kDeviceLost; kClosed
  [[nodiscard]] Result<void> synchronize(StreamId stream);

  /// The number of a stream that others made, such as PyTorch. The same handle gives the same number:
  /// whoever made it destroys it after the runtime's end, as PyTorch and CuPy's pools of streams do.
  ///
  /// native   a cudaStream_t on a CUDA device; elsewhere any address, that only tells streams apart.
  ///          Null is the default stream
  /// errors   kBadArgument: cudaStreamPerThread; kDeviceRefused; kDeviceLost; kClosed
  /// cost     a lock that readers share
  [[nodiscard]] Result<StreamId> adopt_stream(void* native);

  /// Gives memory back that nothing uses: free payload blocks, empty regions.
  ///
  /// returns  the bytes given back
  Bytes trim();

  /// Gives all memory of a kind's pool away and keeps its addresses, until `wake`. What payloads hold
  /// is kept as `options` say; free memory goes for good.
  ///
  /// The host waits first for all work on streams that leases and `used_on` named. From then on no
  /// payload of that kind may be touched, by host or device; work that nobody named must be over. Leases
  /// may be handed back, tensors may die, and nothing can be leased: kAsleep. While bytes are copied
  /// out the host holds both.
  ///
  /// errors   kBadArgument: asleep already; kUnsupported: that kind is not to be had, its memory cannot
  ///          be mapped, or payloads are checked; kOutOfMemory, kFile: the bytes find no place;
  ///          kDeviceRefused, kDeviceLost; kClosed. The pool is awake then, with every byte.
  /// cost     a copy of what is kept, and a call of the backend for each stretch without a gap; other
  ///          threads that lease that kind wait for the end of it
  Result<SleepReport> sleep(MemoryKind kind, const SleepOptions& options = {});

  /// Has memory behind the addresses again, and in it what was kept of payloads that are still there.
  ///
  /// errors   kBadArgument: it is awake; kOutOfMemory: others have the memory; kFile, kDeviceRefused,
  ///          kDeviceLost; kClosed. The pool is asleep then, with all that was kept: try again.
  /// cost     as above
  Result<WakeReport> wake(MemoryKind kind);

  [[nodiscard]] Statistics statistics() const;

  /// Has the pools count their peaks, `peak_live` and `peak_reserved`, from what is there now.
  void reset_peaks();

  /// Waits until the layouts of payloads that are being made are ready; where the mode starts no
  /// threads, makes them. Programs need not call it: a layout is taken up once it is there.
  ///
  /// cost   up to about a second a pool
  void await_plans();
  [[nodiscard]] const Config& config() const;
  /// Every option with its value and who set it.
  [[nodiscard]] std::vector<ConfigRow> describe() const;

  /// For the library's own rooms.
  [[nodiscard]] RuntimeState& state() const { return *state_; }

 private:
  explicit Runtime(std::unique_ptr<RuntimeState> state);
  std::unique_ptr<RuntimeState> state_;
};

}  // namespace tenure
