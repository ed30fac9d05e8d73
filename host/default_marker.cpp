// The build without CUDA: no device marks.
#include "core/model/device_marker.hpp"

namespace tenure {

Result<DeviceMarkers> open_device_markers(DeviceMarkers /*host*/, Team& /*team*/) {
  return Error{ErrorCode::kUnsupported,
               "marker=cuda asks for a device, and this build has no CUDA; configure it with "
               "-DTENURE_CUDA=ON, or ask for marker=host"};
}

}  // namespace tenure
