#include "bench/gc/ours.hpp"

#include <benchmark/benchmark.h>

#include "bench/support/random.hpp"

namespace tenure::bench {

namespace {

struct Node {
  Ref<Node> left;
  Ref<Node> right;
  std::int32_t i = 0;
  std::int32_t j = 0;
  static auto tenure_type() { return describe("Node", &Node::left, &Node::right); }
};
struct Value {
  std::int64_t number;
};
struct Entry {
  Ref<Entry> newer;
  Ref<Entry> older;
  Ref<Value> value;
  std::uint32_t key = 0;
  static auto tenure_type() {
    return describe("Entry", &Entry::newer, &Entry::older, &Entry::value);
  }
};
struct Link {
  Ref<Link> next;
  std::int64_t value = 0;
  static auto tenure_type() { return describe("Link", &Link::next); }
};
struct Vertex {
  Ref<Vertex> a;
  Ref<Vertex> b;
  Ref<Vertex> c;
  Ref<Vertex> d;
  std::int64_t value = 0;
  static auto tenure_type() {
    return describe("GraphVertex", &Vertex::a, &Vertex::b, &Vertex::c, &Vertex::d);
  }
};
struct Doubles {
  double first = 0;  // the rest stands behind
};

class Programs {
 public:
  Programs(Runtime& runtime, Mutator& mutator, const GcSizes& sizes)
      : runtime_(runtime), mutator_(mutator), sizes_(sizes) {}

  std::uint64_t gc_bench() {
    (void)bottom_up(sizes_.stretch);
    const Local<Node> long_lived = make<Node>(mutator_);
    populate(sizes_.long_lived, long_lived);
    const Local<Doubles> array =
        make_with_tail<Doubles>(mutator_, Bytes{(kArray - 1) * sizeof(double)});
    for (std::uint32_t k = 0; k < kArray; ++k) {
      (&array->first)[k] = 1.0 / (k + 1);
    }
    for (std::uint32_t depth = kShallowest; depth <= sizes_.deepest; depth += 2) {
      const std::uint64_t times = 2 * tree_size(sizes_.stretch) / tree_size(depth);
      for (std::uint64_t k = 0; k < times; ++k) {
        const Local<Node> tree = make<Node>(mutator_);
        populate(depth, tree);
        benchmark::DoNotOptimize(tree.get());
      }
      for (std::uint64_t k = 0; k < times; ++k) {
        const Local<Node> tree = bottom_up(depth);
        benchmark::DoNotOptimize(tree.get());
      }
    }
    return count(long_lived.get()) + ((&array->first)[1000] == 1.0 / 1001 ? 1 : 0);
  }

  std::uint64_t binary_trees() {
    std::uint64_t sum = count(bottom_up(sizes_.binary_depth + 1).get());
    const Local<Node> long_lived = bottom_up(sizes_.binary_depth);
    for (std::uint32_t depth = kShallowest; depth <= sizes_.binary_depth; depth += 2) {
      const std::uint64_t times = std::uint64_t{1} << (sizes_.binary_depth - depth + kShallowest);
      for (std::uint64_t k = 0; k < times; ++k) {
        sum += count(bottom_up(depth).get());
      }
    }
    return sum + count(long_lived.get());
  }

  std::uint64_t cache() {
    const std::uint32_t keys = sizes_.entries + sizes_.entries / 9;  // nine of ten are there
    const Local<RefArray<Entry>> table = make_array<Entry>(mutator_, keys);
    const Local<Entry> ends = make<Entry>(mutator_);
    ends->newer = ends;
    ends->older = ends;
    const auto unlink = [](Entry* entry) {
      entry->newer->older = entry->older;
      entry->older->newer = entry->newer;
    };
    const auto to_front = [&ends](Entry* entry) {
      entry->older = ends->older;
      entry->newer = ends;
      entry->older->newer = entry;
      ends->older = entry;
    };
    Random random;
    std::uint32_t filled = 0;
    std::uint64_t sum = 0;
    for (std::uint32_t k = 0; k < sizes_.requests; ++k) {
      const std::uint32_t key = random.below(keys);
      const Local<Value> value = make<Value>(mutator_, std::int64_t{k});
      if (Entry* const entry = (*table)[key].get(); entry != nullptr) {
        sum += static_cast<std::uint64_t>(entry->value->number);
        entry->value = value;
        unlink(entry);
        to_front(entry);
        continue;
      }
      if (filled == sizes_.entries) {
        Entry* const oldest = ends->newer.get();
        unlink(oldest);
        (*table)[oldest->key] = nullptr;
      } else {
        ++filled;
      }
      const Local<Entry> entry = make<Entry>(mutator_, nullptr, nullptr, value, key);
      (*table)[key] = entry;
      to_front(entry.get());
    }
    return sum;
  }

