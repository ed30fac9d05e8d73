#include "core/observe/dominators.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace tenure {

namespace {

constexpr std::uint32_t kNone = DominatorTree::kNone;

// Names as in the paper: nodes are numbered in the order of a depth-first search, and everything below
// speaks of these numbers.
class Search {
 public:
  Search(const FlowGraph& graph, std::uint32_t entry) : graph_(graph) {
    number_.assign(graph.nodes(), kNone);
    search(entry);
    list_predecessors();
  }

  DominatorTree run() {
    const auto count = static_cast<std::uint32_t>(vertex_.size());
    semi_.resize(count);
    std::iota(semi_.begin(), semi_.end(), 0u);
    label_ = semi_;
    ancestor_.assign(count, kNone);
    std::vector<std::uint32_t> dominator(count, kNone);
    std::vector<std::uint32_t> bucket(count, kNone);  // lists, by semidominator
    std::vector<std::uint32_t> next(count, kNone);
    for (std::uint32_t w = count; w-- > 1;) {
      for (std::uint64_t k = first_[w]; k < first_[w + 1]; ++k) {
        semi_[w] = std::min(semi_[w], semi_[evaluate(predecessors_[k])]);
      }
      next[w] = std::exchange(bucket[semi_[w]], w);
      ancestor_[w] = parent_[w];
      for (std::uint32_t v = std::exchange(bucket[parent_[w]], kNone); v != kNone; v = next[v]) {
        const std::uint32_t u = evaluate(v);
        dominator[v] = semi_[u] < semi_[v] ? u : parent_[w];
      }
    }
    DominatorTree tree{std::vector<std::uint32_t>(graph_.nodes(), kNone), std::move(vertex_)};
    for (std::uint32_t w = 1; w < count; ++w) {
      if (dominator[w] != semi_[w]) {
        dominator[w] = dominator[dominator[w]];
      }
      tree.parent[tree.depth_first[w]] = tree.depth_first[dominator[w]];
    }
    return tree;
  }

 private:
  void search(std::uint32_t entry) {
    struct Step {
      std::uint32_t node;
      std::uint64_t edge;  // the next to be followed
    };
    std::vector<Step> way;
    const auto enter = [&](std::uint32_t node, std::uint32_t parent) {
      number_[node] = static_cast<std::uint32_t>(vertex_.size());
      vertex_.push_back(node);
      parent_.push_back(parent);
      way.push_back({node, graph_.first[node]});
    };
    enter(entry, kNone);
    while (!way.empty()) {
      Step& step = way.back();
      if (step.edge == graph_.first[step.node + 1]) {
        way.pop_back();
        continue;
      }
      const std::uint32_t target = graph_.targets[step.edge++];
      if (number_[target] == kNone) {
        enter(target, number_[step.node]);
      }
    }
  }

  void list_predecessors() {
    const auto count = static_cast<std::uint32_t>(vertex_.size());
    first_.assign(count + 1, 0);
    const auto for_each_edge = [&](auto visit) {
      for (std::uint32_t v = 0; v < count; ++v) {
        for (const std::uint32_t target : graph_.of(vertex_[v])) {
          visit(v, number_[target]);
        }
      }
    };
    for_each_edge([&](std::uint32_t, std::uint32_t w) { ++first_[w + 1]; });
    std::partial_sum(first_.begin(), first_.end(), first_.begin());
    predecessors_.resize(first_.back());
    std::vector<std::uint64_t> filled(first_.begin(), first_.end() - 1);
    for_each_edge([&](std::uint32_t v, std::uint32_t w) { predecessors_[filled[w]++] = v; });
  }

  // Of the ways linked so far that lead to `v`, the node with the least semidominator.
  std::uint32_t evaluate(std::uint32_t v) {
    if (ancestor_[v] == kNone) {
      return v;
    }
    // From the top down, which is where recursion would come back from.
    for (std::uint32_t at = v; ancestor_[ancestor_[at]] != kNone; at = ancestor_[at]) {
      compressed_.push_back(at);
    }
    while (!compressed_.empty()) {
      const std::uint32_t at = compressed_.back();
      compressed_.pop_back();
      const std::uint32_t above = ancestor_[at];
      if (semi_[label_[above]] < semi_[label_[at]]) {
        label_[at] = label_[above];
      }
      ancestor_[at] = ancestor_[above];
    }
    return label_[v];
  }

  const FlowGraph& graph_;
  std::vector<std::uint32_t> number_;  // by node
  std::vector<std::uint32_t> vertex_;  // the node of a number
  std::vector<std::uint32_t> parent_;  // in the search's tree
  std::vector<std::uint64_t> first_;   // of a number's predecessors
  std::vector<std::uint32_t> predecessors_;
  std::vector<std::uint32_t> semi_;
  std::vector<std::uint32_t> label_;
  std::vector<std::uint32_t> ancestor_;
  std::vector<std::uint32_t> compressed_;  // between two steps of a compression
};

}  // namespace

DominatorTree find_dominators(const FlowGraph& graph, std::uint32_t entry) {
  return Search(graph, entry).run();
}

}  // namespace tenure
