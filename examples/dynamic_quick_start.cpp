#include <cstdio>
#include <tenure/tenure.hpp>

int main() {
  using namespace tenure;
  const GcConfiguration config{.num_generations = 3,
                               .young_gen_size_mb = 64,
                               .old_gen_size_mb = 256,
                               .mode = GcMode::kAdaptive,
                               .max_pause_time_ms = 10.0,
                               .optimize_allocation_patterns = true,
                               .enable_profiling = true};
  GarbageCollector gc = value_or_throw(GarbageCollector::open(config));
  value_or_throw(gc.optimize_for_workload({"scientific_computing"}));
  const Handle<GcObject> array = value_or_throw(gc.allocate(ObjectType::kArray, 1024 * 1024));
  const GcStats stats = gc.get_statistics();
  std::printf("Memory usage: %.1f MB\n", static_cast<double>(stats.used_bytes) / (1024.0 * 1024.0));
  gc.shutdown();
}
