#include "tenure/system_usage.hpp"

#include <thread>

#include "core/backend/platform.hpp"

namespace tenure {

SystemUsage read_system_usage() {
  Platform& platform = host_platform();
  const MemoryReading memory = platform.memory();
  const ProcessReading process = platform.process();
  return {.memory_total = memory.total,
          .memory_available = memory.available,
          .resident = process.resident,
          .mapped = process.mapped,
          .cpu_ns = process.cpu_ns,
          .time_ns = platform.now_ns(),
          .cpu_count = std::thread::hardware_concurrency()};
}

}  // namespace tenure
