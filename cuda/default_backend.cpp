// The build with CUDA. It says what devices there are; its pools lie on the computer itself, or on
// simulated devices, as those of the build without.
#include "core/backend/backend.hpp"
#include "cuda/probe.hpp"
#include "host/open_host_backend.hpp"

namespace tenure {

Result<std::unique_ptr<Backend>> open_backend(std::string_view name, std::uint64_t seed) {
  return open_host_backend(name, seed,
                           "pools on CUDA devices are not in this version; ask for host or "
                           "sim:80GiB");
}

void inspect_devices(MachineReport& report) {
  const DeviceProbe probe = probe_devices();
  report.cuda_in_build = true;
  report.cuda_driver = probe.driver;
  report.devices = probe.devices;
  report.backend = "host";
  report.backend_reason =
      probe.devices.empty()
          ? "no CUDA device was found; driver: " + probe.driver
          : std::to_string(probe.devices.size()) +
                " CUDA devices were found, but pools on them are not in this version";
}

}  // namespace tenure
