// The build without CUDA: no device marks.
#include "core/model/device_marker.hpp"

namespace tenure {

Result<std::unique_ptr<Marker>> open_device_marker(std::unique_ptr<Marker>, Team&) {
  return Error{ErrorCode::kUnsupported,
               "marker=cuda asks for a device, and this build has no CUDA; configure it with "
               "-DTENURE_CUDA=ON, or ask for marker=host"};
}

}  // namespace tenure
