#include "core/runtime/state.hpp"
#include "tenure/payload_map.hpp"
#include "tenure/runtime.hpp"

namespace tenure {

Result<std::vector<PayloadMap>> take_payload_maps(Runtime& runtime) {
  if (!runtime.is_open()) {
    return Error{ErrorCode::kClosed, "the runtime was closed; it has no pools to look at"};
  }
  RuntimeState& state = runtime.state();
  std::vector<PayloadMap> maps;
  state.for_each_pool([&](PayloadPool& pool) {
    maps.push_back(pool.map());
    maps.back().clients = state.client_names();
  });
  return maps;
}

}  // namespace tenure
