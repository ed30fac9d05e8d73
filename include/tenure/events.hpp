// What happened in a runtime, in order of time: what a profiler's rings hold, and as a timeline that
// Chrome's tracing page and Perfetto open.
//
// From `basic` on collections, the growth and trimming of pools and steps under pressure are events; at
// `comprehensive` each object that is allocated is one too.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tenure/result.hpp"

namespace tenure {

class Runtime;

enum class EventKind : std::uint8_t {
  kAllocation,  // subject: the TypeId; amount: bytes, the header included
  kCollection,  // amount: ns that mutators stood still; subject: the trigger; detail: what was collected
  kToSafepoint,   // amount: ns from the request until they stood still
  kMarking,       // amount: ns of a full collection's marking
  kReserved,      // a pool grew or shrank. amount: bytes mapped; subject: the MemoryKind
  kPressureStep,  // amount: bytes gained; subject: the MemoryKind; detail: the PressureStep
};
[[nodiscard]] std::string_view to_string(EventKind kind);

/// One event. Where it has a duration, its time is the beginning.
struct Event {
  std::uint64_t time_ns = 0;  // by the platform's clock; of allocations, to 64 of their thread
  std::uint64_t amount = 0;
  std::uint32_t subject = 0;
  std::uint16_t thread = 0;  // the mutator's number, from 1, to 2^16; 0 for the runtime's own
  EventKind kind = EventKind::kAllocation;
  std::uint8_t detail = 0;
};
static_assert(sizeof(Event) == 24);

/// What was taken out of the rings.
struct EventBatch {
  /// `detail` of a collection that only began a cycle, or failed to end one.
  static constexpr std::uint8_t kNothing = 0xFF;

  std::vector<Event> events;  // by time
  std::uint64_t lost = 0;     // overwritten since the last time, as nobody took them
};

/// Takes the events since the last time; a million are kept at the most. Stops nobody, and no thread
/// waits for it.
///
/// errors   kBadArgument: nothing is watched; kClosed
[[nodiscard]] Result<EventBatch> take_events(Runtime& runtime);

/// The events as JSON in the trace event format. Allocations are summed up by thread and millisecond, as
/// a counter; all else is there one by one.
[[nodiscard]] std::string to_chrome_trace(const EventBatch& batch);

}  // namespace tenure
