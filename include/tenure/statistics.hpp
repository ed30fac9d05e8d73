// What a runtime did, as values: copies that never change once they are taken.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tenure/allocation_strategy.hpp"
#include "tenure/bytes.hpp"
#include "tenure/payload.hpp"
#include "tenure/pressure.hpp"

namespace tenure {

inline constexpr std::uint32_t kMaxGenerations = 8;

/// Why a collection began.
enum class CollectionTrigger : std::uint8_t {
  kAllocationPressure,  // the nursery is full
  kExplicitRequest,     // somebody asked
  kPeriodic,            // an older generation's turn came
  kPromotionThreshold,  // the oldest generation passed its limit
  kLargeObject,         // a large request found no room
  kDevicePressure,      // a payload pool would have grown, or has no room
  kSystemPressure,      // the machine is short of memory
  kForeignRequest,      // another collector of the process let go of something
};
inline constexpr std::size_t kTriggers = 8;
[[nodiscard]] std::string_view to_string(CollectionTrigger trigger);

/// Durations in buckets a sixteenth of their size wide, so that a percentile is right to 6 per cent
/// and a histogram is 8 KiB whatever it has seen.
///
/// threads  one writer; copies are values
class PauseHistogram {
 public:
  void add(std::uint64_t nanoseconds);
  /// All that `other` has seen.
  void add_all(const PauseHistogram& other);
  /// What was added since `earlier` was copied from this one. Where the longest of all came before,
  /// the longest since is known to its bucket.
  [[nodiscard]] PauseHistogram since(const PauseHistogram& earlier) const;

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::uint64_t total_ns() const { return total_ns_; }
  [[nodiscard]] std::uint64_t max_ns() const { return max_ns_; }

  /// The duration that `percent` of all do not pass: the upper end of its bucket, `max_ns()` at
  /// most. 0 where nothing was added.
  [[nodiscard]] std::uint64_t percentile_ns(double percent) const;

  /// How many were longer; those in the bucket of `nanoseconds` itself do not count.
  [[nodiscard]] std::uint64_t count_above(std::uint64_t nanoseconds) const;

 private:
  static constexpr std::size_t kSteps = 16;
  static constexpr std::size_t kBuckets = 61 * kSteps;

  [[nodiscard]] static std::size_t bucket_of(std::uint64_t nanoseconds);
  [[nodiscard]] static std::uint64_t upper_end(std::size_t bucket);

  std::array<std::uint64_t, kBuckets> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t total_ns_ = 0;
  std::uint64_t max_ns_ = 0;
};

/// Markings of the oldest generation that were spread over time.
struct CycleStatistics {
  std::uint64_t begun = 0;
  std::uint64_t ended = 0;         // each is a full collection
  std::uint64_t abandoned = 0;     // a collection in one stop took their place
  std::uint64_t ends_put_off = 0;  // stops that had no time to end one
  std::uint64_t marking_ns = 0;    // from begin to end, of those that ended
  std::uint64_t objects_marked = 0;
  std::uint64_t cards_read = 0;         // again, because something was stored there
  std::uint64_t cards_read_beside = 0;  // of these, while mutators ran
  Bytes bytes_allocated{};              // by mutators, while one was under way
  // Of those whose references a device followed: how often and how much was copied to it while mutators
  // ran, before they began, and what was left for the stops in which they did.
  std::uint64_t on_device = 0;
  std::uint64_t copy_rounds = 0;
  Bytes copied_beside{};
  Bytes copied_in_stops{};
  PauseHistogram slices;  // that mutators marked for, in incremental marking
};

/// One collection, from stop to go.
struct CollectionReport {
  /// `collected` of a stop that only began a cycle, or failed to end one.
  static constexpr std::uint32_t kNothing = ~std::uint32_t{0};

