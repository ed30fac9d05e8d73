// What watching a program costs it, level by level.
//
// Models: GCBench as in `gc`, whose 15 million objects are nearly all that it does; a program that makes
// one small object after another and drops it; and one that leases and returns buffers of one size
// through a runtime, 64 of them live, whose bytes nobody touches. So each is the worst of its kind: a
// program that uses what it allocates pays a smaller share.
//
// One runtime runs them all, and its level is changed between the rounds, outside of what is timed.
#include <benchmark/benchmark.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "bench/benches.hpp"
#include "bench/gc/ours.hpp"
#include "core/base/check.hpp"
#include "tenure/profile.hpp"
#include "tenure/runtime.hpp"

namespace tenure::bench {

namespace {

constexpr std::size_t kLive = 64;
constexpr double kNsPerEvent = 15;

struct Level {
  ProfileLevel level;
  double target;  // of what it takes unwatched
};
constexpr Level kLevels[] = {{ProfileLevel::kBasic, 1.01},
                             {ProfileLevel::kDetailed, 1.02},
                             {ProfileLevel::kComprehensive, 1.15}};

struct Node {
  std::int64_t a = 0;
  std::int64_t b = 0;
  std::int64_t c = 0;
};

class Watched {
 public:
  explicit Watched(Session& session)
      : session_(session),
        sizes_(session.pick(GcSizes{}, GcSizes{.stretch = 8, .long_lived = 6, .deepest = 6})),
        runtime_(value_or_throw(Runtime::open(config()))),
        mutator_(runtime_) {}

  void gc_bench() {
    const auto run = [this](std::uint64_t times) {
      const Stopwatch watch;
      for (std::uint64_t k = 0; k < times; ++k) {
        benchmark::DoNotOptimize(run_ours(runtime_, mutator_, GcProgram::kGcBench, sizes_));
      }
      return watch.ns() / static_cast<double>(times) / 1e6;
    };
    for (const Level& level : kLevels) {
      (void)compare("GCBench", "ms", level, run);
    }
  }

  void small_objects() {
    const auto run = [this](std::uint64_t times) {
      const Stopwatch watch;
      for (std::uint64_t k = 0; k < times; ++k) {
        const Local<Node> node = make<Node>(mutator_);
        benchmark::DoNotOptimize(node.get());
      }
      return watch.ns() / static_cast<double>(times);
    };
    for (const Level& level : kLevels) {
      // A program that does nothing but allocate has no share that would be its own.
      const Measured measured = compare("32-byte objects", "ns per object", {level.level, {}}, run);
      if (level.level == ProfileLevel::kComprehensive) {
        const double event =
            summarize(measured.ours).median - summarize(measured.rivals.at(0)).median;
        session_.note("an object's event costs " + std::to_string(event) + " ns; it may cost " +
                      std::to_string(kNsPerEvent));
      }
    }
  }

  void leases(Bytes size) {
    const auto run = [this, size](std::uint64_t times) {
      std::array<PayloadLease, kLive> live;
      for (PayloadLease& lease : live) {
        lease = value_or_throw(runtime_.lease(size, {.kind = MemoryKind::kHost}));
      }
      const Stopwatch watch;
      for (std::uint64_t k = 0; k < times; ++k) {
        PayloadLease& oldest = live[k % kLive];
        oldest.release();
        oldest = value_or_throw(runtime_.lease(size, {.kind = MemoryKind::kHost}));
      }
      return watch.ns() / static_cast<double>(times);
    };
    for (const Level& level : kLevels) {
      (void)compare("leases of " + to_string(size), "ns per pair", level, run);
    }
  }

 private:
  static Config config() {
    Config config;
    config.heap_limit = 64_MiB;
    config.nursery = 16_MiB;
    config.old_start = 32_MiB;
    config.max_pause_us = 1'000'000;
    config.device = "host";
    config.plan_payloads = PayloadPlans::kOff;
    return config;
  }

  Measured compare(const std::string& what, const std::string& unit, const Level& level,
                   const Run& run) {
    const auto at = [&](ProfileLevel now) {
      return [this, now, run](std::uint64_t times) {
        check(set_profile_level(runtime_, now).ok(), "an open runtime changes its level");
        return run(times);
      };
    };
    const std::optional<double> target =
        level.target > 0 ? std::optional(level.target) : std::nullopt;
    return session_.measure({.name = what + ", " + std::string(to_string(level.level)),
                             .unit = unit,
                             .ours = at(level.level),
                             .rivals = {{"not watched", target, at(ProfileLevel::kNone)}}});
  }

  Session& session_;
  GcSizes sizes_;
  Runtime runtime_;
  Mutator mutator_;
};

}  // namespace

void bench_profile(Session& session) {
  Watched watched(session);
  watched.gc_bench();
  watched.small_objects();
  watched.leases(4_KiB);
  watched.leases(1_MiB);
}

}  // namespace tenure::bench
