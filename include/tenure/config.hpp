// What a user may change, with its defaults. Every field is a row of one option table, which gives
// its name, its environment variable, its range and its help.
//
// Invariant: a configuration is checked as a whole. One that contradicts itself is refused by name;
// nothing is repaired in silence.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tenure/allocation_strategy.hpp"
#include "tenure/bytes.hpp"
#include "tenure/per_generation.hpp"
#include "tenure/result.hpp"

namespace tenure {

/// Who starts a collection, and who marks.
enum class Mode : std::uint8_t {
  kManual,       // the caller alone; past a full nursery objects are born old
  kAutomatic,    // the triggers; one stop each, but for markings that would pass the pause target
  kIncremental,  // the triggers; the oldest generation is marked in slices, paid by allocation
  kConcurrent,   // the triggers; a background thread marks it while mutators run
  kAdaptive,  // the triggers; one stop, slices or the thread, whichever the measured rates favour
};
[[nodiscard]] std::string_view to_string(Mode mode);

/// Who marks in full collections that are done in one stop.
enum class MarkerChoice : std::uint8_t {
  kAuto,  // the host; where payloads lie on a CUDA device, that or the host, by measured rates
  kHost,
  kCuda,  // the first CUDA device; the host where the device fails, which the report says
};
[[nodiscard]] std::string_view to_string(MarkerChoice choice);

/// What a runtime watches for its user, at a price. See `Config::check`.
enum class Check : std::uint8_t {
  kOff,
  kPayload,  // payloads: early reuse, double free, overrun, use after free, leaks
};
[[nodiscard]] std::string_view to_string(Check check);

/// Whether payloads are laid out ahead of time where requests repeat.
enum class PayloadPlans : std::uint8_t {
  kOff,
  kAwaited,  // layouts are made in Runtime::await_plans alone
  kOn,       // by a thread; in manual and incremental mode, which start none, as kAwaited
};
[[nodiscard]] std::string_view to_string(PayloadPlans plans);

/// How much of what a program allocates is watched; see profile.hpp. Each has what those before have.
enum class ProfileLevel : std::uint8_t {
  kNone,
  kBasic,          // counts, when they are asked for
  kDetailed,       // sites, lifetimes and patterns, from samples
  kComprehensive,  // an event for each object as well
};
[[nodiscard]] std::string_view to_string(ProfileLevel level);

/// How a runtime behaves. The defaults suit a program of a few gigabytes.
struct Config {
  Mode mode = Mode::kAutomatic;

  /// 1 to 8. With 1 there is no nursery, and nothing moves.
  std::uint32_t generations = 3;

  /// Collections that an object survives in one generation before it goes up one; 1 to 15. One for
  /// all, or one for each young generation, `generations` - 1 in all. By default they are learnt,
  /// except in manual mode: 3/3/2/2/2/2/2 at first and at the most, less while fewer than 30 % die
  /// in the last of those collections.
  PerGeneration promotion_age{};

  /// Generation k is collected with every n-th young collection; 0: never because its turn comes.
  /// One for each generation, the first of them 1, or one for all but the youngest. By default
  /// 1/10/50, then times 5. The oldest generation's turn waits until it has used up a quarter of its room since
  /// its last collection, and begins a cycle where the mode marks beside mutators.
  PerGeneration collection_ratio{};

  Bytes nursery{32u << 20};                   // what generation 0 takes before it is collected
  Bytes old_start{128u << 20};                // the oldest generation's first limit
  Bytes heap_limit{std::uint64_t{31} << 30};  // all objects together, without payloads
  Bytes large_object{32u << 10};              // objects at least this big are born old

  /// What no stop and no slice should pass, in microseconds. Young collections take on less, markings
  /// are spread over time; what is longer all the same is counted.
  std::uint64_t max_pause_us = 10'000;

  /// In automatic and adaptive mode a marking that would pass `max_pause_us` may be done in slices. Off:
  /// in one stop, or in adaptive mode by a thread where a core is free.
  bool incremental = true;

  /// Threads that share a collection's work, the collecting one included; 0: one a core, 16 at most.
  std::uint32_t gc_workers = 0;

  /// With kCuda a copy of the oldest generation is kept on the device. Markings beside running
  /// mutators are the host's in any case.
  MarkerChoice marker = MarkerChoice::kAuto;

  /// Objects of the oldest generation may move, so that sparse blocks are emptied and go back. Off:
  /// an object that got there stays where it is. With one generation nothing moves in any case.
  bool compaction = true;
  /// The share of holes in partly filled blocks above which a full collection compacts; 0 to 1.
  double compact_at = 0.3;

