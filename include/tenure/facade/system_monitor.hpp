// Machine and process as the dynamic door has them.
#pragma once

#include <cstdint>

#include "tenure/system_usage.hpp"

namespace tenure {

/// Figures of one moment.
struct SystemStatistics {
  std::uint64_t system_memory_total = 0;  // bytes, as the process's control group leaves it
  std::uint64_t system_memory_available = 0;
  double system_memory_percent = 0;  // in use
  std::uint64_t process_memory_rss = 0;
  std::uint64_t process_memory_vms = 0;
  double cpu_percent = 0;  // that the process ran since the last reading; 100 is one processor's
  std::uint32_t cpu_count = 0;
};

/// Reads the system, one reading after the other.
///
/// threads  one at a time
class SystemMonitor {
 public:
  SystemMonitor() : last_(read_system_usage()) {}

  /// cost   some 100 us
  [[nodiscard]] SystemStatistics read();

 private:
  SystemUsage last_;
};

}  // namespace tenure
