// A training loop whose graph keeps its tensors alive in cycles, on a device with hardly more room
// than what it needs.
//
// Models: a loop in a language with closures, as in the reports on PyTorch, Flux and CUDA.jl that no
// peer has solved: 48 layers; each forward pass makes an activation a layer and a node of the graph
// that holds it. The node's backward closure holds the node: a cycle. Backward runs over them and
// drops the last root. Nobody breaks the cycles. Parameters and their two moments stay; every tenth
// step a checkpoint replaces one of the moments.
//
// The device is simulated: addresses without bytes, a capacity of 1.05 x what is live at the peak of a
// step. In the place of kernels each layer takes 60 us of the host: a step of 2.9 ms, which is what an
// H200 (4.8 TB/s) would take to read and write the bytes of such a step once. The same loop with shared_ptr, as a runtime that counts references, is run
// for the record: it holds what it dropped, and runs out.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "bench/benches.hpp"
#include "core/base/check.hpp"
#include "tenure/runtime.hpp"
#include "tenure/tensor.hpp"

namespace tenure::bench {

namespace {

constexpr std::uint32_t kLayers = 48;
constexpr Bytes kActivation{24u << 20};
constexpr Bytes kParameters{32u << 20};  // of a layer
constexpr std::uint32_t kCopies = 3;     // parameters and their moments
constexpr double kKernelNs = 60'000;     // of a layer
constexpr double kRoom = 1.05;
constexpr double kMostShare = 5;  // percent

constexpr Bytes kLive = (kActivation + kParameters * kCopies) * kLayers;

struct Node {
  Ref<Node> previous;
  Ref<Node> closure;  // of backward: holds what it differentiates
  Ref<Tensor> activation;
  static auto tenure_type() {
    return describe("GraphNode", &Node::previous, &Node::closure, &Node::activation);
  }
};

struct Outcome {
  std::uint64_t steps = 0;
  std::string failure;
  double seconds = 0;
  Statistics statistics;
};

Config config_of(double room) {
  Config config;
  const auto capacity = static_cast<std::uint64_t>(static_cast<double>(kLive.count()) * room);
  config.device = "sim:" + std::to_string(capacity);
  return config;
}

class Training {
 public:
  explicit Training(double room)
      : runtime_(value_or_throw(Runtime::open(config_of(room)))), mutator_(runtime_) {}

  Outcome run(std::uint64_t steps) {
    Outcome outcome;
    const Stopwatch watch;
    try {
      for (std::uint32_t k = 0; k < kLayers * kCopies; ++k) {
        kept_.emplace_back(tensor(kParameters));
      }
      for (; outcome.steps < steps; ++outcome.steps) {
        step(outcome.steps);
      }
    } catch (const Failure& failure) {
      outcome.failure = failure.what();
    }
    outcome.seconds = watch.ns() / 1e9;
    outcome.statistics = runtime_.statistics();
    return outcome;
  }

 private:
  Local<Tensor> tensor(Bytes size) {
    return value_or_throw(
        make_tensor(mutator_, {static_cast<std::int64_t>(size.count() / sizeof(float))}));
  }
  void step(std::uint64_t number) {
    Local<Node> last(mutator_);
    for (std::uint32_t layer = 0; layer < kLayers; ++layer) {
      const Local<Tensor> activation = tensor(kActivation);
      const Local<Node> node = make<Node>(mutator_);
      node->previous = last;
      node->activation = activation;
      const Local<Node> backward = make<Node>(mutator_);
      backward->closure = node;
      node->closure = backward;
      last = node;
      const Stopwatch kernel;
      while (kernel.ns() < kKernelNs) {
      }
    }
    if (number % 10 == 9) {
      Handle<Tensor>& moment = kept_[number % kept_.size()];
      moment.reset();
      moment = Handle<Tensor>(tensor(kParameters));
    }
  }

  Runtime runtime_;
  Mutator mutator_;
  std::vector<Handle<Tensor>> kept_;
};

// The same with counted references; what is leased comes back when a count falls to zero.
class CountedTraining {
 public:
  explicit CountedTraining(double room)
      : runtime_(value_or_throw(Runtime::open(config_of(room)))) {}

  Outcome run(std::uint64_t steps) {
    Outcome outcome;
    std::vector<PayloadLease> kept;
    std::vector<std::weak_ptr<Counted>> made;  // to break the cycles once it is over
    try {
      for (std::uint32_t k = 0; k < kLayers * kCopies; ++k) {
        kept.push_back(value_or_throw(runtime_.lease(kParameters)));
      }
      for (; outcome.steps < steps; ++outcome.steps) {
        std::shared_ptr<Counted> last;
        for (std::uint32_t layer = 0; layer < kLayers; ++layer) {
          auto node = std::make_shared<Counted>();
          made.push_back(node);
          node->activation = value_or_throw(runtime_.lease(kActivation));
          node->previous = last;
          node->closure = std::make_shared<Counted>();
          node->closure->closure = node;
          last = node;
        }
      }
    } catch (const Failure& failure) {
      outcome.failure = failure.what();
    }
    for (const std::weak_ptr<Counted>& node : made) {
      if (const std::shared_ptr<Counted> held = node.lock()) {
        held->closure.reset();
      }
    }
    return outcome;
  }

 private:
  struct Counted {
    std::shared_ptr<Counted> previous;
    std::shared_ptr<Counted> closure;
    PayloadLease activation;
  };
  Runtime runtime_;
};

}  // namespace

void bench_pressure(Session& session) {
  const std::uint64_t steps = session.pick<std::uint64_t>(300, 20);
  const Outcome counted = CountedTraining(kRoom).run(steps);
  check(!counted.failure.empty(), "counted references gave cycles back");
  session.note("counted references ran out in step " + std::to_string(counted.steps) + ": " +
               counted.failure.substr(0, counted.failure.find(':')));

  Outcome last;
  Measured shares;
  Measured times;
  const std::uint32_t rounds = session.pick(9u, 1u);
  for (std::uint32_t round = 0; round < rounds; ++round) {
    last = Training(kRoom).run(steps);
    check(last.failure.empty(), "a training in cycles ran out: " + last.failure);
    shares.ours.push_back(static_cast<double>(last.statistics.pauses.total_ns()) / 1e7 /
                          last.seconds);
    times.ours.push_back(last.seconds * 1e6 / static_cast<double>(steps));
  }
  const std::string about = "training in cycles, 1.05 x live";
  session.add(
      {.name = about + ": share of its time in collections", .unit = "%", .limit = kMostShare},
      shares);
  session.add({.name = about + ": a step", .unit = "us"}, times);
  const PressureStatistics& pressure = last.statistics.pressure;
  session.note("of the last round: " + std::to_string(last.statistics.collections) +
               " collections, " + std::to_string(last.statistics.full_collections) +
               " of them full, in " + std::to_string(steps) + " steps; " +
               std::to_string(pressure.climbs) + " requests found no room at once, " +
               std::to_string(pressure.relieved) + " of them were served");
}

}  // namespace tenure::bench