  std::uint64_t list() {
    Local<Link> first(mutator_);
    {
      const Local<RefArray<Link>> nodes = make_array<Link>(mutator_, sizes_.list);
      for (std::uint32_t k = 0; k < sizes_.list; ++k) {
        const Local<Link> node = make<Link>(mutator_, nullptr, std::int64_t{k});
        (*nodes)[k] = node;
      }
      Random random;
      for (std::uint32_t k = sizes_.list - 1; k > 0; --k) {
        Ref<Link>& other = (*nodes)[random.below(k + 1)];
        Link* const kept = other.get();
        other = (*nodes)[k];
        (*nodes)[k] = kept;
      }
      for (Ref<Link>& node : *nodes) {
        node->next = first;
        first = node;
      }
    }
    collect();
    std::uint64_t sum = 0;
    for (const Link* at = first.get(); at != nullptr; at = at->next.get()) {
      sum = sum * 31 + static_cast<std::uint64_t>(at->value);
    }
    return sum;
  }

  std::uint64_t graph() {
    const Local<RefArray<Vertex>> vertices = make_array<Vertex>(mutator_, sizes_.graph);
    for (std::uint32_t k = 0; k < sizes_.graph; ++k) {
      const Local<Vertex> vertex = make<Vertex>(mutator_);
      vertex->value = k;
      (*vertices)[k] = vertex;
    }
    Random random;
    for (std::uint32_t k = 0; k < sizes_.graph; ++k) {
      Vertex& from = *(*vertices)[k];
      for (Ref<Vertex>* edge : {&from.a, &from.b, &from.c, &from.d}) {
        *edge = (*vertices)[random.below(sizes_.graph)];
      }
    }
    collect();
    std::uint64_t sum = 0;
    for (std::uint32_t k = 0; k < 1000; ++k) {
      sum += static_cast<std::uint64_t>((*vertices)[k % sizes_.graph]->a->value);
    }
    return sum;
  }

 private:
  void collect() { (void)value_or_throw(runtime_.collect(Collect::kFull)); }

  Local<Node> bottom_up(std::uint32_t depth) {
    if (depth == 0) {
      return make<Node>(mutator_);
    }
    const Local<Node> left = bottom_up(depth - 1);
    const Local<Node> right = bottom_up(depth - 1);
    return make<Node>(mutator_, left, right);
  }
  void populate(std::uint32_t depth, const Local<Node>& node) {
    if (depth == 0) {
      return;
    }
    node->left = make<Node>(mutator_);
    node->right = make<Node>(mutator_);
    populate(depth - 1, Local<Node>(mutator_, node->left));
    populate(depth - 1, Local<Node>(mutator_, node->right));
  }
  // Meets no safepoint, so that bare pointers stay good.
  static std::uint64_t count(const Node* tree) {
    return tree == nullptr ? 0 : 1 + count(tree->left.get()) + count(tree->right.get());
  }

  Runtime& runtime_;
  Mutator& mutator_;
  const GcSizes& sizes_;
};

}  // namespace

std::uint64_t run_ours(Runtime& runtime, Mutator& mutator, GcProgram program,
                       const GcSizes& sizes) {
  Programs programs(runtime, mutator, sizes);
  switch (program) {
    case GcProgram::kGcBench:
      return programs.gc_bench();
    case GcProgram::kBinaryTrees:
      return programs.binary_trees();
    case GcProgram::kCache:
      return programs.cache();
    case GcProgram::kList:
      return programs.list();
    case GcProgram::kGraph:
      break;
  }
  return programs.graph();
}

}  // namespace tenure::bench
