// Models of how other allocators place what a program asks for: how much they would have reserved.
//
// A model places, splits, joins and gives back as the allocator does. Time is not modelled: a block
// that was freed can be used again by its own stream at once, and by no other stream.
#pragma once

#include <cstdint>
#include <memory>

#include "core/policy/budget.hpp"
#include "tenure/bytes.hpp"
#include "tenure/replay.hpp"
#include "tenure/result.hpp"

namespace tenure {

struct ModelRequest {
  std::uint64_t bytes = 0;  // 1 at least
  std::uint16_t stream = 0;
  std::uint8_t device = 0;
};

/// threads  one
class PolicyModel {
 public:
  PolicyModel() = default;
  PolicyModel(const PolicyModel&) = delete;
  PolicyModel& operator=(const PolicyModel&) = delete;
  virtual ~PolicyModel() = default;

  /// block    a number that is not in use
  /// errors   kOutOfMemory: the capacity does not allow it, and nothing more can be given back
  [[nodiscard]] virtual Result<void> allocate(std::uint32_t block, const ModelRequest& request) = 0;
  /// block    that was allocated and not yet freed
  virtual void free(std::uint32_t block) = 0;

  [[nodiscard]] Bytes reserved() const { return Bytes{budget_.reserved}; }
  [[nodiscard]] Bytes peak_reserved() const { return Bytes{budget_.peak}; }
  void reset_peak() { budget_.peak = budget_.reserved; }

 protected:
  Budget budget_;
};

/// policy     not kNative: that one is no model
/// capacity   of the device, shared by all pools of the model
[[nodiscard]] std::unique_ptr<PolicyModel> make_model(Policy policy, Bytes capacity);

}  // namespace tenure
