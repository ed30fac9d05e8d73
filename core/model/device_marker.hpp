// The door to a device's marker: declared here, defined where the build has a device annex and where
// it has none. The link chooses.
#pragma once

#include <memory>

#include "core/base/team.hpp"
#include "core/model/marker.hpp"
#include "tenure/result.hpp"

namespace tenure {

/// Opens a marker that has a device do its markings.
///
/// host     does those that the device cannot do
/// team     shares the host's part; outlives the marker, and nobody else runs it during a marking
/// errors   kUnsupported: not in this build, or no device
[[nodiscard]] Result<std::unique_ptr<Marker>> open_device_marker(std::unique_ptr<Marker> host,
                                                                 Team& team);

}  // namespace tenure
