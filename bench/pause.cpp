// Stops and slices with a large heap, while the program goes on allocating.
//
// Models: a server with 2 GiB of sessions, in chains of 24-byte entries that hang from one table. A
// request makes 64 entries and drops them, and stores into one old entry at random; every 32nd
// replaces a chain as a whole, so that the oldest generation fills up with what was dropped.
//
// What is measured, twice: the runtime's own account of its stops and slices, and what a mutator
// sees, who looks at the clock after each request. Time between two looks that no request can have
// taken counts as taken from it, whoever took it: a stop, a slice, the wait for other mutators, or the
// operating system giving the core to another thread.
#include <algorithm>
#include <barrier>
#include <mutex>
#include <numeric>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "bench/benches.hpp"
#include "bench/support/random.hpp"
#include "core/base/check.hpp"
#include "tenure/runtime.hpp"

namespace tenure::bench {

namespace {

constexpr std::uint32_t kPerChain = 85;
constexpr std::uint32_t kPerRequest = 64;
constexpr std::uint64_t kRequestsPerChain = 32;

struct Entry {
  Ref<Entry> next;
  Ref<Entry> other;
  std::int64_t value = 0;
  static auto tenure_type() { return describe("Entry", &Entry::next, &Entry::other); }
};
constexpr std::uint64_t kEntryBytes = 24;

// Time that was taken from a mutator.
class Taken {
 public:
  explicit Taken(std::uint64_t now_ns) : begun_ns_(now_ns), last_ns_(now_ns) {}

  void look(std::uint64_t now_ns) {
    constexpr std::uint64_t kNoRequestTakes = 20'000;
    if (now_ns - last_ns_ > kNoRequestTakes) {
      gaps_.add(now_ns - last_ns_);
      for (std::uint64_t at = last_ns_; at < now_ns;) {
        const std::uint64_t window = (at - begun_ns_) / kWindowNs;
        const std::uint64_t until = std::min(now_ns, begun_ns_ + (window + 1) * kWindowNs);
        windows_.resize(std::max<std::size_t>(windows_.size(), window + 1));
        windows_[window] += until - at;
        at = until;
      }
    }
    last_ns_ = now_ns;
  }

  [[nodiscard]] const PauseHistogram& gaps() const { return gaps_; }
  /// The mutator's share of each whole window of 10 ms, in per cent, the least first.
  [[nodiscard]] std::vector<double> utilisation() const {
    std::vector<double> shares((last_ns_ - begun_ns_) / kWindowNs, 100.0);
    for (std::size_t k = 0; k < std::min(shares.size(), windows_.size()); ++k) {
      shares[k] -= 100.0 * static_cast<double>(windows_[k]) / static_cast<double>(kWindowNs);
    }
    std::sort(shares.begin(), shares.end());
    return shares;
  }

 private:
  static constexpr std::uint64_t kWindowNs = 10'000'000;
  std::uint64_t begun_ns_;
  std::uint64_t last_ns_;
  PauseHistogram gaps_;
  std::vector<std::uint64_t> windows_;
};

// One mutator's sessions. They refer to nothing of another's, so that what is replaced is dead.
class Sessions {
 public:
  Sessions(Runtime& runtime, std::uint32_t chains, std::uint64_t seed)
      : mutator_(runtime), chains_(make_array<Entry>(mutator_, chains)), random_(seed) {
    for (std::uint32_t k = 0; k < chains; ++k) {
      fill(k);
    }
  }

  void request() {
    Local<Entry> last = make<Entry>(mutator_);
    for (std::uint32_t k = 1; k < kPerRequest; ++k) {
      Local<Entry> entry = make<Entry>(mutator_);
      entry->next = last;
      last = entry;
    }
    Entry& head = *(*chains_)[any()];
    head.other = head.next->next;
    if (++requests_ % kRequestsPerChain == 0) {
      fill(any());
    }
  }

  [[nodiscard]] Mutator& mutator() { return mutator_; }
  [[nodiscard]] std::uint64_t requests() const { return requests_; }

 private:
  [[nodiscard]] std::uint32_t any() { return random_.below(chains_->size()); }
  void fill(std::uint32_t chain) {
    Local<Entry> head = make<Entry>(mutator_);
    for (std::uint32_t k = 1; k < kPerChain; ++k) {
      Local<Entry> entry = make<Entry>(mutator_);
      entry->next = head;
      head = entry;
    }
    (*chains_)[chain] = head;
  }

