// What the optimizer makes of programs: for each strategy a load that it was made for, and one that it hurts.
//
// Models: a server that keeps its last requests (survivors as many whatever the nursery is), and one that
// builds a large state and drops it at once (all survives); a training step or a frame, whose garbage dies
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

// A program in a runtime of its own. `run` makes so many small objects, and what goes with them.
class Load {
 public:
  explicit Load(Bytes nursery)
      : runtime_(value_or_throw(Runtime::open(config(nursery)))), mutator_(runtime_) {}
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;
  virtual ~Load() = default;

  virtual void run(std::uint64_t objects) = 0;
  [[nodiscard]] Runtime& runtime() { return runtime_; }

 protected:
  Runtime runtime_;
  Mutator mutator_;

 private:
  static Config config(Bytes nursery) {
    Config config;
    config.nursery = nursery;
    config.heap_limit = 512_MiB;
    config.max_pause_us = 1'000'000;
    config.device = "host";
    config.gc_workers = 1;
    return config;
  }
};

constexpr std::size_t kKept = 20'000;

// The last objects live, and no others.
class LastRequests : public Load {
 public:
  explicit LastRequests(std::optional<std::uint64_t> marks = {})
      : Load(2_MiB), ring_(make_array<Node>(mutator_, kKept)), marks_(marks) {}
  void run(std::uint64_t objects) override {
    for (; objects > 0; --objects) {
      const Local<Node> node = make<Node>(mutator_);
      (*ring_)[static_cast<std::uint32_t>(at_++ % kKept)] = node;
      if (marks_ && at_ % *marks_ == 0) {
        note_batch_boundary(mutator_);
      }
    }
  }

 private:
  Local<RefArray<Node>> ring_;
  std::optional<std::uint64_t> marks_;
  std::uint64_t at_ = 0;
};

// Everything lives, until all of it is dropped.
class GrowingState : public Load {
 public:
  GrowingState() : Load(2_MiB), list_(mutator_) {}
  void run(std::uint64_t objects) override {
    for (; objects > 0; --objects) {
      const Local<Node> node = make<Node>(mutator_);
      node->left = list_;
      list_ = node;
      if (++length_ % 1'000'000 == 0) {
        list_ = nullptr;
      }
    }
  }

 private:
  Local<Node> list_;
  std::uint64_t length_ = 0;
};

// Lists of 3 MiB that die where they are said to, in a nursery that holds two of them and a half.
class Steps : public Load {
 public:
  Steps() : Load(8_MiB), list_(mutator_) {}
  void run(std::uint64_t objects) override {
    constexpr std::uint64_t kStep = (3u << 20) / 24;
    for (; objects > 0; --objects) {
      const Local<Node> node = make<Node>(mutator_);
      node->left = list_;
      list_ = node;
      if (++made_ % kStep == 0) {
        list_ = nullptr;
        note_batch_boundary(mutator_);
      }
    }
  }

 private:
  Local<Node> list_;
  std::uint64_t made_ = 0;
};

// A document of 6 KiB for each ten small objects; the last `kept` live.
class Documents : public Load {
 public:
  explicit Documents(std::size_t kept) : Load(2_MiB), ring_(kept) {}
  void run(std::uint64_t objects) override {
    constexpr std::uint64_t kSlots = 1'500;
    for (; objects > 0; --objects) {
      (void)make<Node>(mutator_);
      if (++made_ % 10 == 0) {
        ring_[made_ / 10 % ring_.size()] =
            Handle<RefArray<Node>>(make_array<Node>(mutator_, kSlots));
      }
    }
  }

 private:
  std::vector<Handle<RefArray<Node>>> ring_;
  std::uint64_t made_ = 0;
};

// 64 lists that are built by turns, and walked again and again until they are dropped. They are long enough
// that no cache holds them.
class WalkedLists : public Load {
 public:
  WalkedLists() : Load(4_MiB), heads_(make_array<Node>(mutator_, kLists)) {}
  void run(std::uint64_t objects) override {
    constexpr std::uint64_t kBuilt = 64 * 10'000;
    constexpr std::uint64_t kAWalk = 20'000;  // objects made between two walks
    for (; objects > 0; --objects) {
      const std::uint64_t made = made_++ % kBuilt;
      if (made == 0) {
        for (Ref<Node>& head : *heads_) {
          head = nullptr;
        }
      }
      const Local<Node> node = make<Node>(mutator_);
      Ref<Node>& head = (*heads_)[static_cast<std::uint32_t>(made % kLists)];
      node->left = head;
      head = node;
      if (made % kAWalk == 0) {
        walk();
      }
    }
  }

 private:
  static constexpr std::uint64_t kLists = 64;

  void walk() {
    for (const Ref<Node>& head : *heads_) {
      for (const Node* node = head.get(); node != nullptr; node = node->left.get()) {
        sum_ += node->value;
      }
    }
    benchmark::DoNotOptimize(sum_);
  }

  Local<RefArray<Node>> heads_;
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
  constexpr std::uint64_t kAtATime = 10'000;
  for (std::uint64_t made = 0; made < most_objects; made += kAtATime) {
    load.run(kAtATime);
    const TrialState state = optimization_report(load.runtime()).trials.back().state;
    if (state == TrialState::kKept || state == TrialState::kTakenBack) {
      break;
    }
  }
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
    const auto timed = [](Load& of) {
      return [&of](std::uint64_t objects) {
        const Stopwatch watch;
        of.run(objects);
        return watch.ns() / static_cast<double>(objects);
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
  Comparison all(session);
  const Change nursery{"Generation Tuning", "nursery_bytes", 4.0 * (1 << 20)};
  all.compare(nursery, "last requests", [] { return std::make_unique<LastRequests>(); });
  all.compare(nursery, "growing state", [] { return std::make_unique<GrowingState>(); });
  const Change batches{"Batch Collection", "at_batch_boundaries", 1};
  all.compare(batches, "steps", [] { return std::make_unique<Steps>(); });
  static constexpr std::uint64_t kMarked = 50'000;
  all.compare(batches, "marks that mean nothing",
              [] { return std::make_unique<LastRequests>(kMarked); });
  const Change large{"Large Object Heap", "large_object_bytes", 4096};
  static constexpr std::size_t kKeptDocuments = 400;
  all.compare(large, "documents kept", [] { return std::make_unique<Documents>(kKeptDocuments); });
  all.compare(large, "documents dropped", [] { return std::make_unique<Documents>(1); });
  const Change layout{"Cache-Friendly Layout", "copies_ahead", 1};
  all.compare(layout, "walked lists", [] { return std::make_unique<WalkedLists>(); });
  all.compare(layout, "last requests", [] { return std::make_unique<LastRequests>(); });
}

}  // namespace tenure::bench
