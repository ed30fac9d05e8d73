// How a case is measured: our way and its rivals' do the same work by turns, round after round, in
// one run. What disturbs the machine then disturbs all of them, and a ratio is worth something where
// a single time would not be.
//
// It knows neither heaps nor pools, and no clock but the one it is given.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace tenure::bench {

/// Does the work of a case `work` times over, and gives its cost in the case's unit. What is timed,
/// and what is preparation, the run knows itself; nothing of this harness is inside.
using Run = std::function<double(std::uint64_t work)>;

/// Whether small figures are good ones (a time) or large ones (a rate).
enum class Better : std::uint8_t { kLower, kHigher };

/// Another way to do the same work.
struct Rival {
  std::string name;
  std::optional<double> target{};  // our cost may be so many times the rival's
  Run run{};
};

/// What is measured, in whose words, and what ought to come out.
struct Case {
  std::string name;  // says what is measured
  std::string unit;  // "ns per object"
  Better better = Better::kLower;
  std::optional<double> limit{};  // in the unit: what our figure may be at the worst
  Run ours{};
  std::vector<Rival> rivals{};
  /// More work than so much cannot be done in one go.
  std::uint64_t most_work = std::numeric_limits<std::uint64_t>::max();
};

/// One figure a round.
using Samples = std::vector<double>;

struct Measured {
  Samples ours;
  std::vector<Samples> rivals;  // [rivals of the case][rounds]
};

/// How much is done for one case.
struct Effort {
  /// Why nine: quartiles then stand on two rounds at each end that may both be disturbed.
  std::uint32_t rounds = 9;
  std::uint64_t round_ns = 40'000'000;  // of one side, what is not timed included
};

/// A clock in nanoseconds that never goes back.
using Clock = std::function<std::uint64_t()>;
[[nodiscard]] std::uint64_t steady_ns();

/// Finds for each side how much work fills a round, then measures: ours, rival, ours, rival. Another
/// side begins each round.
[[nodiscard]] Measured measure(const Case& measured, const Effort& effort,
                               const Clock& clock = steady_ns);

/// The middle of the samples and how far its quarters lie apart.
struct Summary {
  double median = 0;
  double spread = 0;  // upper less lower quartile
};

/// samples  one at least
[[nodiscard]] Summary summarize(Samples samples);

/// Time since it was made, for the runs themselves.
class Stopwatch {
 public:
  [[nodiscard]] double ns() const { return static_cast<double>(steady_ns() - begun_); }

 private:
  std::uint64_t begun_ = steady_ns();
};

}  // namespace tenure::bench
