// What every marker answers to: given a heap's view and its roots, it sets the bit of each object
// reached, and of no other.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>

#include "core/model/heap_view.hpp"
#include "tenure/object.hpp"

namespace tenure {

/// What to mark. The bits of the regions covered are clear when a marking begins.
struct MarkJob {
  HeapView heap;
  std::span<const ObjectIndex> roots;  // null ones and twins are allowed

  // What a marker that copies the heap must know besides; others look at none of it.
  std::uint32_t regions = kRegions;  // rows of `heap.regions` that are there
  std::uint32_t types = 0;           // rows of `heap.types` that objects use; 0: nobody said
  /// Cards, each once, on which a word that markers read may have been written since the last marking
  /// of this heap that this marker began; regions newly covered may be left out where they never were
  /// before. Nothing: all of the heap may have been.
  std::optional<std::span<const std::uint32_t>> written = std::nullopt;
};

/// What a marking did; for statistics and for choosing the next marker.
struct MarkStats {
  std::uint64_t objects = 0;     // bits set
  std::uint64_t references = 0;  // slots read
  bool on_device = false;        // a device did it
  std::string fallback{};        // why a device's marker had the host do it; else empty
  // What a marker that keeps a copy sent for it, in bytes, and in how many rounds beside mutators.
  std::uint64_t copied_beside = 0;
  std::uint64_t copied_in_stop = 0;
  std::uint32_t rounds_beside = 0;
};

/// A marking, once begun, is advanced until it is done, then completed.
///
/// threads  `begin` and `complete`: the collecting thread, stopped world; `advance` and `add`: one
///          caller at a time, between them
class Marker {
 public:
  Marker() = default;
  Marker(const Marker&) = delete;
  Marker& operator=(const Marker&) = delete;
  virtual ~Marker() = default;

  /// Takes the roots.
  virtual void begin(const MarkJob& job) = 0;

  static constexpr std::uint64_t kNoBudget = std::numeric_limits<std::uint64_t>::max();

  /// Reads about `budget` objects more. True when nothing is left to read.
  virtual bool advance(std::uint64_t budget) = 0;

  /// Takes further roots while the marking is under way, also after `advance` found nothing left:
  /// cards read again, objects brought back, whatever else came to be reached.
  ///
  /// objects  null ones, twins and marked ones are allowed
  virtual void add(std::span<const ObjectIndex> objects) = 0;

  /// Ends the marking: all that the roots reach is marked.
  virtual MarkStats complete() = 0;

  /// Drops the marking under way, if there is one. Its bits mean nothing. Stopped world.
  virtual void abandon() {}

  /// Whether `advance` can but wait for a device: to ask again at once gains nothing.
  [[nodiscard]] virtual bool is_waiting() const { return false; }

  /// Whether it keeps a copy of the heap from marking to marking, and wants to be told what was
  /// written.
  [[nodiscard]] virtual bool keeps_copy() const { return false; }

  /// A marking beside mutators is to come. Takes note of what the copy lacks, `job.written` included,
  /// so that `copy_some` can send it while they run. Stopped world, no marking under way.
  ///
  /// returns  whether that pays; else `begin` sends what is left in its stop
  virtual bool note_for_copy(const MarkJob& /*job*/) { return false; }
  /// Sends some of what was noted: what 100 us allow. Beside mutators; one caller at a time, who stands
  /// still in stops.
  ///
  /// returns  whether all is sent
  virtual bool copy_some() { return true; }

  /// Gives back what it keeps on a device between markings. Stopped world, no marking under way.
  ///
  /// returns  whether there was anything
  virtual bool give_back_memory() { return false; }
};

}  // namespace tenure
