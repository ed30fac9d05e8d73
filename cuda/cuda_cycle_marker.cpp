#include "cuda/cuda_cycle_marker.hpp"

#include <utility>

#include "cuda/done.hpp"
#include "cuda/marks_from_start.hpp"

namespace tenure {

namespace {

// After so many rounds, or where one did not halve what is left, the stop takes the rest: as in the live
// migration of a virtual machine.
// Source: Clark et al., Live Migration of Virtual Machines, NSDI 2005.
constexpr std::uint32_t kMostRounds = 5;
// What a stop copies and sends without anybody noticing.
constexpr Bytes kFew{256u << 10};

}  // namespace

bool CudaCycleMarker::note_for_copy(const MarkJob& job) {
  if (fault_ || job.types == 0 || device_->is_lost()) {
    return false;
  }
  Mirror* const mirror = device_->mirror();
  if (mirror == nullptr) {  // opening it takes milliseconds, and is for the round
    return stats_.rounds_beside++ < kMostRounds;
  }
  const bool is_first = !std::exchange(has_noted_, true);
  if (is_first) {
    mirror->forget_traffic();
  }
  mirror->note(job);
  const Bytes due = mirror->due();
  const bool pays = due > kFew && stats_.rounds_beside < kMostRounds &&
                    (is_first || due.count() <= last_due_.count() / 2);
  last_due_ = due;
  stats_.rounds_beside += pays ? 1 : 0;
  return pays;
}

bool CudaCycleMarker::copy_some() {
  if (fault_) {
    return true;
  }
  const OnDevice current(device_->number());
  Result<bool> sent = true;
  if (!current.status()) {
    sent = current.status().failure();
  } else if (device_->mirror() == nullptr) {
    const Result<void> opened = device_->open();
    sent = opened ? Result<bool>(true) : opened.failure();
  } else {
    sent = device_->mirror()->send_some();
  }
  if (!sent) {
    fault_ = sent.failure();
    device_->fail(*fault_);
    return true;
  }
  return *sent;
}

void CudaCycleMarker::begin(const MarkJob& job) {
  job_ = job;
  roots_.assign(job.roots.begin(), job.roots.end());
  job_.roots = {};
  added_.clear();
  next_bits_ = 0;
  stats_.objects = stats_.references = 0;
  stats_.on_device = false;
  stats_.fallback.clear();
  if (fault_ || device_->is_lost()) {
    fall_back(fault_.value_or(
        Error{ErrorCode::kDeviceLost, "the device was lost in an earlier marking"}));
    return;
  }
  const OnDevice current(device_->number());
  Result<void> begun = current.status();
  if (begun) {
    begun = device_->open();
  }
  // Why: a device that reads what is being written may see an object before its header.
  if (begun && device_->mirror()->shares_memory()) {
    host_->begin(job);
    step_ = Step::kOnHost;
    return;
  }
  if (begun) {
    begun = begin_on_device();
  }
  job_.written.reset();  // the caller's no longer
  if (!begun) {
    fall_back(begun.failure());
    return;
  }
  step_ = Step::kOnDevice;
}

Result<void> CudaCycleMarker::begin_on_device() {
  if (job_.types == 0) {
    return Error{ErrorCode::kUnsupported, "nobody said how many types the heap's objects have"};
  }
  Mirror& mirror = *device_->mirror();
  if (!has_noted_) {
    mirror.forget_traffic();
  }
  if (Result<void> sent = mirror.update(job_); !sent) {
    return sent;
  }
  const MirrorTraffic& traffic = mirror.traffic();
  stats_.copied_beside = traffic.beside.count();
  stats_.copied_in_stop = (traffic.bulk + traffic.cards).count() - stats_.copied_beside;
  return device_->launch(roots_);
}

bool CudaCycleMarker::advance(std::uint64_t budget) {
  if (step_ == Step::kOnHost) {
    return host_->advance(budget);
  }
  const bool waits = budget == kNoBudget;
  do {
    const OnDevice current(device_->number());
    if (Result<void> gone = current.status() ? go_on(waits) : current.status(); !gone) {
      fall_back(gone.failure());
    }
  } while (waits && step_ != Step::kOnHost);
  return waits && host_->advance(budget);
}

Result<void> CudaCycleMarker::go_on(bool waits) {
  if (device_->mirror() == nullptr) {
    return Error{ErrorCode::kOutOfMemory, "the heap's copy was given up for a payload"};
  }
  if (step_ == Step::kComingHome) {
    const Result<bool> home = device_->mirror()->bring_some_bits_home(job_.heap, next_bits_);
    if (!home) {
      return home.failure();
    }
    if (*home) {
      go_on_with_host();
    }
    return {};
  }
  std::optional<kernels::MarkCounters> counters;
  if (waits) {
    const Result<kernels::MarkCounters> finished = device_->finish();
    if (!finished) {
      return finished.failure();
    }
    counters = *finished;
  } else {
    const Result<std::optional<kernels::MarkCounters>> polled = device_->poll();
    if (!polled) {
      return polled.failure();
    }
    counters = *polled;
  }
  if (counters) {
    stats_.objects = counters->objects;
    stats_.references = counters->references;
    step_ = Step::kComingHome;
  }
  return {};
}

void CudaCycleMarker::go_on_with_host() {
  MarkJob rest = job_;
  host_->begin(rest);
  host_->add(added_);
  added_.clear();
  stats_.on_device = true;
  step_ = Step::kOnHost;
}

void CudaCycleMarker::add(std::span<const ObjectIndex> objects) {
  if (step_ == Step::kOnHost) {
    host_->add(objects);
  } else {
    added_.insert(added_.end(), objects.begin(), objects.end());
  }
}

MarkStats CudaCycleMarker::complete() {
  while (!advance(kNoBudget)) {
  }
  MarkStats stats = host_->complete();
  stats.objects += stats_.objects;
  stats.references += stats_.references;
  stats.on_device = stats_.on_device;
  stats.fallback = stats_.fallback;
  stats.copied_beside = stats_.copied_beside;
  stats.copied_in_stop = stats_.copied_in_stop;
  stats.rounds_beside = stats_.rounds_beside;
  stats_ = {};
  has_noted_ = false;
  step_ = Step::kIdle;
  return stats;
}

void CudaCycleMarker::abandon() {
  host_->abandon();
  added_.clear();
  fault_.reset();
  has_noted_ = false;
  stats_ = {};
  step_ = Step::kIdle;
}

// Why from the start: what kernels did is on a device that does not answer, and some of its bits may
// have come home without those they lead to.
void CudaCycleMarker::fall_back(const Error& fault) {
  device_->fail(fault);
  fault_.reset();
  stats_.objects = 0;
  stats_.references = 0;
  stats_.fallback = "the host marked instead of the device: " + fault.message;
  clear_marks(job_);
  MarkJob job = job_;
  job.roots = roots_;
  host_->begin(job);
  host_->add(added_);
  added_.clear();
  step_ = Step::kOnHost;
}

}  // namespace tenure
