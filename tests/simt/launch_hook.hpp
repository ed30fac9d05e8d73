// Where emulated launches run: at once by default, or whenever a substitute of the CUDA runtime says.
#pragma once

#include <functional>

struct CUstream_st;

namespace tenure::simt {

/// Takes one launch for a stream and answers as cudaLaunchKernel does: 0, or the value of a
/// cudaError_t, and then `run` is dropped. `run` holds copies of all arguments; it may be called
/// later, on any thread, once.
using LaunchHook = std::function<int(CUstream_st* stream, std::function<void()> run)>;

/// Replaces the hook; an empty one runs launches at once. Not while launches are being made.
void set_launch_hook(LaunchHook hook);

/// What `query_mark_grid` answers here: 4 blocks, cooperative, unless changed.
struct EmulatedGrid {
  int status = 0;
  bool is_cooperative = true;
  unsigned processors = 2;
  unsigned blocks = 4;
};
void set_grid(const EmulatedGrid& grid);

}  // namespace tenure::simt
