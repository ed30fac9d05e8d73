// The build with CUDA: the first device marks, where there is one.
#include "core/model/device_marker.hpp"
#include "cuda/cuda_cycle_marker.hpp"
#include "cuda/cuda_marker.hpp"
#include "cuda/probe.hpp"

namespace tenure {

Result<DeviceMarkers> open_device_markers(DeviceMarkers host, Team& team) {
  const DeviceProbe probe = probe_devices();
  if (probe.devices.empty()) {
    return Error{ErrorCode::kUnsupported,
                 "marker=cuda asks for a device, and there is none; driver: " + probe.driver};
  }
  const auto device = std::make_shared<MarkingDevice>(team, CudaMarkerOptions{});
  return DeviceMarkers{.in_stops = std::make_unique<CudaMarker>(std::move(host.in_stops), device),
                       .beside = std::make_unique<CudaCycleMarker>(std::move(host.beside), device)};
}

}  // namespace tenure
