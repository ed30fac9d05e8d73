// The dominator tree of a graph, by itself.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace tenure {

/// A graph by rows: the targets of node `k` are `targets[first[k]]` to `targets[first[k + 1] - 1]`.
struct FlowGraph {
  std::vector<std::uint64_t> first;  // [nodes + 1]
  std::vector<std::uint32_t> targets;

  [[nodiscard]] std::uint32_t nodes() const { return static_cast<std::uint32_t>(first.size()) - 1; }
  [[nodiscard]] std::span<const std::uint32_t> of(std::uint32_t node) const {
    return std::span(targets).subspan(first[node], first[node + 1] - first[node]);
  }
};

struct DominatorTree {
  static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

  std::vector<std::uint32_t> parent;       // nearest dominator; kNone: the entry, and what it does
                                           // not lead to
  std::vector<std::uint32_t> depth_first;  // nodes as a search meets them: parents before children
};

/// source   Lengauer and Tarjan, TOPLAS 1.1, 1979: with path compression, without balancing
[[nodiscard]] DominatorTree find_dominators(const FlowGraph& graph, std::uint32_t entry);

}  // namespace tenure