  Mutator mutator_;
  Local<RefArray<Entry>> chains_;
  Random random_;
  std::uint64_t requests_ = 0;
};

struct Plan {
  Mode mode = Mode::kConcurrent;
  std::uint64_t max_pause_us = 1000;
  std::uint32_t mutators = 1;
  std::uint64_t seconds = 60;
  Bytes live;
  double p99_limit_us = 0;
  std::optional<double> max_limit_us{};
};

// What a run came to.
struct Outcome {
  PauseHistogram pauses;
  PauseHistogram slices;
  PauseHistogram to_safepoint;
  PauseHistogram gaps;              // of all mutators
  std::vector<double> utilisation;  // of all mutators' windows, the least first
  std::uint64_t cycles_ended = 0;
  std::uint64_t full_in_one_stop = 0;
  double requests_per_second = 0;
};

Outcome run(const Plan& plan) {
  Config config;
  config.mode = plan.mode;
  config.max_pause_us = plan.max_pause_us;
  Runtime runtime = value_or_throw(Runtime::open(config));
  const auto chains =
      static_cast<std::uint32_t>(plan.live.count() / (kEntryBytes * kPerChain) / plan.mutators);
  Outcome outcome;
  std::mutex mutex;
  std::barrier built(plan.mutators + 1);
  std::barrier begun(plan.mutators + 1);
  std::vector<std::thread> threads;
  for (std::uint32_t k = 0; k < plan.mutators; ++k) {
    threads.emplace_back([&, k] {
      Sessions sessions(runtime, chains, k + 1);
      {
        const Away away(sessions.mutator());
        built.arrive_and_wait();
        begun.arrive_and_wait();
      }
      const std::uint64_t end = steady_ns() + plan.seconds * 1'000'000'000;
      Taken taken(steady_ns());
      for (std::uint64_t now = steady_ns(); now < end; now = steady_ns()) {
        taken.look(now);
        sessions.request();
      }
      const std::scoped_lock lock(mutex);
      outcome.gaps.add_all(taken.gaps());
      const std::vector<double> shares = taken.utilisation();
      outcome.utilisation.insert(outcome.utilisation.end(), shares.begin(), shares.end());
      outcome.requests_per_second +=
          static_cast<double>(sessions.requests()) / static_cast<double>(plan.seconds);
    });
  }
  built.arrive_and_wait();
  const Statistics before = runtime.statistics();
  begun.arrive_and_wait();
  for (std::thread& thread : threads) {
    thread.join();
  }
  const Statistics after = runtime.statistics();
  outcome.pauses = after.pauses.since(before.pauses);
  outcome.slices = after.cycles.slices.since(before.cycles.slices);
  outcome.to_safepoint = after.to_safepoint.since(before.to_safepoint);
  outcome.cycles_ended = after.cycles.ended - before.cycles.ended;
  outcome.full_in_one_stop =
      after.full_collections - before.full_collections - outcome.cycles_ended;
  std::sort(outcome.utilisation.begin(), outcome.utilisation.end());
  return outcome;
}

double us(std::uint64_t ns) { return static_cast<double>(ns) / 1e3; }

void measure_plan(Session& session, const Plan& plan) {
  const Outcome outcome = run(plan);
  const std::string world = std::string(to_string(plan.mode)) + ", target " +
                            std::to_string(plan.max_pause_us) + " us, " +
                            std::to_string(plan.mutators) + " mutators: ";
  const auto add = [&](const std::string& name, const std::string& unit, double value,
                       std::optional<double> limit = {}, Better better = Better::kLower) {
    session.add({.name = world + name, .unit = unit, .better = better, .limit = limit},
                {.ours = {value}, .rivals = {}});
  };
  const auto add_all = [&](const std::string& name, const PauseHistogram& times,
                           std::optional<double> p99, std::optional<double> most) {
    add(name + ", p50", "us", us(times.percentile_ns(50)));
    add(name + ", p99", "us", us(times.percentile_ns(99)), p99);
    add(name + ", p99.9", "us", us(times.percentile_ns(99.9)));
    add(name + ", max", "us", us(times.max_ns()), most);
  };
  add_all("stops", outcome.pauses, plan.p99_limit_us, plan.max_limit_us);
  if (outcome.slices.count() > 0) {
    add_all("slices", outcome.slices, plan.p99_limit_us, plan.max_limit_us);
  }
  add_all("until all stand still", outcome.to_safepoint, {}, {});
  add_all("taken from a mutator at a time", outcome.gaps, {}, {});
  const std::vector<double>& shares = outcome.utilisation;
  if (!shares.empty()) {
    const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
    add("a mutator's share of 10 ms, mean", "%", sum / static_cast<double>(shares.size()), {},
        Better::kHigher);
    add("a mutator's share of 10 ms, 1 of 100 has less", "%", shares[shares.size() / 100], {},
        Better::kHigher);
    add("a mutator's share of 10 ms, least", "%", shares.front(), {}, Better::kHigher);
  }
  add("requests", "1/s", outcome.requests_per_second, {}, Better::kHigher);
  add("markings ended", "cycles", static_cast<double>(outcome.cycles_ended), {}, Better::kHigher);
  add("collections of all in one stop", "collections",
      static_cast<double>(outcome.full_in_one_stop));
}

}  // namespace

void bench_pause(Session& session) {
  const Bytes live = session.pick(2_GiB, 8_MiB);
  const auto seconds = [&session](std::uint64_t full) {
    return session.pick(full, std::uint64_t{1});
  };
  for (const std::uint32_t mutators : {1u, 2u}) {
    measure_plan(session, {.mode = Mode::kConcurrent,
                           .max_pause_us = 1000,
                           .mutators = mutators,
                           .seconds = seconds(mutators == 1 ? 300 : 60),
                           .live = live,
                           .p99_limit_us = 1000,
                           .max_limit_us = 5000});
  }
  for (const std::uint64_t target : {std::uint64_t{1000}, std::uint64_t{10'000}}) {
    measure_plan(session, {.mode = Mode::kIncremental,
                           .max_pause_us = target,
                           .mutators = 1,
                           .seconds = seconds(60),
                           .live = live,
                           .p99_limit_us = 1.5 * static_cast<double>(target)});
  }
}

}  // namespace tenure::bench
