#include "cuda/probe.hpp"

#include <optional>

#include "cuda/calls.hpp"

namespace tenure {

namespace {

// Source: CUDA Runtime API, cudaDriverGetVersion: 1000 * major + 10 * minor.
std::string version_in_words(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

std::string built_for() {
  return "; the library was built for CUDA " + version_in_words(CUDART_VERSION);
}

DeviceReport report_of(int number) {
  DeviceReport report;
  cudaDeviceProp properties{};
  if (const std::optional<Error> fault =
          take_error(cudaGetDeviceProperties(&properties, number), "cudaGetDeviceProperties")) {
    report.name = "device " + std::to_string(number) + ", unreadable: " + fault->message;
    return report;
  }
  report.name = properties.name;
  report.compute_major = static_cast<std::uint32_t>(properties.major);
  report.compute_minor = static_cast<std::uint32_t>(properties.minor);
  report.multiprocessors = static_cast<std::uint32_t>(properties.multiProcessorCount);
  report.memory = Bytes{properties.totalGlobalMem};
  return report;
}

}  // namespace

DeviceProbe probe_devices() {
  DeviceProbe probe;
  int version = 0;  // stays 0 where there is no driver
  if (const std::optional<Error> fault =
          take_error(cudaDriverGetVersion(&version), "cudaDriverGetVersion")) {
    probe.driver = "none: " + fault->message + built_for();
    return probe;
  }
  if (version == 0) {
    probe.driver = "none: no CUDA driver is installed on this machine" + built_for();
    return probe;
  }
  probe.driver = version_in_words(version);

  int count = 0;  // Why: the runtime leaves it unwritten where it finds no driver it can use
  if (const std::optional<Error> fault =
          take_error(cudaGetDeviceCount(&count), "cudaGetDeviceCount")) {
    probe.driver += ", but no device: " + fault->message + built_for();
    return probe;
  }
  for (int number = 0; number < count; ++number) {
    probe.devices.push_back(report_of(number));
  }
  return probe;
}

}  // namespace tenure