  std::uint32_t collected = 0;         // the generations 0 to this one, or kNothing
  bool full = false;                   // the oldest generation was marked too
  std::uint32_t evacuated = kNothing;  // the young generations 0 to this one, in the same stop
  CollectionTrigger trigger = CollectionTrigger::kExplicitRequest;
  std::uint64_t began_ns = 0;  // by the platform's clock: the stop, or the marking that it ended
  std::uint64_t ended_ns = 0;  // the end of the stop
  std::uint64_t pause_ns = 0;  // mutators stood still
  std::uint64_t to_safepoint_ns = 0;   // from the request until they did
  std::uint64_t objects_copied = 0;    // within young generations
  std::uint64_t objects_promoted = 0;  // one generation up, the oldest included
  std::uint64_t objects_held = 0;      // found no room, or are pinned, and stayed
  std::uint64_t objects_marked = 0;    // in the oldest generation; 0 in young collections
  std::uint64_t marking_began_ns = 0;  // of a full collection in one stop, by the platform's clock
  std::uint64_t marking_ns = 0;        // and how long it took: the marking alone
  bool marked_on_device = false;
  std::string marker_fallback{};  // why a device's marker had the host mark; else empty
  std::uint32_t copy_rounds = 0;  // in which a cycle's device was sent a copy beside mutators
  Bytes copied_beside{};          // in these
  Bytes copied_in_stop{};         // in the stop in which the cycle began
  Bytes bytes_copied{};
  Bytes bytes_promoted{};
  std::array<Bytes, kMaxGenerations> bytes_before{};           // used, by generation
  std::array<std::uint64_t, kMaxGenerations> promoted_from{};  // objects, by where they came from
  /// Of these, those that went to the oldest generation as there was no room in the one they were for.
  std::array<std::uint64_t, kMaxGenerations> promoted_early{};
  std::array<Bytes, kMaxGenerations> bytes_promoted_from{};  // as promoted_from
  std::array<Bytes, kMaxGenerations> bytes_survived{};  // both, by the generation they came from
  Bytes bytes_freed{};                                  // of objects
  std::uint64_t cards_scanned = 0;
  std::uint64_t payloads_retired = 0;
  Bytes payload_bytes_retired{};        // as they were asked for
  double fragmentation = 0.0;           // of the oldest generation, before it was compacted
  std::uint64_t objects_compacted = 0;  // moved within the oldest generation
  Bytes bytes_compacted{};
  std::uint64_t blocks_emptied = 0;          // of 16 KiB, by compaction
  std::uint64_t root_callback_failures = 0;  // callbacks that threw
  std::string root_callback_failure{};       // what the last of them said
  std::uint64_t weak_cleared = 0;            // weak references whose targets were found dead
  std::uint64_t map_entries_dropped = 0;     // of weak maps, whose keys were
  std::uint64_t finalizers_queued = 0;
};

/// What one client holds of one pool.
struct ClientStatistics {
  ClientId client = ClientId::kNone;
  std::string name;
  ClientLimits limits;
  Bytes live{};  // leased, as asked for
  Bytes peak_live{};
  std::uint64_t refusals = 0;  // by the hard limit; a climb counts several
};

/// One pool of payload memory.
struct PoolStatistics {
  std::string name;  // of a pool made by name; else empty
  MemoryKind kind = MemoryKind::kHost;
  std::string backend;  // "host", "sim:80GiB"
  Bytes live{};         // leased, as asked for
  Bytes leased{};       // leased, as rounded
  Bytes reserved{};     // mapped
  Bytes peak_live{};
  Bytes peak_reserved{};
  Bytes largest_free{};  // the largest request that needs no growth, once all streams are idle
  Bytes budget{};
  AllocationStrategy strategy = AllocationStrategy::kBestFit;
  std::uint64_t live_blocks = 0;
  std::uint64_t free_blocks = 0;
  std::uint64_t leases = 0;  // all that ever were
  std::uint64_t returns = 0;
  std::uint64_t cached_hits = 0;     // answered by a block of the same size and stream
  std::uint64_t device_waits = 0;    // one stream ordered behind another
  std::uint64_t growths = 0;         // times that memory was mapped
  std::uint64_t trims = 0;           // times that memory was given back
  std::uint64_t refusals = 0;        // requests that ended in an error
  std::uint64_t planned_leases = 0;  // answered from a layout made ahead of time
  std::uint64_t plans_followed = 0;  // times that a layout was taken up
  std::uint64_t plans_left = 0;      // times that one was given up, for whatever reason
  bool asleep = false;               // its memory was given away

  /// Payloads whose bytes lie in memory of the host, and the memory that is saved by it.
  std::uint64_t evicted_payloads = 0;
  Bytes evicted{};
  std::uint64_t evictions = 0;             // all that ever were
  std::uint64_t evicted_brought_back = 0;  // by a use
  Bytes bytes_evicted{};                   // copied out, in all
  Bytes bytes_brought_back{};
  std::vector<ClientStatistics> clients;