  /// Bytes a pool may map; kUnlimited leaves it to the backend's capacity.
  Bytes payload_budget = kUnlimited;

  /// Which free hole of a pool a payload gets.
  AllocationStrategy payload_strategy = AllocationStrategy::kBestFit;

  /// Stores note where old objects came to name younger ones. Off: they note nothing, and each young
  /// collection looks at all that is older instead. What marks beside mutators needs them on, so that
  /// incremental and concurrent mode, and a device's marker, are refused without; automatic and adaptive
  /// mode mark in one stop.
  bool write_barriers = true;

  /// Milliseconds between two looks at the machine's memory, by a thread that starts with the first
  /// `on_pressure` or `register_collector`: past 75, 90 and 97 % in use, or with tasks that wait for
  /// memory a tenth, three and six tenths of their time, callbacks are told; from 90 % on what is
  /// unused goes back, at 97 % after a full collection. 0: nobody looks; nor in manual and
  /// incremental mode, which start no threads.
  std::uint32_t watch_system_ms = 1'000;

  /// Milliseconds between two writings of the runtime's figures for `tenure top` and others that look on
  /// from outside (`live.hpp`), by a thread of its own. 0: nothing is written, and there is none.
  std::uint32_t publish_ms = 0;

  /// Requests for payloads that repeat, as in a training loop, are served from a layout.
  PayloadPlans plan_payloads = PayloadPlans::kOn;

  /// "auto", "host", a simulated device by its capacity, "sim:80GiB", or a CUDA device, "cuda:0".
  /// "auto" is the first CUDA device where the build and the machine have one, else the host.
  std::string device = "auto";

  /// Requests for a kind that the device has not are refused instead of answered by host memory.
  bool strict_memory_kind = false;

  /// The heap is verified after each collection; a fault stops the program with a sentence.
  bool verify = false;

  /// With kPayload a fault of the program's with its payloads stops it, with a sentence that names
  /// block, size, site and streams; what is leaked is in `CloseReport::leaks`, and on the error stream.
  /// Payloads lie between redzones of 512 bytes, are painted when they come back and kept from reuse
  /// for 64 MiB of others; the host waits for their streams then. Off, it costs nothing.
  Check check = Check::kOff;

  /// What is watched from the start; `set_profile_level` changes it.
  ProfileLevel profile = ProfileLevel::kNone;
  /// From kDetailed on one allocation is followed for every so many bytes, on average. 1: every one. From
  /// 64 KiB on it is fewer where samples would take more than a hundredth of their thread's time.
  Bytes sample_interval{512u << 10};
  /// The calls that led to it are noted too: some microseconds a sample.
  bool profile_stacks = true;

  /// Stress: a collection before every n-th allocation; 0 for none.
  std::uint64_t collect_every = 0;

  /// For everything that draws: fault injection, sampling, shuffles.
  std::uint64_t seed = 1;
};

/// Where a value comes from.
enum class ConfigSource : std::uint8_t { kDefault, kUser, kEnvironment };

/// One row of the option table, with the value in force.
struct ConfigRow {
  std::string_view name;         // "nursery"
  std::string_view environment;  // "TENURE_NURSERY"
  std::string_view range;        // "256KiB to 1GiB"
  std::string_view help;
  std::string value;
  ConfigSource source = ConfigSource::kDefault;
};

/// Reads "nursery=8MiB,mode=manual" over `base`.
///
/// errors   kBadConfig: names the option, the value, and what it may be
[[nodiscard]] Result<Config> parse_config(std::string_view text, const Config& base = {});

/// `base` with what the environment sets over it (TENURE_NURSERY=8MiB).
///
/// errors   kBadConfig: names the variable
[[nodiscard]] Result<Config> config_from_environment(const Config& base = {});

/// Whether the fields are each in range and agree with each other.
[[nodiscard]] Result<void> check_config(const Config& config);

/// Every option with its value and who set it.
[[nodiscard]] std::vector<ConfigRow> describe(const Config& config);

/// Reads "80GiB", "32 MiB", "512". Units are powers of two: B, KiB, MiB, GiB, TiB, or K, M, G, T.
///
/// errors   kBadArgument: no number, an unknown unit, or more than 2^64 bytes
[[nodiscard]] Result<Bytes> parse_bytes(std::string_view text);

}  // namespace tenure
