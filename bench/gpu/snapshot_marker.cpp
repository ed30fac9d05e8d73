#include "bench/gpu/snapshot_marker.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

namespace tenure::bench {

namespace {

void taken(kernels::LaunchStatus status, const char* launch) {
  must(static_cast<cudaError_t>(status), launch);
}

}  // namespace

SnapshotMarker::SnapshotMarker(Team& team, std::uint64_t copy_words)
    : grid_(query_snapshot_grid()), copy_words_(copy_words), snapshot_(team) {
  taken(grid_.status, "query_snapshot_grid");
  must(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
}

SnapshotMarker::~SnapshotMarker() {
  static_cast<void>(cudaStreamSynchronize(stream_));
  unlock(rows_);
  unlock(columns_);
  static_cast<void>(cudaStreamDestroy(stream_));
}

void SnapshotMarker::begin(const MarkJob& job) {
  job_ = job;
  is_marked_ = false;
  figures_ = {};
  const bool is_unchanged = is_there_ && job.written && job.written->empty();
  if (!is_unchanged) {
    ship();
  }
}

void SnapshotMarker::ship() {
  const double begin = seconds_now();
  is_there_ = false;
  for (Shipped* const part : {&rows_, &columns_}) {
    part->copied = 0;
    part->sent = 0;
  }
  snapshot_.walk(job_, [&](std::uint32_t rows, std::uint64_t columns) {
    copy_up_to(rows_, rows, copy_words_);
    copy_up_to(columns_, columns, copy_words_);
  });
  make_room(rows_, snapshot_.rows());
  make_room(columns_, snapshot_.columns());
  copy_up_to(rows_, snapshot_.rows().size(), 1);
  copy_up_to(columns_, snapshot_.columns().size(), 1);
  must(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
  is_there_ = true;
  figures_.ship_s = seconds_now() - begin;
  figures_.row_bytes = rows_.sent * sizeof(std::uint32_t);
  figures_.column_bytes = columns_.sent * sizeof(std::uint32_t);
}

// What has no room yet waits for `make_room`.
void SnapshotMarker::copy_up_to(Shipped& part, std::uint64_t end, std::uint64_t least) {
  const std::uint64_t words = end - part.copied;
  if (words < least || end > part.room) {
    return;
  }
  must(cudaMemcpyAsync(part.there->data() + part.copied, part.here + part.copied,
                       words * sizeof(std::uint32_t), cudaMemcpyHostToDevice, stream_),
       "cudaMemcpyAsync");
  part.copied = end;
  part.sent += words;
}

void SnapshotMarker::make_room(Shipped& part, std::span<const std::uint32_t> words) {
  if (words.size() <= part.room) {
    return;
  }
  must(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
  unlock(part);
  part.there.reset();
  part.copied = 0;
  constexpr std::uint64_t kSpare = 16;  // a sixteenth more than is there
  const std::uint64_t room = words.size() + words.size() / kSpare;
  part.there = std::make_unique<DeviceArray<std::uint32_t>>(room);
  must(cudaHostRegister(const_cast<std::uint32_t*>(words.data()), room * sizeof(std::uint32_t),
                        cudaHostRegisterDefault),
       "cudaHostRegister");
  part.here = words.data();
  part.room = room;
}

void SnapshotMarker::unlock(Shipped& part) {
  if (part.here != nullptr) {
    static_cast<void>(cudaHostUnregister(const_cast<std::uint32_t*>(part.here)));
  }
  part.here = nullptr;
  part.room = 0;
}

void SnapshotMarker::make_room_for_marking() {
  const std::uint64_t marks = SnapshotLaunch::mark_words(snapshot_.numbers());
  if (marks_ == nullptr || marks_->bytes() < marks * sizeof(std::uint32_t)) {
    marks_ = std::make_unique<DeviceArray<std::uint32_t>>(marks);
    home_ = std::make_unique<LockedBytes>(kernels::MarkWorkspace::kControlBytes + marks_->bytes());
  }
  if (roots_ == nullptr || roots_->bytes() < job_.roots.size_bytes()) {
    roots_ =
        std::make_unique<DeviceArray<std::uint32_t>>(std::max<std::size_t>(job_.roots.size(), 1));
  }
  // As many as the heap's copy would have: nobody's queues overflow where the other's do not.
  std::uint64_t regions = 0;
  for (std::uint32_t region = 0; region < job_.regions; ++region) {
    regions +=
        job_.heap.regions[region].heap == job_.heap.heap && job_.heap.regions[region].leaf == 0 ? 1
                                                                                                : 0;
  }
  const std::uint32_t entries = kernels::MarkWorkspace::entries_for(regions * kGranulesPerRegion *
                                                                    std::uint64_t{kGranuleBytes});
  if (workspace_ == nullptr || entries > queue_entries_) {
    workspace_ = std::make_unique<DeviceArray<std::byte>>(SnapshotLaunch::workspace_bytes(entries));
    queue_entries_ = entries;
  }
}

void SnapshotMarker::mark() {
  make_room_for_marking();
  const double begin = seconds_now();
  std::vector<std::uint32_t> roots;
  for (const ObjectIndex root : job_.roots) {
    roots.push_back(snapshot_.column_of(root));
  }
  // From pageable memory: it is read before the call returns.
  must(cudaMemcpyAsync(roots_->data(), roots.data(), roots.size() * sizeof(std::uint32_t),
                       cudaMemcpyHostToDevice, stream_),
       "cudaMemcpyAsync");
  must(cudaMemsetAsync(marks_->data(), 0, marks_->bytes(), stream_), "cudaMemsetAsync");
  SnapshotLaunch launch;
  launch.rows = rows_.there->data();
  launch.columns = columns_.there->data();
  launch.marks = marks_->data();
  launch.row_count = snapshot_.row_count();
  launch.numbers = snapshot_.numbers();
  launch.roots = roots_->data();
  launch.root_count = static_cast<std::uint32_t>(roots.size());
  launch.workspace = {.memory = workspace_->data(), .queue_entries = queue_entries_};
  launch.blocks = grid_.blocks;
  taken(launch_snapshot_roots(stream_, launch), "launch_snapshot_roots");
  taken(launch_snapshot_to_end(stream_, launch), "launch_snapshot_to_end");
  must(cudaMemcpyAsync(home_->data(), workspace_->data(), sizeof(figures_.counters),
                       cudaMemcpyDeviceToHost, stream_),
       "cudaMemcpyAsync");
  must(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
  std::memcpy(&figures_.counters, home_->data(), sizeof(figures_.counters));
  figures_.mark_s = seconds_now() - begin;
}

void SnapshotMarker::bring_home() {
  const double begin = seconds_now();
  std::byte* const bits = home_->data() + kernels::MarkWorkspace::kControlBytes;
  const std::uint64_t words = (snapshot_.numbers() + std::uint64_t{31}) / 32;
  must(cudaMemcpyAsync(bits, marks_->data(), words * sizeof(std::uint32_t), cudaMemcpyDeviceToHost,
                       stream_),
       "cudaMemcpyAsync");
  must(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
  snapshot_.translate({reinterpret_cast<const std::uint32_t*>(bits), words}, job_.heap);
  figures_.home_s = seconds_now() - begin;
  figures_.home_bytes = words * sizeof(std::uint32_t) + sizeof(figures_.counters);
}

bool SnapshotMarker::advance(std::uint64_t /*budget*/) {
  if (!is_marked_) {
    mark();
    bring_home();
    is_marked_ = true;
  }
  return true;
}

void SnapshotMarker::add(std::span<const ObjectIndex> /*objects*/) {
  throw std::logic_error("a snapshot's marking takes no further roots");
}

MarkStats SnapshotMarker::complete() {
  (void)advance(kNoBudget);
  return {.objects = figures_.counters.objects,
          .references = figures_.counters.references,
          .on_device = true};
}

std::uint64_t SnapshotMarker::device_bytes() const {
  return rows_.there->bytes() + columns_.there->bytes() + marks_->bytes() + roots_->bytes() +
         workspace_->bytes();
}

double SnapshotMarker::time_walk() {
  const double begin = seconds_now();
  snapshot_.walk(job_);
  return seconds_now() - begin;
}

double SnapshotMarker::time_copies() {
  const double begin = seconds_now();
  rows_.copied = 0;
  columns_.copied = 0;
  copy_up_to(rows_, snapshot_.rows().size(), 1);
  copy_up_to(columns_, snapshot_.columns().size(), 1);
  must(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
  return seconds_now() - begin;
}

}  // namespace tenure::bench