  /// peak live / peak reserved; 1 where nothing was reserved.
  [[nodiscard]] double utilisation() const;
  /// What is mapped and not leased, and does not lie in the largest hole, of all that is not
  /// leased: 0 is one hole, towards 1 are many small ones.
  [[nodiscard]] double fragmentation() const;
};

/// What is to be called for the dead.
struct FinalizerStatistics {
  std::uint64_t set = 0;      // on objects that live
  std::uint64_t waiting = 0;  // their objects are dead, and their turn comes
  std::uint64_t ran = 0;      // all that ever did
  std::uint64_t failed = 0;   // of those, the ones that threw; with callbacks of weak references
  std::string failure;        // what the last of them said
};

/// A runtime at one moment. Figures of one mutator agree; across running mutators they may be a
/// buffer apart.
struct Statistics {
  std::uint64_t collections = 0;
  std::uint64_t young_collections = 0;
  std::uint64_t full_collections = 0;
  std::array<std::uint64_t, kTriggers> collections_by_trigger{};
  std::array<std::uint64_t, kMaxGenerations> collections_by_generation{};

  PauseHistogram pauses;
  PauseHistogram to_safepoint;
  std::uint64_t pause_target_misses = 0;  // pauses and slices longer than `max_pause_us`
  CycleStatistics cycles;

  Bytes bytes_allocated{};
  Bytes payload_bytes_owned{};  // that objects ever came to own, as they were asked for
  /// Of both, bytes a second: over the last 5 seconds, or since the last collection or call of
  /// `statistics` before these, where there was none in them.
  double allocation_rate = 0.0;
  /// Bytes of objects and payloads found dead for a millisecond that mutators stood still for it:
  /// smoothed over collections, the newest of them counting for a quarter.
  double collection_efficiency = 0.0;
  std::array<Bytes, kMaxGenerations> bytes_by_generation{};  // used: live, or not yet found dead
  /// Collections that an object survives in a young generation before it goes up, as it is now.
  std::array<std::uint32_t, kMaxGenerations> promotion_age{};
  std::array<std::uint64_t, kMaxGenerations>
      promoted_into{};   // objects that ever were, by generation
  Bytes nursery{};       // what generation 0 may hold; 0 where there is none
  Bytes middle_limit{};  // past which a generation between the first and the oldest is collected
  Bytes old_limit{};     // past which the oldest generation is collected
  Bytes heap_used{};
  Bytes heap_committed{};
  Bytes heap_limit{};
  Bytes bytes_copied{};
  Bytes bytes_promoted{};
  std::uint64_t cards_scanned = 0;
  std::uint64_t payloads_retired = 0;  // found dead by a collection
  Bytes payload_bytes_retired{};
  std::uint64_t root_callback_failures = 0;
  std::string root_callback_failure;   // what the last of them said
  std::uint64_t device_markings = 0;   // full collections that a device marked in
  std::uint64_t marker_fallbacks = 0;  // those that it was to mark in, and the host did
  std::string marker_fallback;         // why, the last time

  /// Free bytes inside partly filled blocks of the oldest generation, of the bytes of those blocks.
  /// One block of each cell size, the one that is being filled, does not count.
  double fragmentation = 0.0;
  std::uint64_t compactions = 0;  // that moved something
  std::uint64_t objects_compacted = 0;
  Bytes bytes_compacted{};

  std::uint32_t mutators = 0;
  std::uint64_t handles = 0;
  std::uint64_t pinned_objects = 0;
  std::uint64_t root_callbacks = 0;
  std::uint64_t weak_references = 0;      // held, the cleared ones included
  std::uint64_t weak_cleared = 0;         // by collections
  std::uint64_t map_entries = 0;          // of all weak maps
  std::uint64_t map_entries_dropped = 0;  // by collections
  FinalizerStatistics finalizers;
  std::vector<PoolStatistics> pools;        // of each memory kind that was asked for
  std::vector<PoolStatistics> named_pools;  // see memory_pool.hpp; no part of the others
  PressureStatistics pressure;              // what was done for requests that found no room
};

class Runtime;

/// The last 64 collections, the oldest first; stops that collected nothing are left out.
///
/// cost     a lock, that a collection takes once
/// threads  anyone
[[nodiscard]] std::vector<CollectionReport> recent_collections(const Runtime& runtime);

}  // namespace tenure
