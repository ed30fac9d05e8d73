// Where emulated launches run: at once by default, or whenever a substitute of the CUDA runtime says.
#pragma once

#include <functional>

#include "kernels/launch.hpp"

namespace tenure::simt {

/// Takes one launch for a stream and answers as cudaLaunchKernel does: 0, or the value of a
/// cudaError_t, and then `run` is dropped. `run` holds copies of all arguments; it may be called
/// later, on any thread, once.
using LaunchHook = std::function<int(kernels::StreamHandle stream, std::function<void()> run)>;

/// Replaces the hook; an empty one runs launches at once. Not while launches are being made.
void set_launch_hook(LaunchHook hook);

/// What `query_mark_grid` answers from now on: at first a cooperative grid of four blocks.
void set_emulated_grid(const kernels::MarkGrid& grid);
[[nodiscard]] const kernels::MarkGrid& emulated_grid();

/// Gives one launch to the hook.
[[nodiscard]] int enqueue_launch(kernels::StreamHandle stream, std::function<void()> run);

}  // namespace tenure::simt
