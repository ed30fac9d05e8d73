// The door to a device's marker: declared here, defined where the build has a device annex and where
// it has none. The link chooses.
#pragma once

#include <memory>

#include "core/base/team.hpp"
#include "core/model/marker.hpp"
#include "tenure/result.hpp"

namespace tenure {

/// Markers that have one device do their markings, and keep one copy of the heap there. One of them is
/// at it at a time.
struct DeviceMarkers {
  std::unique_ptr<Marker> in_stops;
  std::unique_ptr<Marker> beside;  // of cycles: advanced while mutators run
};

/// host     markers of the host, that do what the device cannot
/// team     shares the host's part in stops; outlives the markers, and nobody else runs it in a marking
/// errors   kUnsupported: not in this build, or no device
[[nodiscard]] Result<DeviceMarkers> open_device_markers(DeviceMarkers host, Team& team);

}  // namespace tenure
