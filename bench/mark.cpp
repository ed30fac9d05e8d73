// Full collections of a large heap in which everything is old and alive.
//
// Models: the graph of a program that stays: documents, a compiler's tree, an index. Objects of 24
// bytes with four references each, which lie in the order in which they were made. In a random graph
// each reference slot is a shuffle of all objects, so that each is referred to four times; in a local
// one, of windows of 1,024 neighbours; in the third a tenth of the references lead anywhere. One
// object is rooted, and reaches all others or nearly.
//
// Ours: a full collection as the front door gives it, and the markers alone, through core/model, with
// the world stopped. The rivals are written for this heap and no other: a depth-first loop, as
// anybody would write it, and our own algorithm without types, regions and atomics, the limit.
#include <algorithm>
#include <cstdint>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bench/benches.hpp"
#include "bench/support/random.hpp"
#include "bench/support/span_by_hand.hpp"
#include "core/base/check.hpp"
#include "core/base/team.hpp"
#include "core/gc/parallel_marker.hpp"
#include "core/gc/span_marker.hpp"
#include "core/model/mark_law.hpp"
#include "core/runtime/state.hpp"
#include "tenure/runtime.hpp"

namespace tenure::bench {

namespace {

constexpr std::uint32_t kReferences = 4;
constexpr std::uint32_t kNeighbours = 1024;

struct Vertex {
  Ref<Vertex> a;
  Ref<Vertex> b;
  Ref<Vertex> c;
  Ref<Vertex> d;
  static auto tenure_type() {
    return describe("Vertex", &Vertex::a, &Vertex::b, &Vertex::c, &Vertex::d);
  }

  Ref<Vertex>& slot(std::uint32_t k) { return k == 0 ? a : k == 1 ? b : k == 2 ? c : d; }
};
static_assert(sizeof(Vertex) + kGranuleBytes == 24);

enum class Edges : std::uint8_t { kRandom, kLocal, kMostlyLocal };

// A shuffle of `count` vertices: of all of them, or of windows of neighbours. Windows of one slot begin
// where those of another have their middle or their quarters, so that no two worlds come apart.
std::vector<std::uint32_t> shuffle(Edges edges, std::uint32_t count, std::uint32_t slot,
                                   Random& random) {
  std::vector<std::uint32_t> targets(count);
  std::iota(targets.begin(), targets.end(), 0u);
  const std::uint32_t window = edges == Edges::kRandom ? count : kNeighbours;
  const std::uint32_t lead = edges == Edges::kRandom ? 0 : slot * kNeighbours / kReferences;
  for (std::uint64_t first = 0, end = lead == 0 ? window : lead; first < count;
       first = end, end += window) {
    const std::uint64_t last = std::min<std::uint64_t>(end, count);
    for (std::uint64_t k = last - 1; k > first; --k) {
      const std::uint64_t other = first + random.below(static_cast<std::uint32_t>(k - first + 1));
      std::swap(targets[k], targets[other]);
    }
  }
  if (edges == Edges::kMostlyLocal) {
    for (std::uint32_t& target : targets) {
      target = random.below(10) == 0 ? random.below(count) : target;
    }
  }
  return targets;
}

// A heap of vertices, and the bits of the rival.
class Graph {
 public:
  Graph(Edges edges, std::uint32_t vertices)
      : runtime_(open()), mutator_(runtime_), root_(mutator_) {
    {
      const Local<RefArray<Vertex>> all = make_array<Vertex>(mutator_, vertices);
      for (std::uint32_t k = 0; k < vertices; ++k) {
        (*all)[k] = make<Vertex>(mutator_);
      }
      Random random;
      for (std::uint32_t slot = 0; slot < kReferences; ++slot) {
        const std::vector<std::uint32_t> targets = shuffle(edges, vertices, slot, random);
        for (std::uint32_t k = 0; k < vertices; ++k) {
          (*all)[k]->slot(slot) = (*all)[targets[k]];
        }
      }
      root_ = (*all)[0];
    }
    const CollectionReport report = value_or_throw(runtime_.collect(Collect::kFull));
    live_ = report.objects_marked;
    check(live_ > vertices / 100 * 99,
          "the graph falls apart: one vertex does not reach the others");
    find_bounds();
  }

  // ns per object, of a full collection as any program asks for it.
  double collect() {
    const Stopwatch watch;
    const CollectionReport report = value_or_throw(runtime_.collect(Collect::kFull));
    const double ns = watch.ns();
    check(report.objects_marked == live_, "a full collection marked what is not there");
    return ns / static_cast<double>(live_);
  }

  // The same, of a marker alone.
  double mark(Marker& marker) {
    RuntimeState& state = runtime_.state();
    double ns = 0;
    state.conductor().in_stop(state.self(), [&] {
      Heap& heap = state.heap();
      heap.begin_marking();
      const std::vector<ObjectIndex> roots{root_.index()};
      const Stopwatch watch;
      marker.begin({.heap = heap.view(), .roots = roots});
      const MarkStats stats = marker.complete();
      ns = watch.ns();
      heap.end_marking();
      heap.settle_cells();
      check(stats.objects == live_, "a marker marked what is not there");
    });
    return ns / static_cast<double>(live_);
  }

