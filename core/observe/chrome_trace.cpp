// Events in the trace event format: what took time as "complete" events, sums as counters.
//
// Source: "Trace Event Format", the Chromium project; Perfetto reads the same.
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "tenure/events.hpp"
#include "tenure/payload.hpp"
#include "tenure/pressure.hpp"
#include "tenure/statistics.hpp"

namespace tenure {

namespace {

constexpr std::uint64_t kNsPerUs = 1000;
constexpr std::uint64_t kNsPerMs = 1'000'000;

// Microseconds, with what is left of them behind the point.
std::string microseconds(std::uint64_t ns) {
  const std::string rest = std::to_string(ns % kNsPerUs);
  return std::to_string(ns / kNsPerUs) + "." + std::string(3 - rest.size(), '0') + rest;
}

// One of the objects of the list. All words in it are the library's own: none needs to be escaped.
class Entry {
 public:
  Entry(char phase, std::string_view name, std::uint64_t time_ns, std::uint32_t thread) {
    text_ = std::string("{\"ph\":\"") + phase + "\",\"name\":\"" + std::string(name) +
            "\",\"cat\":\"tenure\",\"pid\":1,\"tid\":" + std::to_string(thread) +
            ",\"ts\":" + microseconds(time_ns);
  }
  Entry& with(std::string_view key, std::string_view value) {
    text_ += ",\"" + std::string(key) + "\":" + std::string(value);
    return *this;
  }
  Entry& with_argument(std::string_view key, std::string_view value) {
    arguments_ +=
        (arguments_.empty() ? "\"" : ",\"") + std::string(key) + "\":" + std::string(value);
    return *this;
  }
  [[nodiscard]] std::string text() const { return text_ + ",\"args\":{" + arguments_ + "}}"; }

 private:
  std::string text_;
  std::string arguments_;
};

std::string quoted(std::string_view word) { return '"' + std::string(word) + '"'; }

std::string memory_of(const Event& event) {
  return std::string(to_string(static_cast<MemoryKind>(event.subject)));
}

std::string text_of(const Event& event) {
  const std::string amount = std::to_string(event.amount);
  switch (event.kind) {
    case EventKind::kCollection:
    case EventKind::kMarking:
    case EventKind::kToSafepoint: {
      Entry entry('X', to_string(event.kind), event.time_ns, 0);
      entry.with("dur", microseconds(event.amount))
          .with_argument("trigger",
                         quoted(to_string(static_cast<CollectionTrigger>(event.subject))));
      if (event.detail != EventBatch::kNothing) {
        entry.with_argument("generations_up_to", std::to_string(event.detail));
      }
      return entry.text();
    }
    case EventKind::kReserved:
      return Entry('C', memory_of(event) + " reserved", event.time_ns, 0)
          .with_argument("bytes", amount)
          .text();
    case EventKind::kPressureStep:
      return Entry('i', to_string(static_cast<PressureStep>(event.detail)), event.time_ns, 0)
          .with("s", quoted("p"))
          .with_argument("kind", quoted(memory_of(event)))
          .with_argument("gained", amount)
          .text();
    case EventKind::kAllocation:
      break;
  }
  return {};
}

std::string name_of_thread(std::uint32_t thread, std::string_view name) {
  return Entry('M', "thread_name", 0, thread).with_argument("name", quoted(name)).text();
}

}  // namespace

std::string to_chrome_trace(const EventBatch& batch) {
  std::map<std::pair<std::uint16_t, std::uint64_t>, std::uint64_t> allocated;  // by thread and ms
  std::string text =
      "{\"displayTimeUnit\":\"ms\",\"otherData\":{\"lost_events\":" + std::to_string(batch.lost) +
      "},\"traceEvents\":[\n" + name_of_thread(0, "collector and pools");
  for (const Event& event : batch.events) {
    if (event.kind == EventKind::kAllocation) {
      allocated[{event.thread, event.time_ns / kNsPerMs}] += event.amount;
    } else {
      text += ",\n" + text_of(event);
    }
  }
  std::uint32_t named = 0;
  for (const auto& [at, bytes] : allocated) {
    const auto [thread, millisecond] = at;
    const std::string name = "mutator " + std::to_string(thread);
    if (thread != named) {
      named = thread;
      text += ",\n" + name_of_thread(thread, name);
    }
    text += ",\n" + Entry('C', name + " allocates", millisecond * kNsPerMs, thread)
                        .with_argument("bytes_per_ms", std::to_string(bytes))
                        .text();
  }
  return text + "\n]}\n";
}

}  // namespace tenure
