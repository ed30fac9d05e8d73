// What is known of a program's allocations: samples that live, and what sites they came from. It is told
// of births and deaths by the heap and the pools, and asks nobody.
//
// It must not know heaps, pools, clocks or symbols. Time is given with each call.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

#include "core/observe/ring.hpp"
#include "core/observe/sites.hpp"
#include "core/observe/timeline.hpp"
#include "tenure/profile.hpp"

namespace tenure {

/// A sample that lives.
enum class SampleId : std::uint32_t { kNone = ~std::uint32_t{0} };

/// An allocation that was drawn.
struct SampledAllocation {
  Allocated what;
  std::uint64_t size = 0;  // bytes
  double factor = 1;       // times that points were further apart than the interval
  std::span<const std::uintptr_t> frames;
};

/// threads  anyone
class Profiler {
 public:
  /// interval  bytes between samples, on average
  explicit Profiler(Bytes interval) : interval_(static_cast<double>(interval.count())) {}

  /// Why relaxed: whoever reads an old level does no more than be late by one allocation; what counts
  /// is looked at under the lock.
  [[nodiscard]] ProfileLevel level() const { return level_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool is_sampling() const { return level() >= ProfileLevel::kDetailed; }
  [[nodiscard]] bool is_recording_all() const { return level() >= ProfileLevel::kComprehensive; }
  [[nodiscard]] double interval() const { return interval_; }
  /// Whether samples may be fewer than they were asked to be, where they come too fast. A small interval
  /// is taken at its word.
  [[nodiscard]] bool is_paced() const { return interval_ >= kLeastPaced; }
  [[nodiscard]] EventLog& events() { return events_; }

  /// Below kDetailed all samples and sites are dropped. No object's sample is on its way meanwhile: the
  /// world is stopped.
  void set_level(ProfileLevel level, std::uint64_t now_ns);

  /// An object was drawn; kNone where nothing is sampled any more.
  [[nodiscard]] SampleId begin(const SampledAllocation& allocation, std::uint64_t now_ns);
  /// Those were found dead.
  void end(std::span<const SampleId> samples, std::uint64_t now_ns);

  /// A payload was drawn. It is known by an address, until it ends.
  void begin_payload(const void* payload, const SampledAllocation& allocation,
                     std::uint64_t now_ns);
  /// Nothing is done where it is not known.
  void end_payload(const void* payload, std::uint64_t now_ns);

  void note_collection(bool collected, std::uint64_t pause_ns, std::uint64_t now_ns);
  /// A full collection's dead have ended: what each site has now is kept, to be compared with the next.
  void note_full_collection();

  /// Allocations by size, as in `AllocationPatterns`; zero where nothing is sampled.
  [[nodiscard]] std::array<double, AllocationPatterns::kBins> size_histogram() const {
    const std::scoped_lock lock(mutex_);
    return size_histogram_;
  }

  /// Says what is at an address of code.
  using Name = std::function<StackFrame(std::uintptr_t)>;
  /// Fills in what `profile` has from kDetailed on.
  void report(Profile& profile, const Name& name) const;

 private:
  struct Sample {
    double weight = 0;  // allocations that it stands for
    std::uint64_t size = 0;
    std::uint64_t born_ns = 0;
    std::uint32_t site = 0;
    std::uint32_t next_free = 0;
  };
  static constexpr double kLeastPaced = 65'536;  // bytes
  static constexpr std::uint32_t kNoSample = ~std::uint32_t{0};

  [[nodiscard]] std::uint32_t add(const SampledAllocation& allocation, std::uint64_t now_ns);
  void remove(std::uint32_t sample, std::uint64_t now_ns);

  const double interval_;
  std::atomic<ProfileLevel> level_{ProfileLevel::kNone};  // written under mutex_

  EventLog events_;

  mutable std::mutex mutex_;     // guards what follows
  std::vector<Sample> samples_;  // by their ids, the free ones linked
  std::uint32_t free_ = kNoSample;
  std::unordered_map<const void*, std::uint32_t> payloads_;  // samples by address
  SiteTable sites_;
  Timeline timeline_;
  std::array<double, AllocationPatterns::kBins> size_histogram_{};
  double allocations_ = 0;
  std::uint64_t drawn_ = 0;
  std::uint64_t since_ns_ = 0;
};

}  // namespace tenure
