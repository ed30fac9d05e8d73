// Storing references, with the write barrier, beside the bare store of four bytes.
//
// Models: programs that rewire what they hold. "relink" reverses a linked list in place again and
// again: each step reads a reference, stores another, and goes on, as any code on linked data does.
// "scatter" stores to places that a list of work names, one behind the other, with nothing else to
// do: the barrier has nowhere to hide, and this is what it costs a loop of stores alone.
//
// The rival runs the same loop over the same objects and stores the slot through a bare pointer.
// Warm: 16 KiB of objects. Cold: 64 MiB of them at random, after all caches were swept with other
// memory and a young collection emptied the card log, so that the first store on a card logs it.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "bench/benches.hpp"
#include "bench/support/random.hpp"
#include "core/base/check.hpp"
#include "tenure/runtime.hpp"

namespace tenure::bench {

namespace {

constexpr double kWarmTarget = 1.2;  // times the plain store
constexpr double kColdTarget = 1.6;

struct Node {
  Ref<Node> next;
  Ref<Node> other;
  std::int64_t values[2] = {};
  static auto tenure_type() { return describe("Node", &Node::next, &Node::other); }
};
constexpr std::uint32_t kNodeBytes = 32;
static_assert(sizeof(Node) + kGranuleBytes == kNodeBytes);

// The two stores that are compared.
struct WithBarrier {
  static void store(Ref<Node>& slot, Node* value) { slot = value; }
};
struct Plain {
  static void store(Ref<Node>& slot, Node* value) {
    *reinterpret_cast<ObjectIndex*>(&slot) =
        value == nullptr ? ObjectIndex::kNull : detail::object_at(value);
  }
};

// Reverses the list from `head` on, and gives its new head.
template <class Store>
[[gnu::noinline]] Node* reverse(Node* head) {
  Node* behind = nullptr;
  for (Node* node = head; node != nullptr;) {
    Node* const next = node->next.get();
    Store::store(node->next, behind);
    behind = node;
    node = next;
  }
  return behind;
}

// Stores `value` in each of the places, in their order.
template <class Store>
[[gnu::noinline]] void scatter(const std::vector<Node*>& places, const Local<Node>& value) {
  Node* const target = value.get();
  for (Node* const place : places) {
    Store::store(place->other, target);
  }
}

// Nodes that the bench holds, and their addresses, good until something is collected.
class Nodes {
 public:
  Nodes(Mutator& mutator, std::uint32_t count)
      : count_(count), held_(make_array<Node>(mutator, count)) {
    for (std::uint32_t k = 0; k < count; ++k) {
      (*held_)[k] = make<Node>(mutator);
    }
  }

  [[nodiscard]] Node* at(std::uint32_t place) const { return (*held_)[place].get(); }

  // So many of the nodes, in random order, each as likely as any other.
  [[nodiscard]] std::vector<Node*> draw(std::size_t count) const {
    Random random;
    std::vector<Node*> places(count);
    std::generate(places.begin(), places.end(), [&] { return at(random.below(count_)); });
    return places;
  }

  // One list through all of them, in random order; gives its head.
  [[nodiscard]] Node* link() const {
    std::vector<Node*> order(count_);
    for (std::uint32_t k = 0; k < count_; ++k) {
      order[k] = at(k);
    }
    Random random;
    for (std::uint32_t k = count_ - 1; k > 0; --k) {
      std::swap(order[k], order[random.below(k + 1)]);
    }
    for (std::uint32_t k = 0; k + 1 < count_; ++k) {
      order[k]->next = order[k + 1];
    }
    order.back()->next = nullptr;
    return order.front();
  }

