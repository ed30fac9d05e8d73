#include "cuda/cuda_marker.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/model/mark_law.hpp"
#include "cuda/done.hpp"
#include "cuda/marks_from_start.hpp"

namespace tenure {

namespace {

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

}  // namespace

CudaMarker::CudaMarker(std::unique_ptr<Marker> host, Team& team, const CudaMarkerOptions& options)
    : CudaMarker(std::move(host), std::make_shared<MarkingDevice>(team, options)) {}

CudaMarker::CudaMarker(std::unique_ptr<Marker> host, std::shared_ptr<MarkingDevice> device)
    : host_(std::move(host)), device_(std::move(device)) {}

void CudaMarker::begin(const MarkJob& job) {
  job_ = job;
  roots_.assign(job.roots.begin(), job.roots.end());
  pending_ = roots_;
  job_.roots = {};
  stats_ = {};
  on_device_.emplace();
  fallback_.clear();
  if (device_->is_lost()) {
    fall_back({ErrorCode::kDeviceLost, "the device was lost in an earlier marking"});
    return;
  }
  const OnDevice current(device_->number());
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
  if (Result<void> opened = device_->open(); !opened) {
    return opened;
  }
  device_->mirror()->forget_traffic();
  Result<void> shipped = device_->mirror()->update(job_);
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
    const OnDevice current(device_->number());
    if (Result<void> marked = current.status() ? mark_pending() : current.status(); !marked) {
      fall_back(marked.failure());
    }
  }
  return on_device_ ? true : host_->advance(budget);
}

Result<void> CudaMarker::mark_pending() {
  const Stopwatch marking;
  if (Result<void> launched = device_->launch(pending_); !launched) {
    return launched;
  }
  const Result<kernels::MarkCounters> counters = device_->finish();
  if (!counters) {
    return counters.failure();
  }
  on_device_->mark_ns += marking.ns();
  const Stopwatch home;
  if (Result<void> there = device_->mirror()->bring_bits_home(job_.heap); !there) {
    return there;
  }
  on_device_->home_ns += home.ns();
  on_device_->counters = *counters;
  on_device_->traffic = device_->mirror()->traffic();
  stats_.objects += counters->objects;
  stats_.references += counters->references;
  pending_.clear();
  return {};
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

// Why from the start: what kernels did is on a device that does not answer, and some of its bits may
// have come home without those they lead to.
void CudaMarker::fall_back(const Error& fault) {
  device_->fail(fault);
  on_device_.reset();
  pending_.clear();
  clear_marks(job_);
  MarkJob job = job_;
  job.roots = roots_;
  host_->begin(job);
  fallback_ = "the host marked instead of the device: " + fault.message;
}

}  // namespace tenure
