#include "bench/gc/plain.hpp"

#include <benchmark/benchmark.h>

#include <new>
#include <utility>

#include "bench/support/random.hpp"

namespace tenure::bench {

namespace {

struct Node {
  Node* left;
  Node* right;
  std::int32_t i;
  std::int32_t j;
};
struct Value {
  std::int64_t number;
};
struct Entry {
  Entry* newer;
  Entry* older;
  Value* value;
  std::uint32_t key;
};
struct Link {
  Link* next;
  std::int64_t value;
};
struct Vertex {
  Vertex* edges[kEdges];
  std::int64_t value;
};

class Programs {
 public:
  Programs(const PlainHeap& heap, const GcSizes& sizes) : heap_(heap), sizes_(sizes) {}

  std::uint64_t gc_bench() {
    drop_tree(bottom_up(sizes_.stretch));
    Node* const long_lived = make<Node>(nullptr, nullptr, 0, 0);
    populate(sizes_.long_lived, long_lived);
    auto* const array = static_cast<double*>(there(heap_.allocate_leaf(kArray * sizeof(double))));
    for (std::uint32_t k = 0; k < kArray; ++k) {
      array[k] = 1.0 / (k + 1);
    }
    for (std::uint32_t depth = kShallowest; depth <= sizes_.deepest; depth += 2) {
      const std::uint64_t times = 2 * tree_size(sizes_.stretch) / tree_size(depth);
      for (std::uint64_t k = 0; k < times; ++k) {
        Node* const tree = make<Node>(nullptr, nullptr, 0, 0);
        populate(depth, tree);
        benchmark::DoNotOptimize(tree);
        drop_tree(tree);
      }
      for (std::uint64_t k = 0; k < times; ++k) {
        Node* const tree = bottom_up(depth);
        benchmark::DoNotOptimize(tree);
        drop_tree(tree);
      }
    }
    const std::uint64_t sum = count(long_lived) + (array[1000] == 1.0 / 1001 ? 1 : 0);
    drop_tree(long_lived);
    drop(array);
    return sum;
  }

  std::uint64_t binary_trees() {
    Node* const stretch = bottom_up(sizes_.binary_depth + 1);
    std::uint64_t sum = count(stretch);
    drop_tree(stretch);
    Node* const long_lived = bottom_up(sizes_.binary_depth);
    for (std::uint32_t depth = kShallowest; depth <= sizes_.binary_depth; depth += 2) {
      const std::uint64_t times = std::uint64_t{1} << (sizes_.binary_depth - depth + kShallowest);
      for (std::uint64_t k = 0; k < times; ++k) {
        Node* const tree = bottom_up(depth);
        sum += count(tree);
        drop_tree(tree);
      }
    }
    sum += count(long_lived);
    drop_tree(long_lived);
    return sum;
  }

  std::uint64_t cache() {
    const std::uint32_t keys = sizes_.entries + sizes_.entries / 9;  // nine of ten are there
    auto** const table = static_cast<Entry**>(there(heap_.allocate(keys * sizeof(Entry*))));
    for (std::uint32_t key = 0; key < keys; ++key) {
      table[key] = nullptr;
    }
    Entry* const ends = make<Entry>(nullptr, nullptr, nullptr, 0u);
    ends->newer = ends->older = ends;
    const auto unlink = [](Entry* entry) {
      entry->newer->older = entry->older;
      entry->older->newer = entry->newer;
    };
    const auto to_front = [ends](Entry* entry) {
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
      auto* const value = ::new (there(heap_.allocate_leaf(sizeof(Value)))) Value{k};
      if (Entry* const entry = table[key]; entry != nullptr) {
        sum += static_cast<std::uint64_t>(entry->value->number);
        drop(std::exchange(entry->value, value));
        unlink(entry);
        to_front(entry);
        continue;
      }
      if (filled == sizes_.entries) {
        Entry* const oldest = ends->newer;
        unlink(oldest);
        table[oldest->key] = nullptr;
        drop(oldest->value);
        drop(oldest);
      } else {
        ++filled;
      }
      table[key] = make<Entry>(nullptr, nullptr, value, key);
      to_front(table[key]);
    }
    for (Entry* entry = ends->older; entry != ends;) {
      Entry* const gone = std::exchange(entry, entry->older);
      drop(gone->value);
      drop(gone);
    }
    drop(ends);
    drop(table);
    return sum;
  }

