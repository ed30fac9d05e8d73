// The build with CUDA: a device where there is one, the computer itself otherwise.
#include <charconv>
#include <utility>

#include "core/backend/backend.hpp"
#include "cuda/cuda_backend.hpp"
#include "cuda/probe.hpp"
#include "host/open_host_backend.hpp"

namespace tenure {

namespace {

constexpr std::string_view kCuda = "cuda:";

// The number in "cuda:0"; nothing where the name is of another form.
std::optional<int> device_in(std::string_view name) {
  if (name.substr(0, kCuda.size()) != kCuda) {
    return std::nullopt;
  }
  int device = 0;
  const char* const first = name.data() + kCuda.size();
  const char* const end = name.data() + name.size();
  const auto [rest, fault] = std::from_chars(first, end, device);
  const bool is_number = first != end && *first != '-' && fault == std::errc{} && rest == end;
  return is_number ? std::optional(device) : std::nullopt;
}

Result<std::unique_ptr<Backend>> open_device(int device) {
  Result<std::unique_ptr<CudaBackend>> backend = CudaBackend::open({.device = device});
  if (backend) {
    return std::unique_ptr<Backend>(std::move(*backend));
  }
  return Error{backend.failure().code,
               backend.failure().message + "; ask for host or sim:80GiB instead"};
}

}  // namespace

Result<std::unique_ptr<Backend>> open_backend(std::string_view name, std::uint64_t seed) {
  if (const std::optional<int> device = device_in(name)) {
    return open_device(*device);
  }
  if (name == "auto") {
    if (Result<std::unique_ptr<Backend>> device = open_device(0)) {
      return device;
    }
  }
  return open_host_backend(name, seed, "no device has such a number");
}

void inspect_devices(MachineReport& report) {
  const DeviceProbe probe = probe_devices();
  report.cuda_in_build = true;
  report.cuda_driver = probe.driver;
  report.devices = probe.devices;
  report.backend = "host";
  if (probe.devices.empty()) {
    report.backend_reason = "no CUDA device was found; driver: " + probe.driver;
    return;
  }
  // Why opened: a device that is seen may still refuse, and "auto" passes over it then.
  const Result<std::unique_ptr<Backend>> device = open_device(0);
  if (!device) {
    report.backend_reason = device.failure().message;
    return;
  }
  report.backend = (*device)->name();
  report.backend_reason = "the first of " + std::to_string(probe.devices.size()) +
                          (probe.devices.size() == 1 ? " CUDA device" : " CUDA devices");
}

}  // namespace tenure
