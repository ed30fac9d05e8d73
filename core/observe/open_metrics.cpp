// Statistics as OpenMetrics text: one family after the other, each with its kind, its unit and its help.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "tenure/export.hpp"
#include "tenure/statistics.hpp"

namespace tenure {

namespace {

constexpr double kNsPerSecond = 1e9;

// Shortest decimal form that is near enough for a sum of durations.
std::string seconds(std::uint64_t ns) {
  return std::to_string(static_cast<double>(ns) / kNsPerSecond);
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char character : text) {
    if (character == '\n') {
      out += "\\n";
      continue;
    }
    if (character == '\\' || character == '"') {
      out += '\\';
    }
    out += character;
  }
  return out;
}

class Text {
 public:
  /// Begins a family. A unit is the name's last word, or there is none.
  void family(std::string_view name, std::string_view kind, std::string_view unit,
              std::string_view help) {
    name_ = "tenure_" + std::string(name);
    text_ += "# TYPE " + name_ + " " + std::string(kind) + "\n";
    if (!unit.empty()) {
      text_ += "# UNIT " + name_ + " " + std::string(unit) + "\n";
    }
    text_ += "# HELP " + name_ + " " + escaped(help) + "\n";
    suffix_ = kind == "counter" ? "_total" : "";
  }
  void value(std::string_view value) { line(suffix_, "", value); }
  void value(std::uint64_t number) { value(std::to_string(number)); }
  void value(std::string_view label, std::string_view of, std::uint64_t number) {
    line(suffix_, label_text(label, of), std::to_string(number));
  }
  void quantile(std::string_view share, std::string_view value) {
    line("", label_text("quantile", share), value);
  }
  void line(std::string_view suffix, std::string_view labels, std::string_view value) {
    text_ += name_ + std::string(suffix);
    text_ += labels.empty() ? "" : "{" + std::string(labels) + "}";
    text_ += " " + std::string(value) + "\n";
  }
  [[nodiscard]] std::string end() const { return text_ + "# EOF\n"; }

 private:
  static std::string label_text(std::string_view label, std::string_view of) {
    return std::string(label) + "=\"" + escaped(of) + "\"";
  }

  std::string text_;
  std::string name_;
  std::string_view suffix_;
};

void add_summary(Text& text, std::string_view name, std::string_view help,
                 const PauseHistogram& times) {
  text.family(name, "summary", "seconds", help);
  for (const auto& [share, percent] :
       {std::pair{"0.5", 50.0}, std::pair{"0.99", 99.0}, std::pair{"1", 100.0}}) {
    text.quantile(share, seconds(times.percentile_ns(percent)));
  }
  text.line("_count", "", std::to_string(times.count()));
  text.line("_sum", "", seconds(times.total_ns()));
}

void add_heap(Text& text, const Statistics& of) {
  text.family("heap_used_bytes", "gauge", "bytes",
              "objects, by generation: live, or not found dead");
  for (std::size_t generation = 0; generation < of.bytes_by_generation.size(); ++generation) {
    if (!of.bytes_by_generation[generation].is_zero() || generation == 0) {
      text.value("generation", std::to_string(generation),
                 of.bytes_by_generation[generation].count());
    }
  }
  text.family("heap_committed_bytes", "gauge", "bytes", "memory of the heap's regions");
  text.value(of.heap_committed.count());
  text.family("heap_limit_bytes", "gauge", "bytes", "what the heap may have");
  text.value(of.heap_limit.count());
  text.family("heap_allocated_bytes", "counter", "bytes", "of objects, ever");
  text.value(of.bytes_allocated.count());
  text.family("heap_fragmentation_ratio", "gauge", "ratio",
              "holes in partly filled blocks of the oldest generation");
  text.value(std::to_string(of.fragmentation));
}

void add_collections(Text& text, const Statistics& of) {
  text.family("collections", "counter", "", "by what began them");
  for (std::size_t trigger = 0; trigger < kTriggers; ++trigger) {
    text.value("trigger", to_string(static_cast<CollectionTrigger>(trigger)),
               of.collections_by_trigger[trigger]);
  }
  text.family("full_collections", "counter", "", "those that marked the oldest generation");
  text.value(of.full_collections);
  add_summary(text, "pause_seconds", "stops of the program", of.pauses);
  add_summary(text, "to_safepoint_seconds", "from a stop's request to the stop", of.to_safepoint);
  text.family("pause_target_misses", "counter", "", "stops and slices longer than max_pause_us");
  text.value(of.pause_target_misses);
  text.family("payloads_retired", "counter", "", "payloads that collections found dead");
  text.value(of.payloads_retired);
}

void add_pools(Text& text, const Statistics& of) {
  const auto each = [&](std::string_view name, std::string_view kind, std::string_view unit,
                        std::string_view help, auto figure) {
    text.family(name, kind, unit, help);
    for (const PoolStatistics& pool : of.pools) {
      text.value("kind", to_string(pool.kind), figure(pool));
    }
  };
  if (of.pools.empty()) {
    return;
  }
  each("pool_live_bytes", "gauge", "bytes", "leased, as asked for",
       [](const PoolStatistics& pool) { return pool.live.count(); });
  each("pool_reserved_bytes", "gauge", "bytes", "mapped",
       [](const PoolStatistics& pool) { return pool.reserved.count(); });
  each("pool_peak_live_bytes", "gauge", "bytes", "the most that was leased at a time",
       [](const PoolStatistics& pool) { return pool.peak_live.count(); });
  each("pool_leases", "counter", "", "requests that were answered",
       [](const PoolStatistics& pool) { return pool.leases; });
  each("pool_refusals", "counter", "", "requests that ended in an error",
       [](const PoolStatistics& pool) { return pool.refusals; });
}

}  // namespace

std::string to_open_metrics(const Statistics& statistics) {
  Text text;
  add_heap(text, statistics);
  add_collections(text, statistics);
  add_pools(text, statistics);
  return text.end();
}

}  // namespace tenure
