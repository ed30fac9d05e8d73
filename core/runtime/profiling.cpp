// The profiler's part of a runtime: who is told what is allocated, and what is found dead.
//
//   object   a buffer's limit set short --> slow path --> sample --> the next stop: heap's list of samples
//            a collection's end: the dead of that list --> their samples end
//   payload  a lease by the runtime --> sample, and a mark on the block's site --> the pool looks at what
//            was handed back, finds the mark --> the sample ends
#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "core/observe/byte_sampler.hpp"
#include "core/runtime/state.hpp"
#include "tenure/events.hpp"
#include "tenure/profile.hpp"
#include "tenure/runtime.hpp"

namespace tenure {

namespace {

// Calls that a sample's stack is cut to: what the library has of them, and some thirty of the program's.
constexpr std::size_t kMostFrames = 40;

// Draws payloads, for all runtimes that the thread leases from. In sample intervals, so that these may
// differ: how far it is to the next point depends on nothing else.
class PayloadSampler {
 public:
  /// Lets a payload pass. Whether it was drawn.
  bool pass(std::uint64_t size, double interval) {
    if (interval != interval_) [[unlikely]] {
      interval_ = interval;
      per_byte_ = 1 / (interval * pace.factor());
    }
    left_ -= static_cast<double>(size) * per_byte_;
    return left_ < 0;
  }
  [[nodiscard]] bool is_begun() const { return points_.is_on(); }
  /// Draws the next point, from the end of what was passed last.
  void draw(std::uint64_t seed) {
    if (points_.is_on()) {
      points_.set_interval(kUnits);
    } else {
      points_.begin(kUnits, seed);
    }
    left_ = static_cast<double>(points_.until()) / kUnits;
    interval_ = 0;  // to be worked out anew: the pace may have changed
  }

  SamplingPace pace;

 private:
  static constexpr double kUnits = 1099511627776.0;  // 2^40

  double left_ = -1;  // intervals to the next point; less than 0 where none was drawn yet
  double per_byte_ = 0;
  double interval_ = 0;  // that per_byte_ is of
  ByteSampler points_;
};
thread_local PayloadSampler payload_sampler;

std::uint64_t seed_of(std::uint64_t seed, std::uint64_t number) {
  return seed * 0xD1342543DE82EF95u + number;
}

// The stack, and no more work than that: what it says is looked up when somebody asks.
class CallStack {
 public:
  [[gnu::noinline]] explicit CallStack(bool wanted)
      : count_(wanted ? host_platform().call_stack(frames_) : 0) {}
  [[nodiscard]] std::span<const std::uintptr_t> frames() const { return {frames_.data(), count_}; }

