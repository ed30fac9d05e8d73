#include "host/open_host_backend.hpp"

#include <algorithm>

#include "host/host_backend.hpp"
#include "host/simulated_device.hpp"
#include "tenure/config.hpp"

namespace tenure {

namespace {

constexpr std::string_view kSimulated = "sim:";
constexpr std::string_view kCuda = "cuda:";

// Why a limit: pools reserve a few times a device's capacity, and x86-64 has 128 TiB of addresses.
constexpr Bytes kLargest{std::uint64_t{16} << 40};
constexpr Bytes kSmallest = SimulatedOptions{}.granularity;

// Work takes up to a tenth longer, so that runs with other seeds meet in other orders.
constexpr double kJitter = 0.1;

Error unknown(std::string_view name, const std::string& reason) {
  return {ErrorCode::kBadConfig, "no device is called \"" + std::string(name) + "\": " + reason +
                                     "; known are auto, host, sim:SIZE (as in sim:80GiB) and "
                                     "cuda:NUMBER (as in cuda:0)"};
}

bool starts_with(std::string_view text, std::string_view start) {
  return text.substr(0, start.size()) == start;
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

Result<std::unique_ptr<Backend>> open_simulated(std::string_view name, std::uint64_t seed) {
  const Result<Bytes> capacity = parse_bytes(name.substr(kSimulated.size()));
  if (!capacity) {
    return unknown(name, capacity.failure().message);
  }
  if (*capacity < kSmallest || *capacity > kLargest) {
    return unknown(name, "a simulated device has from " + to_string(kSmallest) + " to " +
                             to_string(kLargest) + ", not " + to_string(*capacity));
  }
  SimulatedOptions options;
  options.capacity = *capacity;
  options.jitter = kJitter;
  options.keeps_waits = false;
  options.seed = seed;
  return std::unique_ptr<Backend>(std::make_unique<SimulatedDevice>(options));
}

}  // namespace

Result<std::unique_ptr<Backend>> open_host_backend(std::string_view name, std::uint64_t seed,
                                                   const std::string& on_cuda) {
  if (name == "auto" || name == "host") {
    return std::unique_ptr<Backend>(std::make_unique<HostBackend>());
  }
  if (starts_with(name, kSimulated)) {
    return open_simulated(name, seed);
  }
  if (starts_with(name, kCuda) && is_number(name.substr(kCuda.size()))) {
    return Error{ErrorCode::kUnsupported, "cannot open " + std::string(name) + ": " + on_cuda};
  }
  return unknown(name, "there is no such kind of device");
}

}  // namespace tenure