  // The same, of the limit.
  double mark_spans_by_hand() {
    RuntimeState& state = runtime_.state();
    double ns = 0;
    state.conductor().in_stop(state.self(), [&] {
      const Stopwatch watch;
      const std::uint64_t marked =
          spans_->mark(state.heap().view().words, static_cast<std::uint32_t>(root_.index()));
      ns = watch.ns();
      check(marked == live_, "the limit marked what is not there");
    });
    return ns / static_cast<double>(live_);
  }

  // The same, depth first. Its bits are cleared in the time that is measured, as a collection's are.
  double mark_by_hand() {
    RuntimeState& state = runtime_.state();
    double ns = 0;
    state.conductor().in_stop(state.self(), [&] {
      const Stopwatch watch;
      std::fill(bits_.begin(), bits_.end(), 0u);
      const std::uint64_t marked = depth_first(state.heap().view().words);
      ns = watch.ns();
      check(marked == live_, "the rival marked what is not there");
    });
    return ns / static_cast<double>(live_);
  }

 private:
  // Why manual: what is past the nursery is born old, in the order in which it is made.
  static Runtime open() {
    Config config;
    config.mode = Mode::kManual;
    return value_or_throw(Runtime::open(config));
  }

  void find_bounds() {
    RuntimeState& state = runtime_.state();
    std::uint32_t last = 0;
    first_bit_ = ~0u;
    state.conductor().in_stop(state.self(), [&] {
      state.heap().for_each_object([&](ObjectIndex object) {
        first_bit_ = std::min(first_bit_, mark_bit(object));
        last = std::max(last, mark_bit(object));
      });
    });
    bits_.resize((last - first_bit_) / 32 + 1);
    spans_.emplace(first_bit_ * kGranulesPerMark, last * kGranulesPerMark);
  }

  [[gnu::noinline]] std::uint64_t depth_first(const std::uint32_t* words) {
    std::uint64_t marked = 0;
    stack_.clear();
    const auto reach = [&](std::uint32_t object) {
      if (object == 0) {
        return;
      }
      const std::uint32_t place = mark_bit(static_cast<ObjectIndex>(object)) - first_bit_;
      std::uint32_t& word = bits_[place / 32];
      const std::uint32_t bit = 1u << (place % 32);
      if ((word & bit) == 0) {
        word |= bit;
        ++marked;
        stack_.push_back(object);
      }
    };
    reach(static_cast<std::uint32_t>(root_.index()));
    while (!stack_.empty()) {
      const std::uint32_t* const slots = words + std::uint64_t{2} * stack_.back() + 2;
      stack_.pop_back();
      for (std::uint32_t k = 0; k < kReferences; ++k) {
        reach(slots[k]);
      }
    }
    return marked;
  }

  Runtime runtime_;
  Mutator mutator_;
  Local<Vertex> root_;
  std::uint64_t live_ = 0;  // vertices reached
  std::uint32_t first_bit_ = 0;
  std::vector<std::uint32_t> bits_;  // of the depth-first rival, from first_bit_ on
  std::optional<SpanByHand> spans_;
  std::vector<std::uint32_t> stack_;
};

std::string in_words(std::uint32_t vertices) {
  constexpr std::uint32_t kMillion = 1'000'000;
  return vertices >= kMillion ? std::to_string(vertices / kMillion) + " M"
                              : std::to_string(vertices / 1000) + " k";
}

// The mean of so many goes.
template <class Go>
Run mean_of(Go go) {
  return [go](std::uint64_t times) {
    double sum = 0;
    for (std::uint64_t k = 0; k < times; ++k) {
      sum += go();
    }
    return sum / static_cast<double>(times);
  };
}

std::string in_words(Edges edges) {
  return edges == Edges::kRandom ? "random" : edges == Edges::kLocal ? "local" : "90 % local";
}

void measure_graph(Session& session, Edges edges, std::uint32_t vertices) {
  constexpr double kOneThread = 1.2;
  constexpr double kTwoThreads = 0.65;
  Graph graph(edges, vertices);
  StoppedMarker alone;
  Team two(2);
  ParallelMarker together(two);
  const std::string world = in_words(vertices) + " objects, " + in_words(edges);
  const Run depth_first = mean_of([&] { return graph.mark_by_hand(); });
  const Run spans = mean_of([&] { return graph.mark_spans_by_hand(); });
  session.measure(
      {.name = world + ", one thread",
       .unit = "ns per object",
       .ours = mean_of([&] { return graph.mark(alone); }),
       .rivals = {{"spans by hand", kOneThread, spans}, {"depth first by hand", {}, depth_first}}});
  session.measure({.name = world + ", two threads",
                   .unit = "ns per object",
                   .ours = mean_of([&] { return graph.mark(together); }),
                   .rivals = {{"spans by hand, one thread", kTwoThreads, spans}}});
  session.measure({.name = world + ", full collection",
                   .unit = "ns per object",
                   .ours = mean_of([&] { return graph.collect(); }),
                   .rivals = {{"depth first by hand", {}, depth_first}}});
}

}  // namespace

void bench_mark(Session& session) {
  const auto few = session.pick(1'000'000u, 20'000u);
  const auto many = session.pick(10'000'000u, 100'000u);
  for (const Edges edges : {Edges::kRandom, Edges::kLocal, Edges::kMostlyLocal}) {
    measure_graph(session, edges, few);
    measure_graph(session, edges, many);
  }
}

}  // namespace tenure::bench