 private:
  std::array<std::uintptr_t, kMostFrames> frames_;
  std::size_t count_;
};

StackFrame frame_at(std::uintptr_t address) {
  CodePlace place = host_platform().code_at(address);
  return {.address = address,
          .function = std::move(place.function),
          .module = std::move(place.module),
          .offset = place.offset};
}

}  // namespace

void RuntimeState::begin_watching(MutatorState& mutator) {
  const std::uint64_t number = samplers_.fetch_add(1, std::memory_order_relaxed) + 1;
  if (profiler_.is_sampling()) {
    mutator.pace = {};
    mutator.sampler.begin(granules_apart(), seed_of(config_.seed, number));
  } else {
    mutator.sampler.end();
  }
  mutator.events =
      profiler_.is_recording_all()
          ? std::make_unique<EventRing>(profiler_.events(), static_cast<std::uint16_t>(number))
          : nullptr;
}

double RuntimeState::granules_apart() const {
  return profiler_.interval() / static_cast<double>(kGranuleBytes);
}

void RuntimeState::record_event(const Event& event) {
  if (profiler_.level() != ProfileLevel::kNone) {
    profiler_.events().add(event);
  }
}

void RuntimeState::record_reserved(PayloadPool& pool) {
  if (profiler_.level() != ProfileLevel::kNone && !is_child()) {
    record_event({.time_ns = host_platform().now_ns(),
                  .amount = pool.reserved().count(),
                  .subject = static_cast<std::uint32_t>(pool.kind()),
                  .kind = EventKind::kReserved});
  }
}

void RuntimeState::sample_object(MutatorState& mutator, ObjectIndex object, TypeId type,
                                 std::uint64_t granules) {
  mutator.is_sample_due = false;
  const std::uint64_t now = host_platform().now_ns();
  const CallStack stack(config_.profile_stacks);
  const SampleId sample = profiler_.begin({.what = {.what = static_cast<std::uint32_t>(type)},
                                           .size = granules * kGranuleBytes,
                                           .factor = mutator.pace.factor(),
                                           .frames = stack.frames()},
                                          now);
  if (sample != SampleId::kNone) {
    mutator.new_samples.push_back({object, static_cast<std::uint32_t>(sample)});
  }
  if (profiler_.is_paced() && mutator.pace.note(now, host_platform().now_ns())) {
    mutator.sampler.set_interval(granules_apart() * mutator.pace.factor());
    mutator.core.buffer.close();  // its limit was where the next sample was
  }
}

void RuntimeState::sample_payload(PayloadLease& lease, std::uint64_t size, MemoryKind kind) {
  PayloadSampler& sampler = payload_sampler;
  if (!sampler.pass(size, profiler_.interval())) [[likely]] {
    return;
  }
  const std::uint64_t now = host_platform().now_ns();
  if (!sampler.is_begun()) {
    sampler.draw(seed_of(~config_.seed, samplers_.fetch_add(1, std::memory_order_relaxed)));
    if (!sampler.pass(size, profiler_.interval())) {
      return;
    }
  }
  const double factor = sampler.pace.factor();
  const CallStack stack(config_.profile_stacks);
  PayloadBlock& block = *lease.detach();
  lease = PayloadLease(block);
  block.set_sampled(true);
  profiler_.begin_payload(&block,
                          {.what = {.what = static_cast<std::uint32_t>(kind), .is_payload = true},
                           .size = size,
                           .factor = factor,
                           .frames = stack.frames()},
                          now);
  if (profiler_.is_paced()) {
    (void)sampler.pace.note(now, host_platform().now_ns());
  } else {
    sampler.pace = {};
  }
  sampler.draw(0);
}

void RuntimeState::end_sampled_payload(const PayloadBlock& block) {
  if (!is_child()) {  // whoever had the profiler's lock stayed with the parent
    profiler_.end_payload(&block, host_platform().now_ns());
  }
}

void RuntimeState::profile_collection(const CollectionReport& report) {
  if (profiler_.level() == ProfileLevel::kNone) {
    return;
  }
  const std::uint64_t now = host_platform().now_ns();
  const bool collected = report.collected != CollectionReport::kNothing;
  const auto what = collected ? static_cast<std::uint8_t>(report.collected) : EventBatch::kNothing;
  const auto add = [&](EventKind kind, std::uint64_t begun, std::uint64_t took) {
    record_event({.time_ns = begun,
                  .amount = took,
                  .subject = static_cast<std::uint32_t>(report.trigger),
                  .kind = kind,
                  .detail = what});
  };
  const std::uint64_t stopped = now - std::min(now, report.pause_ns);
  add(EventKind::kToSafepoint, stopped - std::min(stopped, report.to_safepoint_ns),
      report.to_safepoint_ns);
  add(EventKind::kCollection, stopped, report.pause_ns);
  if (report.marking_ns > 0) {
    add(EventKind::kMarking, report.marking_began_ns, report.marking_ns);
  }
  if (!profiler_.is_sampling()) {
    return;
  }
  std::vector<SampleId> dead;
  for (const std::uint32_t sample : heap_->samples().take_dead()) {
    dead.push_back(static_cast<SampleId>(sample));
  }
  profiler_.end(dead, now);
  profiler_.note_collection(collected, report.pause_ns, now);
  if (report.full) {
    for_each_pool([](PayloadPool& pool) { (void)pool.leased(); });  // they look at what came back
    profiler_.note_full_collection();
  }
}

void RuntimeState::set_profile_level(MutatorState* self, ProfileLevel level) {
  conductor_->in_stop(self, [&] {
    if (level < ProfileLevel::kDetailed) {
      heap_->samples().clear();
    }
    profiler_.set_level(level, host_platform().now_ns());
    safepoint_.for_each([this](MutatorState& mutator) { begin_watching(mutator); });
  });
}

std::string_view to_string(EventKind kind) {
  constexpr std::array<std::string_view, 6> kWords{"allocation", "collection", "to safepoint",
                                                   "marking",    "reserved",   "pressure step"};
  return kWords.at(static_cast<std::size_t>(kind));
}

Result<EventBatch> take_events(Runtime& runtime) {
  RuntimeState& state = runtime.state();
  if (state.is_child() || !state.is_open()) {
    return Error{ErrorCode::kClosed, "the runtime was closed; it has no events"};
  }
  if (state.profiler().level() == ProfileLevel::kNone) {
    return Error{ErrorCode::kBadArgument,
                 "nothing is watched; the option profile, or set_profile_level, changes that"};
  }
  return state.profiler().events().take();
}

Result<void> set_profile_level(Runtime& runtime, ProfileLevel level) {
  RuntimeState& state = runtime.state();
  if (state.is_child() || !state.is_open()) {
    return Error{ErrorCode::kClosed, "the runtime was closed; it has nothing to watch"};
  }
  state.set_profile_level(state.self(), level);
  return {};
}

ProfileLevel profile_level(const Runtime& runtime) { return runtime.state().profiler().level(); }

Result<Profile> take_profile(Runtime& runtime) {
  RuntimeState& state = runtime.state();
  if (state.is_child() || !state.is_open()) {
    return Error{ErrorCode::kClosed, "the runtime was closed; it has no profile"};
  }
  Profiler& profiler = state.profiler();
  Profile profile;
  profile.level = profiler.level();
  if (profile.level == ProfileLevel::kNone) {
    return Error{ErrorCode::kBadArgument,
                 "nothing is watched; the option profile, or set_profile_level, changes that"};
  }
  profile.sample_interval = state.config().sample_interval;
  profile.live = take_census(runtime);
  Statistics statistics = runtime.statistics();  // pools look at what was handed back
  profile.bytes_allocated = statistics.bytes_allocated;
  profile.pools = std::move(statistics.pools);
  profile.taken_ns = host_platform().now_ns();
  if (profiler.is_sampling()) {
    profiler.report(profile, frame_at);
  }
  return profile;
}

}  // namespace tenure
