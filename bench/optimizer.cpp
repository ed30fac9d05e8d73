// What the optimizer makes of programs: for each strategy a load that it was made for, and one that it hurts.
//
// Models: a server that keeps its last requests (survivors as many whatever the nursery is), and one with a
// long queue (all survives until it is old); a training step or a frame, whose garbage dies
// at its end, and a program that marks ends that mean nothing; documents of some KiB that are kept for a
// while among small objects, and such that are dropped at once; lists that are built by turns and walked often,
// and objects that nobody walks.
//
// Each load runs in two runtimes. One is left alone. In the other the strategy's change is tried, by the
// optimizer itself and on the real clock, until it is kept or taken back; what it measured is said below the
// table. Then both run by turns. On a load that the change hurts it is taken back, and both are alike.
#include <benchmark/benchmark.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bench/benches.hpp"
#include "tenure/optimizer.hpp"
#include "tenure/runtime.hpp"

namespace tenure::bench {

namespace {

struct Node {
  Ref<Node> left;
  Ref<Node> right;
  std::int64_t value = 0;
  static auto tenure_type() { return describe("BenchNode", &Node::left, &Node::right); }
};

using Nodes = RefArray<Node>;

// A program in a runtime of its own, that makes small objects and what goes with them.
class Load {
 public:
  explicit Load(Bytes nursery) : runtime_(value_or_throw(Runtime::open(config(nursery)))) {}
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;
  virtual ~Load() = default;

  void run(std::uint64_t objects) {
    Mutator mutator(runtime_);
    go(mutator, objects);
  }
  template <class IsOver>
  void run_until(std::uint64_t most, IsOver is_over) {
    constexpr std::uint64_t kAtATime = 10'000;
    Mutator mutator(runtime_);
    for (std::uint64_t made = 0; made < most && !is_over(); made += kAtATime) {
      go(mutator, kAtATime);
    }
  }
  [[nodiscard]] Runtime& runtime() { return runtime_; }

 private:
  virtual void go(Mutator& mutator, std::uint64_t objects) = 0;

  static Config config(Bytes nursery) {
    Config config;
    config.nursery = nursery;
    config.heap_limit = 512_MiB;
    config.max_pause_us = 1'000'000;
    config.device = "host";
    config.gc_workers = 1;
    return config;
  }

  Runtime runtime_;
};

// The last `kept` objects live, and no others.
class LastObjects : public Load {
 public:
  explicit LastObjects(std::uint32_t kept, std::optional<std::uint64_t> marks = {})
      : Load(2_MiB), kept_(kept), marks_(marks) {}

 private:
  void go(Mutator& mutator, std::uint64_t objects) override {
    if (!ring_) {
      ring_ = Handle<Nodes>(make_array<Node>(mutator, kept_));
    }
    Local<Nodes> ring(mutator, ring_.get());
    for (; objects > 0; --objects) {
      const Local<Node> node = make<Node>(mutator);
      (*ring)[static_cast<std::uint32_t>(at_++ % kept_)] = node;
      if (marks_ && at_ % *marks_ == 0) {
        note_batch_boundary(mutator);
      }
    }
  }

  std::uint32_t kept_;
  std::optional<std::uint64_t> marks_;
  Handle<Nodes> ring_;
  std::uint64_t at_ = 0;
};

// Lists of 3 MiB that die where they are said to, in a nursery that holds two of them and a half.
class Steps : public Load {
 public:
  Steps() : Load(8_MiB) {}

 private:
  void go(Mutator& mutator, std::uint64_t objects) override {
    constexpr std::uint64_t kStep = (3u << 20) / 24;
    Local<Node> list(mutator, list_.get());
    for (; objects > 0; --objects) {
      {
        const Local<Node> node = make<Node>(mutator);
        node->left = list;
        list = node;
      }
      if (++made_ % kStep == 0) {
        list = nullptr;
        list_ = {};
        note_batch_boundary(mutator);
      }
    }
    list_ = Handle<Node>(list);
  }

  Handle<Node> list_;
  std::uint64_t made_ = 0;
};

// A document of 6 KiB for each ten small objects; the last `kept` live.
class Documents : public Load {
 public:
  explicit Documents(std::size_t kept) : Load(2_MiB), ring_(kept) {}

 private:
  void go(Mutator& mutator, std::uint64_t objects) override {
    constexpr std::uint64_t kSlots = 1'500;
    for (; objects > 0; --objects) {
      (void)make<Node>(mutator);
      if (++made_ % 10 == 0) {
        ring_[made_ / 10 % ring_.size()] = Handle<Nodes>(make_array<Node>(mutator, kSlots));
      }
    }
  }

  std::vector<Handle<Nodes>> ring_;
  std::uint64_t made_ = 0;
};

// Lists that are built by turns, and walked while the next ones are built. They are long enough that no cache
// holds them.
class WalkedLists : public Load {
 public:
  WalkedLists() : Load(4_MiB) {}

