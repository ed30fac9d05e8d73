#include "tenure/facade/system_monitor.hpp"

#include <utility>

namespace tenure {

SystemStatistics SystemMonitor::read() {
  const SystemUsage now = read_system_usage();
  const SystemUsage before = std::exchange(last_, now);
  constexpr double kPercent = 100.0;
  const auto total = static_cast<double>(now.memory_total.count());
  const auto available = static_cast<double>(now.memory_available.count());
  const auto took = static_cast<double>(now.time_ns - before.time_ns);
  return {.system_memory_total = now.memory_total.count(),
          .system_memory_available = now.memory_available.count(),
          .system_memory_percent = total > 0 ? kPercent * (total - available) / total : 0.0,
          .process_memory_rss = now.resident.count(),
          .process_memory_vms = now.mapped.count(),
          .cpu_percent =
              took > 0 ? kPercent * static_cast<double>(now.cpu_ns - before.cpu_ns) / took : 0.0,
          .cpu_count = now.cpu_count};
}

}  // namespace tenure