 private:
  std::uint32_t count_;
  Local<RefArray<Node>> held_;
};

constexpr std::uint32_t kWarmNodes = 512;

// `where` is what the warm nodes are: "nursery", or "old, card logged". Nothing is collected while
// addresses are held, since nothing is allocated.
void measure_warm(Session& session, Mutator& mutator, const Nodes& nodes,
                  const std::string& where) {
  Node* head = nodes.link();
  const auto relink = [&head](Node* (*reverse_it)(Node*)) -> Run {
    return [&head, reverse_it](std::uint64_t times) {
      const Stopwatch watch;
      for (std::uint64_t k = 0; k < times; ++k) {
        head = reverse_it(head);
      }
      return watch.ns() / static_cast<double>(times * kWarmNodes);
    };
  };
  session.measure({.name = "relink a list, " + where + ", warm",
                   .unit = "ns per node",
                   .ours = relink(reverse<WithBarrier>),
                   .rivals = {{"plain store", kWarmTarget, relink(reverse<Plain>)}}});

  constexpr std::size_t kPlaces = 1024;  // 8 KiB of addresses beside 16 KiB of nodes
  const std::vector<Node*> places = nodes.draw(kPlaces);
  const Local<Node> value(mutator, nodes.at(0));
  const auto scattering = [&](void (*scatter_it)(const std::vector<Node*>&, const Local<Node>&)) {
    return [&places, &value, scatter_it](std::uint64_t times) {
      const Stopwatch watch;
      for (std::uint64_t k = 0; k < times; ++k) {
        scatter_it(places, value);
        benchmark::ClobberMemory();
      }
      return watch.ns() / static_cast<double>(times * kPlaces);
    };
  };
  session.measure({.name = "scatter, " + where + ", warm",
                   .unit = "ns per store",
                   .ours = scattering(scatter<WithBarrier>),
                   .rivals = {{"plain store", {}, scattering(scatter<Plain>)}}});
}

// Caches are full of something else afterwards.
void sweep_caches() {
  constexpr std::size_t kBytes = std::size_t{64} << 20;  // twice the last cache of this year's CPUs
  constexpr std::size_t kLine = 64;
  static std::vector<std::byte> other(kBytes);
  for (std::size_t at = 0; at < kBytes; at += kLine) {
    other[at] = static_cast<std::byte>(std::to_integer<unsigned>(other[at]) + 1u);
  }
  benchmark::ClobberMemory();
}

class Cold {
 public:
  Cold(Runtime& runtime, Mutator& mutator, const Nodes& nodes)
      : runtime_(runtime), mutator_(mutator), nodes_(nodes) {}

  // Stores `stores` references to one object, in a world as the head of this file says.
  void measure(Session& session, const std::string& name, std::size_t stores, bool young) {
    const std::vector<Node*> places = nodes_.draw(stores);
    const auto run = [&](void (*scatter_it)(const std::vector<Node*>&, const Local<Node>&),
                         bool to_young) -> Run {
      return [=, this, &places](std::uint64_t times) {
        double ns = 0;
        for (std::uint64_t k = 0; k < times; ++k) {
          check(runtime_.collect(Collect::kYoung).ok(), "the runtime is open");
          const Local<Node> value =
              to_young ? make<Node>(mutator_) : Local<Node>(mutator_, nodes_.at(0));
          sweep_caches();
          const Stopwatch watch;
          scatter_it(places, value);
          ns += watch.ns();
        }
        return ns / static_cast<double>(times * places.size());
      };
    };
    // Why the rival stores an old object always: unlogged, a young one would be lost. The store is
    // the same, whatever is stored.
    session.measure({.name = name,
                     .unit = "ns per store",
                     .ours = run(scatter<WithBarrier>, young),
                     .rivals = {{"plain store", kColdTarget, run(scatter<Plain>, false)}}});
  }

 private:
  Runtime& runtime_;
  Mutator& mutator_;
  const Nodes& nodes_;
};

}  // namespace

void bench_barrier(Session& session) {
  Runtime runtime = value_or_throw(Runtime::open());
  Mutator mutator(runtime);
  {
    const Nodes nodes(mutator, kWarmNodes);
    measure_warm(session, mutator, nodes, "nursery");
    check(runtime.collect(Collect::kFull).ok(), "the runtime is open");
    // The first stores log the cards, while the amount of work is being found.
    measure_warm(session, mutator, nodes, "old, cards logged");
  }

  const std::uint32_t count = session.pick(64u << 20, 4u << 20) / kNodeBytes;
  const Nodes nodes(mutator, count);
  check(runtime.collect(Collect::kFull).ok(), "the runtime is open");
  Cold cold(runtime, mutator, nodes);
  const std::size_t many = count / 2;  // 8 stores a card: most find it logged
  const std::size_t few = count / 16;  // 1 store a card: most log it
  cold.measure(session, "scatter, old to old, cold, 8 a card", many, false);
  cold.measure(session, "scatter, old to young, cold, 8 a card", many, true);
  cold.measure(session, "scatter, old to old, cold, 1 a card", few, false);
}

}  // namespace tenure::bench
