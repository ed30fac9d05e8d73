#include "cuda/marking_device.hpp"

#include <algorithm>

#include "cuda/done.hpp"

namespace tenure {

namespace {

// Levels between looks at the counters, where the grid cannot wait for itself. A look costs as much as
// some empty levels; how many there will be nobody knows, so each look waits for twice as many.
constexpr std::uint32_t kFirstLevels = 4;
constexpr std::uint32_t kMostLevels = 64;

}  // namespace

MarkingDevice::~MarkingDevice() { (void)give_back_memory(); }

Result<void> MarkingDevice::open() {
  if (mirror_ != nullptr) {
    return {};
  }
  grid_ = kernels::query_mark_grid();
  if (Result<void> asked = done(grid_.status, "query_mark_grid"); !asked) {
    return asked;
  }
  Result<std::unique_ptr<Mirror>> mirror = Mirror::open(options_.device, team_);
  if (!mirror) {
    return mirror.failure();
  }
  mirror_ = *std::move(mirror);
  return {};
}

kernels::MarkLaunch MarkingDevice::prepare() const {
  kernels::MarkLaunch launch = mirror_->launch();
  launch.blocks = options_.blocks == 0 ? grid_.blocks : std::min(options_.blocks, grid_.blocks);
  launch.tuning = options_.tuning;
  return launch;
}

Result<void> MarkingDevice::launch(std::span<const ObjectIndex> roots) {
  if (Result<void> sent = mirror_->send_roots(roots); !sent) {
    return sent;
  }
  const kernels::MarkLaunch launch = prepare();
  if (Result<void> begun =
          done(kernels::launch_mark_roots(mirror_->stream(), launch), "launch_mark_roots");
      !begun) {
    return begun;
  }
  if (grid_.is_cooperative) {
    return done(kernels::launch_mark_to_end(mirror_->stream(), launch), "launch_mark_to_end");
  }
  levels_ = 0;
  return launch_levels();
}

Result<void> MarkingDevice::launch_levels() {
  levels_ = std::clamp(2 * levels_, kFirstLevels, kMostLevels);
  return done(kernels::launch_mark_levels(mirror_->stream(), prepare(), levels_),
              "launch_mark_levels");
}

Result<kernels::MarkCounters> MarkingDevice::finish() {
  for (;;) {
    Result<kernels::MarkCounters> counters = mirror_->counters();
    if (!counters || grid_.is_cooperative || counters->left == 0) {
      return counters;
    }
    if (Result<void> begun = launch_levels(); !begun) {
      return begun.failure();
    }
  }
}

Result<std::optional<kernels::MarkCounters>> MarkingDevice::poll() {
  using Counters = std::optional<kernels::MarkCounters>;
  const cudaError_t status = cudaStreamQuery(mirror_->stream());
  if (status == cudaErrorNotReady) {
    static_cast<void>(cudaGetLastError());  // an answer, and no error
    return Counters{};
  }
  if (Result<void> asked = done(status, "cudaStreamQuery"); !asked) {
    return asked.failure();
  }
  const Result<kernels::MarkCounters> counters = mirror_->counters();
  if (!counters) {
    return counters.failure();
  }
  if (grid_.is_cooperative || counters->left == 0) {
    return Counters{*counters};
  }
  if (Result<void> begun = launch_levels(); !begun) {
    return begun.failure();
  }
  return Counters{};
}

void MarkingDevice::fail(const Error& fault) {
  is_lost_ |= fault.code == ErrorCode::kDeviceLost;
  mirror_.reset();
}

bool MarkingDevice::give_back_memory() {
  if (mirror_ == nullptr) {
    return false;
  }
  const OnDevice current(options_.device);
  mirror_.reset();
  return true;
}

}  // namespace tenure
