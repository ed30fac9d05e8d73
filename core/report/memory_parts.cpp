// Configuration, statistics, what was adapted, pools and their maps.
#include <string>

#include "core/report/parts.hpp"

namespace tenure {

namespace {

std::string_view to_string(ConfigSource source) {
  switch (source) {
    case ConfigSource::kDefault:
      return "default";
    case ConfigSource::kUser:
      return "user";
    case ConfigSource::kEnvironment:
      break;
  }
  return "environment";
}

void put_durations(std::string_view name, const PauseHistogram& durations, JsonRows& out) {
  out.key(name).object([&] {
    out.put("count", durations.count());
    out.put("total_ns", durations.total_ns());
    out.put("p50_ns", durations.percentile_ns(50));
    out.put("p90_ns", durations.percentile_ns(90));
    out.put("p99_ns", durations.percentile_ns(99));
    out.put("p999_ns", durations.percentile_ns(99.9));
    out.put("max_ns", durations.max_ns());
  });
}

void put_pool(const PoolStatistics& pool, JsonRows& out) {
  out.put("kind", to_string(pool.kind));
  out.put("backend", pool.backend);
  out.put("live", pool.live);
  out.put("leased", pool.leased);
  out.put("reserved", pool.reserved);
  out.put("peak_live", pool.peak_live);
  out.put("peak_reserved", pool.peak_reserved);
  out.put("largest_free", pool.largest_free);
  out.put("budget", pool.budget);
  out.put("leases", pool.leases);
  out.put("returns", pool.returns);
  out.put("planned_leases", pool.planned_leases);
  out.put("growths", pool.growths);
  out.put("trims", pool.trims);
  out.put("refusals", pool.refusals);
  out.put("evictions", pool.evictions);
  out.put("utilisation", pool.utilisation());
  out.put("fragmentation", pool.fragmentation());
  out.rows("clients", pool.clients, [&](const ClientStatistics& client) {
    out.put("name", client.name);
    out.put("live", client.live);
    out.put("peak_live", client.peak_live);
  });
}

}  // namespace

void put_configuration(const std::vector<ConfigRow>& rows, JsonRows& out) {
  out.rows("configuration", rows, [&](const ConfigRow& row) {
    out.put("name", row.name);
    out.put("value", row.value);
    out.put("source", to_string(row.source));
  });
}

void put_statistics(const Statistics& statistics, JsonRows& out) {
  out.key("collections").object([&] {
    out.put("all", statistics.collections);
    out.put("young", statistics.young_collections);
    out.put("full", statistics.full_collections);
    out.key("by_trigger").object([&] {
      for (std::size_t k = 0; k < kTriggers; ++k) {
        out.put(to_string(static_cast<CollectionTrigger>(k)), statistics.collections_by_trigger[k]);
      }
    });
    put_durations("pauses", statistics.pauses, out);
    put_durations("to_safepoint", statistics.to_safepoint, out);
    put_durations("slices", statistics.cycles.slices, out);
    out.put("target_misses", statistics.pause_target_misses);
    out.put("bytes_copied", statistics.bytes_copied);
    out.put("bytes_promoted", statistics.bytes_promoted);
    out.put("compactions", statistics.compactions);
    out.put("cycles_begun", statistics.cycles.begun);
    out.put("cycles_ended", statistics.cycles.ended);
  });
  out.key("heap_use").object([&] {
    out.put("allocated", statistics.bytes_allocated);
    out.put("used", statistics.heap_used);
    out.put("committed", statistics.heap_committed);
    out.put("limit", statistics.heap_limit);
    out.put("old_limit", statistics.old_limit);
    out.put("fragmentation", statistics.fragmentation);
    out.key("by_generation").array([&] {
      for (const Bytes bytes : statistics.bytes_by_generation) {
        out.put(bytes);
      }
    });
    out.put("mutators", statistics.mutators);
    out.put("handles", statistics.handles);
    out.put("pinned_objects", statistics.pinned_objects);
    out.put("weak_references", statistics.weak_references);
    out.put("finalizers_waiting", statistics.finalizers.waiting);
  });
  out.rows("pools", statistics.pools, [&](const PoolStatistics& pool) { put_pool(pool, out); });
}

void put_decisions(const std::vector<Decision>& decisions, JsonRows& out) {
  out.rows("decisions", decisions, [&](const Decision& decision) {
    out.put("time_ns", decision.time_ns);
    out.put("collection", decision.collection);
    out.put("parameter", to_string(decision.parameter));
    out.put("generation", decision.generation);
    out.put("before", decision.before);
    out.put("after", decision.after);
    out.put("reason", decision.reason);
  });
}

void put_maps(const std::vector<PayloadMap>& maps, JsonRows& out) {
  out.rows("maps", maps, [&](const PayloadMap& map) {
    out.put("kind", to_string(map.kind));
    out.put("backend", map.backend);
    out.key("clients").array([&] {
      for (const std::string& client : map.clients) {
        out.put(client);
      }
    });
    out.key("runs").array([&] {
      for (const PayloadRun& run : map.runs) {
        out.object([&] {
          out.put("address", std::uint64_t{run.address});
          out.key("places").array([&] {
            for (const PayloadPlace& place : run.places) {
              out.array([&] {
                out.put(to_string(place.state));
                out.put(place.size);
                out.put(place.asked);
                out.put(static_cast<std::uint32_t>(place.site));
                out.put(static_cast<std::uint32_t>(place.client));
                out.put(static_cast<std::uint32_t>(place.stream));
              });
            }
          });
        });
      }
    });
  });
}

}  // namespace tenure
