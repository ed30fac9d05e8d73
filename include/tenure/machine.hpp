// What this machine offers, as values: for `tenure doctor`, bug reports and benchmark headers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tenure/bytes.hpp"

namespace tenure {

/// One device that a CUDA driver showed.
struct DeviceReport {
  std::string name;
  std::uint32_t compute_major = 0;
  std::uint32_t compute_minor = 0;
  std::uint32_t multiprocessors = 0;
  Bytes memory{};
};

/// What was found, and for what was not found, why.
struct MachineReport {
  std::string processor;
  std::uint32_t cores = 0;  // this process may run on
  Bytes memory{};           // of the machine
  Bytes memory_available{};
  Bytes cgroup_limit = kUnlimited;  // of this process's group
  Bytes page{};
  std::string huge_pages;  // "madvise", "always", "never", or why it is not known
  std::uint32_t numa_nodes = 1;
  Bytes lockable = kUnlimited;     // what mlock may pin
  bool pressure_readings = false;  // PSI is there
  std::string compiler;            // that built the library

  bool cuda_in_build = false;
  std::string cuda_driver;  // its version, or why there is none
  std::vector<DeviceReport> devices;
  std::string backend;  // what device "auto" opens
  std::string backend_reason;
};

/// Looks. Costs some milliseconds; a CUDA driver, where there is one, is loaded.
[[nodiscard]] MachineReport inspect_machine();

}  // namespace tenure
