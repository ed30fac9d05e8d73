// One attached thread, whole: the core that inline code touches, and what slow paths need.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/backend/platform.hpp"
#include "core/heap/card_log.hpp"
#include "core/heap/sampled_objects.hpp"
#include "core/heap/young.hpp"
#include "core/observe/byte_sampler.hpp"
#include "core/observe/ring.hpp"
#include "tenure/detail/fast_path.hpp"
#include "tenure/object.hpp"

namespace tenure {

class Mutator;
class RuntimeState;

/// Where a mutator is, as the safepoint sees it.
enum class Presence : std::uint8_t { kRunning, kParked, kAway };

/// threads  its own; the collector's while it is stopped
struct MutatorState {
  explicit MutatorState(RuntimeState& of);

  /// Takes from what is left of the buffer, also where the limit was closed on it, and opens the limit up
  /// to the next sample. `is_sample_due` says whether this is one.
  [[nodiscard]] ObjectIndex take_from_buffer(std::uint32_t granules);
  /// Lets the sampler pass what was taken from the buffer since it last did. No sample lies in there.
  void count_taken();
  /// Leaves the buffer it had, and goes on with another. The limit is not open yet.
  void change_buffer(const BufferRun& run);
  /// What is left of the buffer becomes filler, and there is no buffer. Its own, or in a stop.
  void retire_buffer();

  /// The stack of its thread, or none where the system does not say. Its own; asked for once.
  [[nodiscard]] const std::optional<StackRange>& stack();
  /// Whether a local made with it has not ended. Its own.
  [[nodiscard]] bool has_locals() const;

  detail::MutatorCore core;
  RuntimeState& runtime;           // outlives its mutators
  Mutator* door = nullptr;         // what the program knows it by
  MutatorState* outer = nullptr;   // the thread's mutator made before, of another runtime
  std::uint32_t buffer_limit = 0;  // granule; core.buffer's own may be closed
  std::unique_ptr<CardBuffer> log = std::make_unique<CardBuffer>();
  std::vector<ObjectIndex> new_owners;     // since the last stop
  ByteSampler sampler;                     // of granules; its own, and written in stops
  SamplingPace pace;                       // likewise
  std::uint32_t counted = 0;               // granule of the buffer that the sampler has passed
  bool is_sample_due = false;              // the allocation under way was drawn
  std::vector<SampledObject> new_samples;  // since the last stop
  /// Of each allocation; null where not all are watched. With it the buffer's limit stays closed.
  std::unique_ptr<EventRing> events;
  Presence presence = Presence::kRunning;  // guarded by the safepoint
  bool constructing = false;               // a constructor runs, and must not allocate
  bool is_background = false;              // the library's own thread: it holds no object
  bool saying_farewell = false;            // it runs finalizers
  /// In buffers, the current one whole, and born old. Written by its own thread alone.
  std::atomic<std::uint64_t> bytes_allocated{0};
  std::uint64_t allocated_at_boundary = 0;  // of those, when its last batch ended

 private:
  std::optional<std::optional<StackRange>> stack_;  // unknown until asked for
};

/// The mutator of `newest` and its outer ones that works in `heap`, or null.
[[nodiscard]] MutatorState* mutator_of(MutatorState* newest, HeapId heap);

}  // namespace tenure
