// What a CUDA driver shows, where there is one.
#pragma once

#include <string>
#include <vector>

#include "tenure/machine.hpp"

namespace tenure {

struct DeviceProbe {
  std::string driver;  // its CUDA version, or why there is none
  std::vector<DeviceReport> devices;
};

/// Looks; makes no context on any device, and leaves no error behind.
[[nodiscard]] DeviceProbe probe_devices();

}  // namespace tenure
