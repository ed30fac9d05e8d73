// The sizes of the programs: the same for every side.
#pragma once

#include <cstdint>
#include <string>

namespace tenure::bench {

struct GcSizes {
  std::uint32_t stretch = 18;       // GCBench: depth of the tree that stretches the heap
  std::uint32_t long_lived = 16;    // of the one that stays
  std::uint32_t deepest = 16;       // of those that come and go, from 4 on
  std::uint32_t binary_depth = 18;  // binary-trees
  std::uint32_t entries = 65'536;   // of the cache
  std::uint32_t requests = 2'000'000;
  std::uint32_t list = 1'000'000;    // nodes
  std::uint32_t graph = 10'000'000;  // vertices

  [[nodiscard]] std::string arguments() const {
    std::string text;
    for (const std::uint32_t size :
         {stretch, long_lived, deepest, binary_depth, entries, requests, list, graph}) {
      text += " " + std::to_string(size);
    }
    return text;
  }
};

enum class GcProgram : std::uint8_t { kGcBench, kBinaryTrees, kCache, kList, kGraph };

/// Trees of depth 4 and more are made so often that each depth allocates as much.
inline constexpr std::uint32_t kShallowest = 4;
inline constexpr std::uint64_t tree_size(std::uint32_t depth) {
  return (std::uint64_t{1} << (depth + 1)) - 1;
}
inline constexpr std::uint32_t kArray = 500'000;  // doubles, that live as long as the tree
inline constexpr std::uint32_t kEdges = 4;

}  // namespace tenure::bench
