#include "cuda/cuda_marker.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/base/bitmap.hpp"
#include "core/model/mark_law.hpp"
#include "cuda/done.hpp"

namespace tenure {

namespace {

constexpr std::uint64_t kMarksPerRegion = kGranulesPerRegion / kGranulesPerMark;
// Levels between looks at the counters, where the grid cannot wait for itself. A look costs as much as
// some empty levels; how many there will be nobody knows, so each look waits for twice as many.
constexpr std::uint32_t kFirstLevels = 4;
constexpr std::uint32_t kMostLevels = 64;

class Stopwatch {
 public:
  [[nodiscard]] std::uint64_t ns() const {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                          std::chrono::steady_clock::now() - begin_)
                                          .count());
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

void clear_marks(const MarkJob& job) {
  for (std::uint32_t region = 0; region < job.regions; ++region) {
    const RegionRow& row = job.heap.regions[region];
    if (row.heap == job.heap.heap && (row.flags & RegionRow::kMarking) != 0) {
      clear_words(job.heap.marks, region * kMarksPerRegion, (region + 1) * kMarksPerRegion);
    }
  }
}

}  // namespace

CudaMarker::CudaMarker(std::unique_ptr<Marker> host, Team& team, const CudaMarkerOptions& options)
    : host_(std::move(host)), team_(team), options_(options) {}

CudaMarker::~CudaMarker() {
  const OnDevice current(options_.device);
  mirror_.reset();
}

void CudaMarker::begin(const MarkJob& job) {
  job_ = job;
  roots_.assign(job.roots.begin(), job.roots.end());
  pending_ = roots_;
  job_.roots = {};
  stats_ = {};
  on_device_.emplace();
  fallback_.clear();
  if (is_lost_) {
    fall_back({ErrorCode::kDeviceLost, "the device was lost in an earlier marking"});
    return;
  }
  const OnDevice current(options_.device);
  if (Result<void> shipped = current.status() ? ship() : current.status(); !shipped) {
    fall_back(shipped.failure());
  }
  job_.written.reset();  // the caller's no longer
}

Result<void> CudaMarker::ship() {
  const Stopwatch watch;
  if (job_.types == 0) {
    return Error{ErrorCode::kUnsupported, "nobody said how many types the heap's objects have"};
  }
  if (mirror_ == nullptr) {
    grid_ = kernels::query_mark_grid();
    if (Result<void> asked = done(grid_.status, "query_mark_grid"); !asked) {
      return asked;
    }
    Result<std::unique_ptr<Mirror>> mirror = Mirror::open(options_.device, team_);
    if (!mirror) {
      return mirror.failure();
    }
    mirror_ = *std::move(mirror);
  }
  Result<void> shipped = mirror_->update(job_);
  on_device_->ship_ns = watch.ns();
  return shipped;
}

void CudaMarker::add(std::span<const ObjectIndex> objects) {
  roots_.insert(roots_.end(), objects.begin(), objects.end());
  if (!on_device_) {
    host_->add(objects);
    return;
  }
  for (const ObjectIndex object : objects) {
    if (marking_claims(job_.heap, object) && !is_marked(job_.heap.marks, object)) {
      pending_.push_back(object);
    }
  }
}

bool CudaMarker::advance(std::uint64_t budget) {
  if (on_device_ && !pending_.empty()) {
    const OnDevice current(options_.device);
    if (Result<void> marked = current.status() ? mark_pending() : current.status(); !marked) {
      fall_back(marked.failure());
    }
  }
  return on_device_ ? true : host_->advance(budget);
}

Result<void> CudaMarker::mark_pending() {
  const Stopwatch marking;
  if (Result<void> sent = mirror_->send_roots(pending_); !sent) {
    return sent;
  }
  const Result<kernels::MarkCounters> counters = run_kernels();
  if (!counters) {
    return counters.failure();
  }
  on_device_->mark_ns += marking.ns();
  const Stopwatch home;
  if (Result<void> there = mirror_->bring_bits_home(job_.heap); !there) {
    return there;
  }
  on_device_->home_ns += home.ns();
  on_device_->counters = *counters;
  on_device_->traffic = mirror_->traffic();
  stats_.objects += counters->objects;
  stats_.references += counters->references;
  pending_.clear();
  return {};
}

Result<kernels::MarkCounters> CudaMarker::run_kernels() {
  kernels::MarkLaunch launch = mirror_->launch();
  launch.blocks = options_.blocks == 0 ? grid_.blocks : std::min(options_.blocks, grid_.blocks);
  launch.tuning = options_.tuning;
  const auto stream = mirror_->stream();
  if (Result<void> begun = done(kernels::launch_mark_roots(stream, launch), "launch_mark_roots");
      !begun) {
    return begun.failure();
  }
  if (grid_.is_cooperative) {
    if (Result<void> begun =
            done(kernels::launch_mark_to_end(stream, launch), "launch_mark_to_end");
        !begun) {
      return begun.failure();
    }
    return mirror_->counters();
  }
  for (std::uint32_t levels = kFirstLevels;; levels = std::min(2 * levels, kMostLevels)) {
    if (Result<void> begun =
            done(kernels::launch_mark_levels(stream, launch, levels), "launch_mark_levels");
        !begun) {
      return begun.failure();
    }
    Result<kernels::MarkCounters> counters = mirror_->counters();
    if (!counters || counters->left == 0) {
      return counters;
    }
  }
}

MarkStats CudaMarker::complete() {
  (void)advance(kNoBudget);
  if (on_device_) {
    stats_.on_device = true;
    return stats_;
  }
  MarkStats stats = host_->complete();
  stats.fallback = fallback_;
  return stats;
}

bool CudaMarker::give_back_memory() {
  const OnDevice current(options_.device);
  return std::exchange(mirror_, nullptr) != nullptr;
}

// Why from the start: what kernels did is on a device that does not answer, and some of its bits may
// have come home without those they lead to.
void CudaMarker::fall_back(const Error& fault) {
  is_lost_ |= fault.code == ErrorCode::kDeviceLost;
  mirror_.reset();
  on_device_.reset();
  pending_.clear();
  clear_marks(job_);
  MarkJob job = job_;
  job.roots = roots_;
  host_->begin(job);
  fallback_ = "the host marked instead of the device: " + fault.message;
}

}  // namespace tenure
