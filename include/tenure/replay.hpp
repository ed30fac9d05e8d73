// Allocation traces of real programs, run through the real pools and heap. The format is the gzip
// CSV that docs/trace_format.md describes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tenure/bytes.hpp"
#include "tenure/config.hpp"
#include "tenure/result.hpp"
#include "tenure/statistics.hpp"

namespace tenure {

class Runtime;
class TraceData;  // core/observe

/// A trace that was read and adds up: every free names a live block with its bytes.
class Trace {
 public:
  /// Reads a trace, gzip or plain.
  ///
  /// errors   kFile: cannot be read; kBadTrace: one sentence that names file and line
  [[nodiscard]] static Result<Trace> read(const std::string& path);
  explicit Trace(std::shared_ptr<const TraceData> data) : data_(std::move(data)) {}

  [[nodiscard]] std::string_view name() const;
  [[nodiscard]] std::uint64_t events() const;  // allocations and frees, the prologue included
  [[nodiscard]] std::uint64_t allocations() const;
  [[nodiscard]] std::uint32_t streams() const;
  [[nodiscard]] Bytes peak_live() const;  // bytes asked for and not yet freed, at the most
  [[nodiscard]] Bytes final_live() const;
  [[nodiscard]] Bytes recorded_peak_reserved() const;  // by whoever was recorded; 0 if not said
  [[nodiscard]] const TraceData& data() const { return *data_; }

 private:
  std::shared_ptr<const TraceData> data_;
};

/// Who ends a tensor's life.
enum class Lifetimes : std::uint8_t {
  kExplicit,   // the trace: each free hands the bytes back
  kCollected,  // the collector: a free only drops the last root, and it must be found
};
[[nodiscard]] std::string_view to_string(Lifetimes lifetimes);

/// Who places what the trace asks for.
enum class Policy : std::uint8_t {
  kNative,             // a runtime's own pools
  kPyTorch,            // models of others (core/policy): of memory alone, without time
  kPyTorchExpandable,  // PyTorch with expandable_segments:True
  kCuPy,
  kPowerOfTwo,
};
inline constexpr Policy kAllPolicies[] = {Policy::kNative, Policy::kPyTorch,
                                          Policy::kPyTorchExpandable, Policy::kCuPy,
                                          Policy::kPowerOfTwo};
/// "native", "pytorch", "expandable", "cupy", "pow2".
[[nodiscard]] std::string_view to_string(Policy policy);
/// errors   kBadArgument: no policy is called so
[[nodiscard]] Result<Policy> parse_policy(std::string_view name);

/// Which streams the trace's events are on.
enum class ReplayStreams : std::uint8_t {
  kAsRecorded,
  kOne,  // all on the default stream
};

inline constexpr std::uint32_t kMostReplayThreads = 256;

struct ReplayOptions {
  Lifetimes lifetimes = Lifetimes::kExplicit;
  Policy policy = Policy::kNative;
  ReplayStreams streams = ReplayStreams::kAsRecorded;
  std::uint32_t repetitions = 1;  // of the whole trace; in between, all that lives is dropped
  Bytes capacity = kUnlimited;    // of payload memory, beside what the device and the budget allow
  /// Block b is leased by thread b mod `threads` and handed back by the next one; each thread has
  /// streams of its own. The prologue is played by one.
  std::uint32_t threads = 1;
  Config config;  // the device is its `device`; of the native policy
  /// Called now and then with events done and events in all.
  std::function<void(std::uint64_t, std::uint64_t)> progress;
  /// Called with the runtime where the last event was played and nothing was dropped yet; what it fails
  /// with the replay fails with. Of the native policy.
  std::function<Result<void>(Runtime&)> at_end;
};

/// One time through a trace, from nothing live to nothing live.
struct RepetitionReport {
  double seconds = 0;  // of the events after the prologue; 0 of a model
  Bytes peak_reserved{};
  double utilisation = 0;  // the trace's peak live / peak reserved
  std::uint64_t leases = 0;
  std::uint64_t planned_leases = 0;  // that a plan had a place for
};

/// What a replay cost in memory and time, against what the trace had live.
struct ReplayReport {
  std::string trace;
  std::string device;
  Lifetimes lifetimes = Lifetimes::kExplicit;
  Policy policy = Policy::kNative;
  std::vector<RepetitionReport> repetitions;
  std::uint64_t events = 0;     // after the prologues, which are not timed
  double seconds = 0;           // of the events
  double recorded_seconds = 0;  // that the program took when it was recorded; 0 if not said
  double events_per_second = 0;
  Bytes peak_live{};         // by the trace: asked for and not yet freed
  Bytes peak_leased{};       // by the pool, as asked for: with what the collector had yet to find
  Bytes peak_reserved{};     // mapped by the pool
  double utilisation = 0;    // peak live / peak reserved
  double fragmentation = 0;  // at the end of the trace
  std::uint64_t collections = 0;
  std::uint64_t full_collections = 0;
  double collection_seconds = 0;  // mutators stood still
  PauseHistogram pauses;
  std::uint32_t threads = 1;
  PauseHistogram
      leases_ns;  // of each lease and return, by more threads than one, with 30 to 50 ns for
  PauseHistogram returns_ns;  // looking at the clock
  std::uint64_t device_waits = 0;
  std::uint64_t leaked_blocks = 0;  // leased still after all was dropped and collected
};

/// Replays a trace in a runtime of its own. Where payloads are planned, layouts are made between two
/// repetitions: a trace has no work of its own beside which they would become ready, and two replays are
/// the same.
///
/// errors   those of Runtime::open and of allocation, with the event's line; kBadArgument: collected
///          lifetimes for a model, which has no collector, or for several threads; no repetitions
[[nodiscard]] Result<ReplayReport> replay(const Trace& trace, const ReplayOptions& options);

}  // namespace tenure
