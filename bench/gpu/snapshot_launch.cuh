// The launch functions of a marking over a snapshot of the edges. Included by one file for nvcc, and by
// one for the emulator.
#pragma once

#include <device_words.hpp>

#include <algorithm>

#include "bench/gpu/snapshot_kernels.cuh"

namespace tenure::bench {

using kernels::LaunchStatus;

kernels::MarkGrid query_snapshot_grid() {
  return kernels::device::query_grid(kernels::kBlockThreads, snapshot_to_end);
}

LaunchStatus launch_snapshot_roots(kernels::StreamHandle stream, const SnapshotLaunch& launch) {
  const SnapshotView view = view_of(launch);
  const std::uint32_t blocks = std::max(launch.blocks, 1u);
  LaunchStatus status =
      kernels::device::launch(stream, blocks, kernels::kBlockThreads, snapshot_begin, view);
  if (status == LaunchStatus::kOk) {
    status = kernels::device::launch(stream, blocks, kernels::kBlockThreads, snapshot_roots, view,
                                     reinterpret_cast<const ObjectIndex*>(launch.roots),
                                     launch.root_count);
  }
  if (status == LaunchStatus::kOk) {
    status = kernels::device::launch(stream, 1, 1, snapshot_count_roots, view);
  }
  return status;
}

LaunchStatus launch_snapshot_to_end(kernels::StreamHandle stream, const SnapshotLaunch& launch) {
  return kernels::device::launch_cooperative(stream, std::max(launch.blocks, 1u),
                                             kernels::kBlockThreads, snapshot_to_end,
                                             view_of(launch));
}

}  // namespace tenure::bench
