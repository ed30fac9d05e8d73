// The build with CUDA: a device where there is one, the computer itself otherwise.
#include <charconv>
#include <utility>
#include <vector>

#include "core/backend/backend.hpp"
#include "cuda/cuda_backend.hpp"
#include "cuda/probe.hpp"
#include "host/open_host_backend.hpp"

namespace tenure {

namespace {

constexpr std::string_view kCuda = "cuda:";

// The numbers in "cuda:0" and "cuda:0+1+2"; none where the name is of another form.
std::vector<int> devices_in(std::string_view name) {
  std::vector<int> devices;
  if (name.substr(0, kCuda.size()) != kCuda) {
    return devices;
  }
  const char* first = name.data() + kCuda.size();
  const char* const end = name.data() + name.size();
  for (;; ++first) {
    int device = 0;
    const auto [rest, fault] = std::from_chars(first, end, device);
    if (first == end || *first == '-' || fault != std::errc{} || (rest != end && *rest != '+')) {
      return {};
    }
    devices.push_back(device);
    if (rest == end) {
      return devices;
    }
    first = rest;
  }
}

// The first of the devices, whose memory the others reach too.
Result<std::unique_ptr<Backend>> open_device(const std::vector<int>& devices) {
  Result<std::unique_ptr<CudaBackend>> backend = CudaBackend::open({.device = devices.front()});
  for (std::size_t k = 1; backend && k < devices.size(); ++k) {
    if (Result<void> opened = (*backend)->open_to(devices[k]); !opened) {
      backend = opened.failure();
    }
  }
  if (backend) {
    return std::unique_ptr<Backend>(std::move(*backend));
  }
  return Error{backend.failure().code,
               backend.failure().message + "; ask for host or sim:80GiB instead"};
}

}  // namespace

Result<std::unique_ptr<Backend>> open_backend(std::string_view name, std::uint64_t seed) {
  if (const std::vector<int> devices = devices_in(name); !devices.empty()) {
    return open_device(devices);
  }
  if (name == "auto") {
    if (Result<std::unique_ptr<Backend>> device = open_device({0})) {
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
  const Result<std::unique_ptr<Backend>> device = open_device({0});
  if (!device) {
    report.backend_reason = device.failure().message;
    return;
  }
  report.backend = (*device)->name();
  report.backend_reason = "the first of " + std::to_string(probe.devices.size()) +
                          (probe.devices.size() == 1 ? " CUDA device" : " CUDA devices");
}

}  // namespace tenure
