// A device that is not there: memory of a stated capacity, in-order streams on a virtual clock, and
// faults on demand. What it is asked for really happens, but as late as the clock says, so that bytes
// reused too early are seen to be wrong.
//
// Host and device share one clock. It moves by what calls cost, by `advance`, and by `synchronize`;
// work of a stream goes on meanwhile. Copies, fills and effects happen at the virtual end of their
// work, in the order of their ends.
//
// Addresses are real. Mapped pieces can be read and written by the host, which tests use; memory is
// taken from the machine as it is touched, so that 80 GiB cost nothing until then.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/backend/backend.hpp"
#include "core/backend/fork_watch.hpp"
#include "host/fault_plan.hpp"
#include "host/mapped_ranges.hpp"
#include "host/use_order.hpp"
#include "host/virtual_streams.hpp"

namespace tenure {

/// What calls cost the host, and what copies cost the device, in virtual time. The defaults are those
/// of data-centre devices of the last years.
struct SimulatedCosts {
  /// Source: rapidsai/rmm pull request 284 (66 us a cudaMalloc); cuMemCreate, cuMemMap and
  /// cuMemSetAccess together ask the driver for the same.
  std::uint64_t map_ns = 66'000;
  std::uint64_t unmap_ns = 66'000;
  /// Source: NVIDIA/NVTX issue 3 (V100, CUDA 10.2: 4 million records a second, without timing).
  std::uint64_t record_ns = 250;
  /// Source: facebookincubator/velox pull request 6096 (RTX 3080: 3 us from stream to stream, 3 us a
  /// launch).
  std::uint64_t wait_ns = 3'000;
  std::uint64_t launch_ns = 3'000;
  /// Source: NVIDIA A100 80GB datasheet: PCIe 4.0 x16, 31.5 GB/s one way; memory, 2,039 GB/s, half
  /// of it reading. 0 is at once.
  std::uint64_t bus_bytes_per_us = 31'500;
  std::uint64_t device_bytes_per_us = 1'000'000;

  /// Nothing costs anything: time passes by `advance` alone.
  [[nodiscard]] static constexpr SimulatedCosts free() { return {0, 0, 0, 0, 0, 0, 0}; }
};

struct SimulatedOptions {
  Bytes capacity{std::uint64_t{80} << 30};  // of device and unified memory together
  Bytes host_capacity = kUnlimited;         // of host and pinned memory; the machine's at the most
  Bytes granularity{std::uint64_t{2} << 20};  // of device and unified memory; that of cuMemMap
  std::array<bool, kMemoryKinds> can_map{true, true, true, true};
  SimulatedCosts costs;
  double jitter = 0;          // work takes up to this share longer, drawn from the seed
  bool keeps_waits = true;    // for `waits`; a long run has no end of them
  bool checks_order = false;  // for `order_faults`; keeps a clock for each event
  std::uint64_t seed = 1;
};

/// A wait that was put on a stream.
struct WaitRecord {
  StreamId waiter = StreamId::kDefault;
  StreamEvent event;
};

/// threads  anyone; effects run on the thread that moves the clock past them, one at a time, without
///          a lock held. What an effect asks of the device takes no time; it may not move the clock,
///          nor wait for another thread, whose calls wait until it is over.
class SimulatedDevice final : public Backend {
 public:
  explicit SimulatedDevice(const SimulatedOptions& options);
  /// For tests: calls and copies cost nothing, so that time passes by `advance` alone; the order of
  /// uses is checked.
  explicit SimulatedDevice(Bytes capacity);
  ~SimulatedDevice() override;

  [[nodiscard]] std::string name() const override;
  [[nodiscard]] KindTraits traits(MemoryKind kind) const override;
  [[nodiscard]] Result<AddressRange> reserve(MemoryKind kind, Bytes size) override;
  void release(const AddressRange& range) override;
  [[nodiscard]] Result<void> map(const AddressRange& range, Bytes offset, Bytes size) override;
  void unmap(const AddressRange& range, Bytes offset, Bytes size) override;
  [[nodiscard]] Result<std::byte*> allocate(MemoryKind kind, Bytes size) override;
  void deallocate(MemoryKind kind, std::byte* base, Bytes size) override;
  [[nodiscard]] Result<StreamId> make_stream() override;
  [[nodiscard]] bool has_stream(StreamId stream) const override;
  [[nodiscard]] Result<StreamEvent> record(StreamId stream) override;
  [[nodiscard]] std::uint64_t reached(StreamId stream) override;
  [[nodiscard]] Result<void> wait(StreamId waiter, StreamEvent event) override;
  [[nodiscard]] Result<void> synchronize(StreamEvent event) override;
  [[nodiscard]] Result<void> copy(StreamId stream, std::byte* to, const std::byte* from,
                                  Bytes size) override;
  [[nodiscard]] Result<void> fill(StreamId stream, std::byte* to, std::byte value,
                                  Bytes size) override;

