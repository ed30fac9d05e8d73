// The build with CUDA: the first device marks, where there is one.
#include "core/model/device_marker.hpp"
#include "cuda/cuda_marker.hpp"
#include "cuda/probe.hpp"

namespace tenure {

Result<std::unique_ptr<Marker>> open_device_marker(std::unique_ptr<Marker> host, Team& team) {
  const DeviceProbe probe = probe_devices();
  if (probe.devices.empty()) {
    return Error{ErrorCode::kUnsupported,
                 "marker=cuda asks for a device, and there is none; driver: " + probe.driver};
  }
  return std::unique_ptr<Marker>(std::make_unique<CudaMarker>(std::move(host), team));
}

}  // namespace tenure
