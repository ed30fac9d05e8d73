#include "bench/support/measure.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "core/base/check.hpp"

namespace tenure::bench {

namespace {

// How much work fills a round. The run was warmed up by being asked.
std::uint64_t work_for(const Run& run, std::uint64_t most_work, const Effort& effort,
                       const Clock& clock) {
  // A quarter of a round says well enough what the whole takes; less may be one cache miss.
  constexpr std::uint64_t kEnough = 4;
  constexpr double kSteepest = 10;  // what a cold start says is not believed further than this
  for (std::uint64_t work = 1;;) {
    const std::uint64_t begun = clock();
    (void)run(work);
    const std::uint64_t took = std::max<std::uint64_t>(clock() - begun, 1);
    const double factor = static_cast<double>(effort.round_ns) / static_cast<double>(took);
    const double wanted = std::max(1.0, static_cast<double>(work) * std::min(factor, kSteepest));
    const std::uint64_t next = wanted >= static_cast<double>(most_work)
                                   ? most_work
                                   : static_cast<std::uint64_t>(std::llround(wanted));
    if (took >= effort.round_ns / kEnough || next <= work) {
      return next;
    }
    work = next;
  }
}

double quantile(const Samples& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], place - static_cast<double>(below));
}

}  // namespace

std::uint64_t steady_ns() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

Measured measure(const Case& measured, const Effort& effort, const Clock& clock) {
  std::vector<const Run*> sides{&measured.ours};
  for (const Rival& rival : measured.rivals) {
    sides.push_back(&rival.run);
  }
  std::vector<std::uint64_t> work;
  for (const Run* side : sides) {
    work.push_back(work_for(*side, measured.most_work, effort, clock));
  }
  std::vector<Samples> samples(sides.size());
  for (std::uint32_t round = 0; round < effort.rounds; ++round) {
    for (std::size_t turn = 0; turn < sides.size(); ++turn) {
      const std::size_t side = (round + turn) % sides.size();
      samples[side].push_back((*sides[side])(work[side]));
    }
  }
  return {.ours = samples.front(), .rivals = {samples.begin() + 1, samples.end()}};
}

Summary summarize(Samples samples) {
  check(!samples.empty(), "a summary of no samples was asked for");
  std::sort(samples.begin(), samples.end());
  return {.median = quantile(samples, 0.5),
          .spread = quantile(samples, 0.75) - quantile(samples, 0.25)};
}

}  // namespace tenure::bench
