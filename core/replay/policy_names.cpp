#include <string>

#include "tenure/replay.hpp"

namespace tenure {

std::string_view to_string(Policy policy) {
  switch (policy) {
    case Policy::kNative:
      return "native";
    case Policy::kPyTorch:
      return "pytorch";
    case Policy::kPyTorchExpandable:
      return "expandable";
    case Policy::kCuPy:
      return "cupy";
    case Policy::kPowerOfTwo:
      return "pow2";
  }
  return "?";
}

Result<Policy> parse_policy(std::string_view name) {
  std::string known;
  for (const Policy policy : kAllPolicies) {
    if (to_string(policy) == name) {
      return policy;
    }
    known += (known.empty() ? "" : ", ") + std::string(to_string(policy));
  }
  return Error{ErrorCode::kBadArgument,
               "no policy is called \"" + std::string(name) + "\"; there are " + known};
}

}  // namespace tenure
