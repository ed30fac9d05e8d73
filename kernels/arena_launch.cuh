// The launch functions of arenas. Included by one file for nvcc, and by one for the emulator.
#pragma once

#include <device_words.hpp>

#include "kernels/arena_kernels.cuh"

namespace tenure::device {

namespace {

// One warp. A report of what an arena counted is 2 KiB; more would wait for each other.
template <class... Parameters>
int launch_warp(CUstream_st* stream, void (*kernel)(Parameters...),
                std::type_identity_t<Parameters>... arguments) {
  return static_cast<int>(kernels::device::launch(stream, 1, kSizeClasses, kernel, arguments...));
}

}  // namespace

int reset_arena(CUstream_st* stream, const ArenaView& arena) {
  return launch_warp(stream, reset_arena_state, arena);
}
int mark_arena(CUstream_st* stream, const ArenaView& arena, ArenaMark* mark) {
  return launch_warp(stream, save_arena_mark, arena, mark);
}
int rewind_arena(CUstream_st* stream, const ArenaView& arena, const ArenaMark* mark) {
  return launch_warp(stream, go_back_to_mark, arena, mark);
}
int publish_arena(CUstream_st* stream, const ArenaView& arena, ArenaReport* report) {
  return launch_warp(stream, write_arena_report, arena, report);
}

}  // namespace tenure::device
