// The marker that has a device do it: the heap's copy is brought up to date, kernels mark it, the bits
// come home.
//
// Invariant: whatever fails, the marking ends with the bits that a host's marker leaves, for from the
// failure on a host's marker does it, from the start; the mirror is dropped, and why is kept. The bits
// on the host are right whenever `advance` returns true.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/team.hpp"
#include "core/model/marker.hpp"
#include "cuda/marking_device.hpp"
#include "cuda/mirror.hpp"
#include "kernels/launch.hpp"
#include "tenure/result.hpp"

namespace tenure {

/// What the last marking was like, on the device.
struct DeviceMarking {
  MirrorTraffic traffic;
  kernels::MarkCounters counters;  // of its last launch
  std::uint64_t ship_ns = 0;       // gathering, and putting copies on the stream
  std::uint64_t mark_ns = 0;       // from then on until the counters were home
  std::uint64_t home_ns = 0;       // bringing the bits home
};

/// threads  as Marker says; the world stands still from `begin` to `complete`
class CudaMarker final : public Marker {
 public:
  /// host     does the marking where the device cannot
  /// team     shares the host's part of copies; outlives the marker, and nobody else runs it meanwhile
  CudaMarker(std::unique_ptr<Marker> host, Team& team, const CudaMarkerOptions& options = {});
  /// The same on a device that other markers of the heap use, by turns.
  CudaMarker(std::unique_ptr<Marker> host, std::shared_ptr<MarkingDevice> device);

  void begin(const MarkJob& job) override;
  /// Marks all there is to mark, whatever the budget: a device is not stopped half-way.
  bool advance(std::uint64_t budget) override;
  void add(std::span<const ObjectIndex> objects) override;
  MarkStats complete() override;

  [[nodiscard]] bool keeps_copy() const override { return true; }
  /// The next marking copies all of the heap again.
  bool give_back_memory() override { return device_->give_back_memory(); }

  /// Of the marking that began last; nothing where the host does it.
  [[nodiscard]] const std::optional<DeviceMarking>& on_device() const { return on_device_; }
  /// Why the host does it, in a sentence; empty where the device does.
  [[nodiscard]] const std::string& fallback() const { return fallback_; }

 private:
  [[nodiscard]] Result<void> ship();
  [[nodiscard]] Result<void> mark_pending();
  void fall_back(const Error& fault);

  std::unique_ptr<Marker> host_;
  std::shared_ptr<MarkingDevice> device_;

  MarkJob job_;                       // its roots are `roots_`
  std::vector<ObjectIndex> roots_;    // all that were given, for a host that has to begin anew
  std::vector<ObjectIndex> pending_;  // those that no kernel has seen
  MarkStats stats_;
  std::optional<DeviceMarking> on_device_;
  std::string fallback_;
};

}  // namespace tenure