 private:
  static constexpr std::uint32_t kLists = 64;

  void go(Mutator& mutator, std::uint64_t objects) override {
    constexpr std::uint64_t kBuilt = std::uint64_t{kLists} * 5'000;
    constexpr std::uint64_t kAWalk = 2'500;  // objects made between two walks of one list
    if (!built_) {
      built_ = Handle<Nodes>(make_array<Node>(mutator, kLists));
      walked_ = Handle<Nodes>(make_array<Node>(mutator, kLists));
    }
    for (; objects > 0; --objects) {
      const std::uint64_t made = made_++ % kBuilt;
      if (made == 0) {
        std::swap(built_, walked_);
        for (Ref<Node>& head : *built_) {
          head = nullptr;
        }
      }
      const Local<Node> node = make<Node>(mutator);
      Ref<Node>& head = (*built_)[static_cast<std::uint32_t>(made % kLists)];
      node->left = head;
      head = node;
      if (made % kAWalk == 0) {
        walk((*walked_)[static_cast<std::uint32_t>(made / kAWalk % kLists)].get());
      }
    }
  }

  void walk(const Node* node) {
    for (; node != nullptr; node = node->left.get()) {
      sum_ += node->value;
    }
    benchmark::DoNotOptimize(sum_);
  }

  Handle<Nodes> built_;
  Handle<Nodes> walked_;
  std::uint64_t made_ = 0;
  std::int64_t sum_ = 0;
};

struct Change {
  const char* strategy;
  const char* parameter;
  double value;
};

// Until the trial has ended, or long after it should have.
OptimizationTrial try_on(Load& load, const Change& change, std::uint64_t most_objects) {
  OptimizationRecommendation asked;
  asked.strategy.name = change.strategy;
  asked.parameters[change.parameter] = change.value;
  asked.reasoning = "the bench says so";
  value_or_throw(try_optimization(load.runtime(), asked));
  load.run_until(most_objects, [&load] {
    const TrialState state = optimization_report(load.runtime()).trials.back().state;
    return state == TrialState::kKept || state == TrialState::kTakenBack;
  });
  return optimization_report(load.runtime()).trials.back();
}

class Comparison {
 public:
  explicit Comparison(Session& session) : session_(session) {}

  template <class Make>
  void compare(const Change& change, const std::string& load, Make make) {
    const std::unique_ptr<Load> tuned = make();
    const std::unique_ptr<Load> alone = make();
    const OptimizationTrial trial =
        try_on(*tuned, change, session_.pick(std::uint64_t{500'000'000}, std::uint64_t{10'000}));
    // Why so many at a time: a few objects say nothing about collections.
    constexpr std::uint64_t kAtATime = 10'000;
    const auto timed = [](Load& of) {
      return [&of](std::uint64_t times) {
        const Stopwatch watch;
        of.run(times * kAtATime);
        return watch.ns() / static_cast<double>(times * kAtATime);
      };
    };
    const std::string name = std::string(change.strategy) + ", " + load;
    (void)session_.measure({.name = name,
                            .unit = "ns per object",
                            .ours = timed(*tuned),
                            .rivals = {{"left alone", std::nullopt, timed(*alone)}}});
    session_.note(name + ": " +
                  (trial.conclusion.empty() ? "the trial did not end" : trial.conclusion));
  }

 private:
  Session& session_;
};

}  // namespace

void bench_optimizer(Session& session) {
  static constexpr std::uint32_t kRequests = 20'000;
  static constexpr std::uint32_t kQueue = 500'000;
  static constexpr std::uint64_t kMarked = 50'000;
  static constexpr std::size_t kDocuments = 400;
  const auto last = [](std::uint32_t kept) {
    return [kept] { return std::make_unique<LastObjects>(kept); };
  };
  Comparison all(session);
  const Change nursery{"Generation Tuning", "nursery_bytes", 4.0 * (1 << 20)};
  all.compare(nursery, "last requests", last(kRequests));
  all.compare(nursery, "long queue", last(kQueue));
  const Change batches{"Batch Collection", "at_batch_boundaries", 1};
  all.compare(batches, "steps", [] { return std::make_unique<Steps>(); });
  all.compare(batches, "marks that mean nothing",
              [] { return std::make_unique<LastObjects>(kRequests, kMarked); });
  const Change large{"Large Object Heap", "large_object_bytes", 4096};
  all.compare(large, "documents kept", [] { return std::make_unique<Documents>(kDocuments); });
  all.compare(large, "documents dropped", [] { return std::make_unique<Documents>(1); });
  const Change layout{"Cache-Friendly Layout", "copies_ahead", 1};
  all.compare(layout, "walked lists", [] { return std::make_unique<WalkedLists>(); });
  all.compare(layout, "last requests", last(kRequests));
}

}  // namespace tenure::bench
