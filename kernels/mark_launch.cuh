// The launch functions of marking. Included by one file for nvcc, and by one for the emulator.
#pragma once

#include <device_words.hpp>

#include <algorithm>

#include "kernels/mark_kernels.cuh"

namespace tenure::kernels {

namespace {

// Each launch waits for the one before it on the stream; one that is refused ends the sequence.
template <class... Launches>
LaunchStatus in_order(const Launches&... launches) {
  LaunchStatus status = LaunchStatus::kOk;
  static_cast<void>(((status = launches(), status == LaunchStatus::kOk) && ...));
  return status;
}

std::uint32_t blocks_for(std::uint32_t items, std::uint32_t most) {
  return std::clamp((items + kBlockThreads - 1) / kBlockThreads, 1u, std::max(most, 1u));
}

}  // namespace

MarkGrid query_mark_grid() { return device::query_grid(kBlockThreads, mark_to_end); }

LaunchStatus launch_mark_roots(StreamHandle stream, const MarkLaunch& launch) {
  const MarkView view = view_of(launch);
  const std::uint32_t begin_blocks = blocks_for(MarkWorkspace::kCodeWords, launch.blocks);
  const std::uint32_t root_blocks = blocks_for(launch.root_count, launch.blocks);
  return in_order(
      [&] { return device::launch(stream, begin_blocks, kBlockThreads, mark_begin, view); },
      [&] {
        return device::launch(stream, root_blocks, kBlockThreads, mark_roots, view, launch.roots,
                              launch.root_count);
      },
      [&] { return device::launch(stream, 1, 1, mark_count_roots, view); });
}

LaunchStatus launch_mark_to_end(StreamHandle stream, const MarkLaunch& launch) {
  return device::launch_cooperative(stream, std::max(launch.blocks, 1u), kBlockThreads, mark_to_end,
                                    view_of(launch));
}

LaunchStatus launch_mark_levels(StreamHandle stream, const MarkLaunch& launch,
                                std::uint32_t levels) {
  const MarkView view = view_of(launch);
  const std::uint32_t blocks = std::max(launch.blocks, 1u);
  LaunchStatus status = LaunchStatus::kOk;
  for (std::uint32_t k = 0; k < levels && status == LaunchStatus::kOk; ++k) {
    status =
        in_order([&] { return device::launch(stream, blocks, kBlockThreads, mark_level, view); },
                 [&] { return device::launch(stream, blocks, kBlockThreads, mark_big, view); },
                 [&] { return device::launch(stream, 1, 1, mark_finish_level, view); });
  }
  return status;
}

}  // namespace tenure::kernels
