// The build without CUDA: its backends are the computer itself and simulated devices.
#include "core/backend/backend.hpp"
#include "host/open_host_backend.hpp"

namespace tenure {

Result<std::unique_ptr<Backend>> open_backend(std::string_view name, std::uint64_t seed) {
  return open_host_backend(name, seed,
                           "this build has no CUDA; configure it with -DTENURE_CUDA=ON, or ask for "
                           "host or sim:80GiB");
}

void inspect_devices(MachineReport& report) {
  report.cuda_in_build = false;
  report.cuda_driver = "not looked for: this build has no CUDA (-DTENURE_CUDA=ON adds it)";
  report.devices.clear();
  report.backend = "host";
  report.backend_reason = "this build has no CUDA";
}

}  // namespace tenure