  /// Puts work on a stream. It takes `duration_ns` of the device, and `effect`, if any, happens at its
  /// end; a kernel that writes its output, say. Throws nothing.
  ///
  /// uses     what it reads and writes; a view alone is written. Must stay mapped until then, which
  ///          is checked when they are unmapped; see also `order_faults`
  /// errors   kBadArgument: no such stream; kDeviceRefused; kDeviceLost
  [[nodiscard]] Result<void> submit(StreamId stream, std::uint64_t duration_ns,
                                    std::function<void()> effect = {},
                                    std::vector<DeviceUse> uses = {});
  /// Takes a stream away, as its owner would. Work on it goes on, and its events stay.
  void end_stream(StreamId stream);

  /// Lets time pass.
  void advance(std::uint64_t time_ns);
  /// Lets time pass until all work is done, also what effects submit.
  void advance_until_idle();
  /// The clock, which host and device share.
  [[nodiscard]] std::uint64_t host_now_ns() const;

  /// All waits that were put on streams, in their order.
  [[nodiscard]] std::vector<WaitRecord> waits() const;
  /// Uses of the same bytes, at least one of them a write, that neither their stream, nor waits, nor
  /// what the host saw reached puts in order: in sentences, the first hundred. Empty where the order
  /// is not checked.
  [[nodiscard]] std::vector<std::string> order_faults() const;
  /// How often a call was made, refused ones included.
  [[nodiscard]] std::uint64_t count(BackendCall call) const;
  [[nodiscard]] Bytes mapped(MemoryKind kind) const;

  /// The n-th such call from now fails, 1 being the next. kDeviceLost loses the device there.
  void fail(BackendCall call, std::uint64_t nth, ErrorCode code = ErrorCode::kDeviceRefused);
  /// Every call that can fail does so with this probability, until it is set to 0.
  void fail_randomly(double probability, std::uint64_t seed);
  /// The device is gone: work in flight is never done, and all that can fail does, from now on. What
  /// it held can still be released.
  void lose();

 private:
  using Lock = std::unique_lock<std::mutex>;

  [[nodiscard]] Lock take_turn() const;
  void begin_child();
  void pass_time(Lock& lock, std::uint64_t time_ns);
  [[nodiscard]] std::optional<Error> enter(Lock& lock, BackendCall call, std::uint64_t cost_ns);
  void enter_surely(Lock& lock, BackendCall call, std::uint64_t cost_ns);
  void lose(Lock& lock);

  [[nodiscard]] std::optional<Error> refuse_stream(StreamId stream, BackendCall call) const;
  [[nodiscard]] std::optional<Error> refuse_event(StreamEvent event, BackendCall call) const;
  [[nodiscard]] std::optional<Error> refuse_access(const std::byte* address, Bytes size,
                                                   BackendCall call) const;
  void require_unused(const std::byte* base, Bytes size, BackendCall call) const;
  [[nodiscard]] std::uint64_t transfer_ns(const std::byte* to, const std::byte* from,
                                          Bytes size) const;
  void submit_locked(StreamId stream, std::uint64_t duration_ns, Effect effect);

  const SimulatedOptions options_;
  mutable std::mutex mutex_;
  mutable std::condition_variable turn_;  // an effect is over
  std::thread::id runner_;                // whose effects run now; guarded by mutex_
  MappedRanges ranges_;                   // guarded by mutex_
  VirtualStreams streams_;                // guarded by mutex_
  FaultPlan faults_;                      // guarded by mutex_
  UseOrder order_;                        // guarded by mutex_; idle unless it is checked
  std::vector<WaitRecord> waits_;         // guarded by mutex_
  std::uint64_t works_ = 0;               // submitted so far; guarded by mutex_
  bool is_lost_ = false;                  // guarded by mutex_
  ForkWatch fork_watch_{
      ForkRank::kBackend,
      {[this] { mutex_.lock(); }, [this] { mutex_.unlock(); }, [this] { begin_child(); }}};
};

}  // namespace tenure
