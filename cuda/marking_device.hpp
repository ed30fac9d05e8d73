// A device as the markers of one heap share it: the heap's copy there, and markings launched over it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "core/base/team.hpp"
#include "cuda/mirror.hpp"
#include "kernels/launch.hpp"
#include "tenure/object.hpp"
#include "tenure/result.hpp"

namespace tenure {

struct CudaMarkerOptions {
  int device = 0;
  kernels::MarkTuning tuning;
  std::uint32_t blocks = 0;  // of a grid; 0: as many as are resident at once
};

/// threads  one at a time; the device is the current one of the calling thread
class MarkingDevice {
 public:
  /// team     shares the host's part of copies in stops; outlives this, and nobody else runs it meanwhile
  MarkingDevice(Team& team, const CudaMarkerOptions& options) : team_(team), options_(options) {}
  MarkingDevice(const MarkingDevice&) = delete;
  MarkingDevice& operator=(const MarkingDevice&) = delete;
  ~MarkingDevice();

  [[nodiscard]] int number() const { return options_.device; }
  /// Beyond use, for good: it is asked nothing more.
  [[nodiscard]] bool is_lost() const { return is_lost_; }

  /// The heap's copy; none until it was opened, and after it was dropped.
  [[nodiscard]] Mirror* mirror() const { return mirror_.get(); }
  /// Opens it where it is not there.
  ///
  /// errors   as Mirror::open
  [[nodiscard]] Result<void> open();

  /// Puts a marking of what these reach in the copy on the mirror's stream.
  [[nodiscard]] Result<void> launch(std::span<const ObjectIndex> roots);
  /// Its counters. The host waits.
  [[nodiscard]] Result<kernels::MarkCounters> finish();
  /// The same, or nothing as long as the device is at it.
  [[nodiscard]] Result<std::optional<kernels::MarkCounters>> poll();

  /// A call failed: the copy is dropped, and opened anew unless the device is lost.
  void fail(const Error& fault);
  /// Drops the copy.
  ///
  /// returns  whether there was one
  bool give_back_memory();

 private:
  [[nodiscard]] kernels::MarkLaunch prepare() const;
  [[nodiscard]] Result<void> launch_levels();

  Team& team_;
  CudaMarkerOptions options_;
  std::unique_ptr<Mirror> mirror_;
  kernels::MarkGrid grid_;
  std::uint32_t levels_ = 0;  // launched last, where the grid cannot wait for itself
  bool is_lost_ = false;
};

}  // namespace tenure
