// All figures of a collector, in groups.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <string>

#include "python/src/collector.hpp"
#include "python/src/wrappers.hpp"
#include "tenure/inspect.hpp"

namespace tenure::python {

namespace {

double milliseconds(std::uint64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1e6; }

nb::dict distribution(const PauseHistogram& pauses) {
  nb::dict made;
  made["count"] = pauses.count();
  made["total_ms"] = milliseconds(pauses.total_ns());
  made["p50_ms"] = milliseconds(pauses.percentile_ns(50));
  made["p99_ms"] = milliseconds(pauses.percentile_ns(99));
  made["max_ms"] = milliseconds(pauses.max_ns());
  return made;
}

nb::dict heap_stats(const Statistics& from) {
  nb::dict made;
  made["used_bytes"] = from.heap_used.count();
  made["committed_bytes"] = from.heap_committed.count();
  made["limit_bytes"] = from.heap_limit.count();
  made["fragmentation_ratio"] = from.fragmentation;
  made["compactions"] = from.compactions;
  made["objects_compacted"] = from.objects_compacted;
  made["bytes_compacted"] = from.bytes_compacted.count();
  return made;
}

nb::list generational_stats(const Statistics& from, const Census& census,
                            std::uint32_t generations) {
  nb::list made;
  for (std::uint32_t k = 0; k < generations; ++k) {
    nb::dict row;
    row["object_count"] = census.by_generation[k].objects;
    row["object_bytes"] = census.by_generation[k].bytes.count();
    row["total_size"] = from.bytes_by_generation[k].count();
    row["collection_count"] = from.collections_by_generation[k];
    if (k + 1 < generations) {
      row["promotion_threshold"] = from.promotion_age[k];
    } else {
      row["size_limit"] = from.old_limit.count();
    }
    made.append(row);
  }
  return made;
}

nb::dict reference_stats(const Statistics& from, const Census& census) {
  nb::dict usage;
  for (const auto& [name, row] : census.by_type) {
    usage[nb::str(name.c_str())] = row.bytes.count();
  }
  nb::dict made;
  made["memory_usage_by_type"] = usage;
  made["roots"] = from.handles;
  made["pinned_objects"] = from.pinned_objects;
  made["weak_references"] = from.weak_references;
  made["weak_cleared"] = from.weak_cleared;
  made["finalizers_set"] = from.finalizers.set;
  made["finalizers_waiting"] = from.finalizers.waiting;
  made["finalizers_ran"] = from.finalizers.ran;
  made["finalizers_failed"] = from.finalizers.failed;
  return made;
}

nb::dict allocation_stats(const Statistics& from) {
  nb::dict made;
  made["bytes_allocated"] = from.bytes_allocated.count();
  made["bytes_copied"] = from.bytes_copied.count();
  made["bytes_promoted"] = from.bytes_promoted.count();
  made["cards_scanned"] = from.cards_scanned;
  return made;
}

nb::dict payload_stats(const Statistics& from) {
  nb::dict made;
  made["retired"] = from.payloads_retired;
  made["retired_bytes"] = from.payload_bytes_retired.count();
  made["requests_short_of_memory"] = from.pressure.climbs;
  made["requests_relieved"] = from.pressure.relieved;
  return made;
}

nb::dict pause_stats(const Statistics& from) {
  nb::dict triggers;
  for (std::size_t k = 0; k < kTriggers; ++k) {
    triggers[nb::str(std::string(to_string(static_cast<CollectionTrigger>(k))).c_str())] =
        from.collections_by_trigger[k];
  }
  nb::dict made;
  made["pauses"] = distribution(from.pauses);
  made["slices"] = distribution(from.cycles.slices);
  made["to_safepoint"] = distribution(from.to_safepoint);
  made["target_misses"] = from.pause_target_misses;
  made["collections_by_trigger"] = triggers;
  made["cycles_ended"] = from.cycles.ended;
  return made;
}

nb::dict detailed(Collector& collector) {
  const std::uint32_t generations = collector.configuration().num_generations;
  Statistics from;
  Census census;
  collector.ask([&](GarbageCollector& facade) {
    from = facade.runtime().statistics();
    census = take_census(facade.runtime());
  });
  nb::dict made;
  made["heap_stats"] = heap_stats(from);
  made["generational_stats"] = generational_stats(from, census, generations);
  made["reference_stats"] = reference_stats(from, census);
  made["allocation_stats"] = allocation_stats(from);
  made["payload_stats"] = payload_stats(from);
  made["pause_stats"] = pause_stats(from);
  return made;
}

}  // namespace

void bind_statistics(nb::class_<Collector>& type) { type.def("detailed_statistics", detailed); }

}  // namespace tenure::python
