// Pressure on memory: how full everything is, who wants to know, and who else can free something.
//
//   runtime.on_pressure([&](const PressureCall& call) { cache.shrink(call.wanted); });
//   runtime.register_collector("python", [&](const PressureCall&) { collect_cycles_of_python(); });
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tenure/bytes.hpp"
#include "tenure/payload.hpp"

namespace tenure {

/// How near a limit is.
enum class PressureLevel : std::uint8_t {
  kNone,
  kModerate,  // three quarters are in use
  kHigh,      // nine tenths
  kCritical,  // 97 of 100, or a request was refused
};
[[nodiscard]] std::string_view to_string(PressureLevel level);

/// One pool: what is leased of what may be mapped.
struct PoolPressure {
  MemoryKind kind = MemoryKind::kHost;
  Bytes leased{};      // and not evicted
  Bytes limit{};       // budget or capacity, whichever is less
  double share = 0.0;  // of the limit
};

/// Everything at one moment.
struct Pressure {
  PressureLevel level = PressureLevel::kNone;  // of the largest share, or of the stall
  double share = 0.0;                          // the largest of the three kinds below
  std::vector<PoolPressure> pools;             // those that are open
  Bytes heap_used{};
  Bytes heap_limit{};
  double heap_share = 0.0;
  Bytes system_available{};  // of the machine, or of the process's control group where that is less
  Bytes system_total{};
  double system_share = 0.0;  // in use
  /// Of the last ten seconds, the part in which some task waited for memory, 0 to 1, as the kernel
  /// has it (pressure stall information); 0 where it says nothing.
  double system_stall = 0.0;
  /// What collections could give back at the most: payloads that objects came to own since the last
  /// full one.
  Bytes reclaimable{};
};

/// What somebody who can help is told.
struct PressureCall {
  PressureLevel level = PressureLevel::kNone;
  MemoryKind kind = MemoryKind::kHost;  // of the pool that is short
  ClientId client = ClientId::kNone;    // whose soft limit was passed; kNone: it is the pool's own
  Bytes wanted{};  // that would have to come back for the request at hand; 0: a level was passed
  bool of_system = false;  // it is the machine that is short, or the control group; kind is kHost
};

/// Runs on the thread that asks for memory, with no lock of the library held; of the machine's pressure
/// a thread of the library's tells (`watch_system_ms`). The thread that asks is away, as in `Away`: it may give up leases and handles, wait for other threads and run foreign code; it must
/// not touch objects. What it leases itself is refused where there is no room, without another round
/// of calls. One that throws is counted, and the others are called.
using PressureCallback = std::function<void(const PressureCall&)>;
enum class PressureCallbackId : std::uint64_t {};

/// What is done for a request that finds no room, in this order; what has not paid of late comes last,
/// just before the host waits.
enum class PressureStep : std::uint8_t {
  kDeviceCopy,       // a marker's copy of the heap on the device is given up
  kYoungCollection,  // skipped in manual mode, as the next one is
  kFullCollection,
  kForeignCollectors,
  kOtherPools,  // memory that other pools do not use is given back
  kEviction,   // cold payloads that may be evicted go to memory of the host; streams are waited for
  kCallbacks,  // of `on_pressure`
  kWait,       // the host waits for streams, so that holes can be mapped elsewhere
};
inline constexpr std::size_t kPressureSteps = 8;
/// "a young collection", "waiting for streams".
[[nodiscard]] std::string_view to_string(PressureStep step);

/// What a step did so far.
struct PressureStepStatistics {
  std::uint64_t runs = 0;
  std::uint64_t put_last = 0;  // times that others went first, as it had not paid
  std::uint64_t helped = 0;    // the request fitted after it
  Bytes gained{};              // that came back to the pool that was short, or left other pools
  std::uint64_t total_ns = 0;
};

struct PressureStatistics {
  std::uint64_t climbs = 0;    // requests that found no room at once
  std::uint64_t relieved = 0;  // of those, the ones that got their memory
  std::array<PressureStepStatistics, kPressureSteps> steps{};
  std::uint64_t level_calls = 0;  // times that a pool passed a level upwards, and somebody was told
  std::uint64_t system_calls = 0;  // times that the machine did
  std::uint64_t failures = 0;      // callbacks and foreign collectors that threw
  std::string failure;             // what the last of them said
};

}  // namespace tenure