  std::uint64_t list() {
    auto** const nodes = static_cast<Link**>(there(heap_.allocate(sizes_.list * sizeof(Link*))));
    for (std::uint32_t k = 0; k < sizes_.list; ++k) {
      nodes[k] = make<Link>(nullptr, k);
    }
    Random random;
    for (std::uint32_t k = sizes_.list - 1; k > 0; --k) {
      std::swap(nodes[k], nodes[random.below(k + 1)]);
    }
    Link* first = nullptr;
    for (std::uint32_t k = 0; k < sizes_.list; ++k) {
      nodes[k]->next = first;
      first = nodes[k];
    }
    drop(nodes);
    collect();
    std::uint64_t sum = 0;
    for (Link* at = first; at != nullptr;) {
      sum = sum * 31 + static_cast<std::uint64_t>(at->value);
      drop(std::exchange(at, at->next));
    }
    return sum;
  }

  std::uint64_t graph() {
    auto** const vertices =
        static_cast<Vertex**>(there(heap_.allocate(sizes_.graph * sizeof(Vertex*))));
    for (std::uint32_t k = 0; k < sizes_.graph; ++k) {
      vertices[k] = make<Vertex>();
      vertices[k]->value = k;
    }
    Random random;
    for (std::uint32_t k = 0; k < sizes_.graph; ++k) {
      for (Vertex*& edge : vertices[k]->edges) {
        edge = vertices[random.below(sizes_.graph)];
      }
    }
    collect();
    std::uint64_t sum = 0;
    for (std::uint32_t k = 0; k < 1000; ++k) {
      sum += static_cast<std::uint64_t>(vertices[k % sizes_.graph]->edges[0]->value);
    }
    for (std::uint32_t k = 0; heap_.free != nullptr && k < sizes_.graph; ++k) {
      drop(vertices[k]);
    }
    drop(vertices);
    return sum;
  }

 private:
  template <class T, class... Arguments>
  T* make(Arguments... arguments) {
    return ::new (there(heap_.allocate(sizeof(T)))) T{arguments...};
  }
  static void* there(void* block) {
    if (block == nullptr) [[unlikely]] {
      throw std::bad_alloc();
    }
    return block;
  }
  void drop(void* block) {
    if (heap_.free != nullptr) {
      heap_.free(block);
    }
  }
  void collect() {
    if (heap_.collect != nullptr) {
      heap_.collect();
    }
  }
  void drop_tree(Node* tree) {
    if (heap_.free != nullptr && tree != nullptr) {
      drop_tree(tree->left);
      drop_tree(tree->right);
      heap_.free(tree);
    }
  }
  Node* bottom_up(std::uint32_t depth) {
    if (depth == 0) {
      return make<Node>(nullptr, nullptr, 0, 0);
    }
    Node* const left = bottom_up(depth - 1);
    Node* const right = bottom_up(depth - 1);
    return make<Node>(left, right, 0, 0);
  }
  void populate(std::uint32_t depth, Node* node) {
    if (depth == 0) {
      return;
    }
    node->left = make<Node>(nullptr, nullptr, 0, 0);
    node->right = make<Node>(nullptr, nullptr, 0, 0);
    populate(depth - 1, node->left);
    populate(depth - 1, node->right);
  }
  static std::uint64_t count(const Node* tree) {
    return tree == nullptr ? 0 : 1 + count(tree->left) + count(tree->right);
  }

  const PlainHeap& heap_;
  const GcSizes& sizes_;
};

}  // namespace

std::uint64_t run_plain(const PlainHeap& heap, GcProgram program, const GcSizes& sizes) {
  Programs programs(heap, sizes);
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
