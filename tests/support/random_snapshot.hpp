// Snapshots made by hand, without a heap: small random graphs, all of which roots lead to.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "tenure/snapshot.hpp"

namespace tenure::testing {

/// Rows of edges, as a snapshot has them.
inline void set_edges(HeapSnapshot& snapshot,
                      const std::vector<std::vector<std::uint32_t>>& targets) {
  snapshot.first_edge.assign(1, 0);
  snapshot.edges.clear();
  for (const std::vector<std::uint32_t>& row : targets) {
    std::uint32_t slot = 0;
    for (const std::uint32_t target : row) {
      snapshot.edges.push_back({target, slot++});
    }
    snapshot.first_edge.push_back(snapshot.edges.size());
  }
}

inline HeapSnapshot random_snapshot(std::uint64_t seed, std::uint32_t objects) {
  std::mt19937_64 random(seed);
  const auto draw = [&](std::uint64_t below) {
    return static_cast<std::uint32_t>(random() % below);
  };
  HeapSnapshot snapshot;
  snapshot.labels = {""};
  for (const char* const name : {"A", "B", "C"}) {
    snapshot.types.push_back({.name = name, .fields = {}, .is_array = false});
  }
  std::vector<std::vector<std::uint32_t>> targets(objects);
  for (std::uint32_t object = 0; object < objects; ++object) {
    snapshot.objects.push_back({.place = static_cast<ObjectIndex>(8 + 4 * object),
                                .type = draw(3),
                                .granules = 2 + draw(30),
                                .generation = static_cast<std::uint8_t>(draw(3)),
                                .age = static_cast<std::uint8_t>(draw(4))});
    if (draw(5) == 0) {
      snapshot.payloads.push_back({object, static_cast<MemoryKind>(draw(kMemoryKinds)),
                                   SiteId::kUnknown, Bytes{1 + draw(5000)}});
    }
    // Each is found by one before it, or is a root's; further edges go anywhere.
    if (object == 0 || draw(12) == 0) {
      snapshot.roots.push_back({.object = object, .kind = static_cast<RootKind>(draw(5))});
      snapshot.nearer.push_back(kNoObject);
    } else {
      snapshot.nearer.push_back(object - 1 - draw(std::min(object, 6u)));
      targets[snapshot.nearer.back()].push_back(object);
    }
  }
  for (std::uint32_t extra = draw(2 * objects); extra > 0; --extra) {
    targets[draw(objects)].push_back(draw(objects));
  }
  set_edges(snapshot, targets);
  return snapshot;
}

/// A list: each object refers to the next, a root names the first.
inline HeapSnapshot long_list(std::uint32_t objects) {
  HeapSnapshot snapshot;
  snapshot.labels = {""};
  snapshot.types.push_back({.name = "Item", .fields = {"next"}, .is_array = false});
  for (std::uint32_t k = 0; k < objects; ++k) {
    snapshot.objects.push_back({.place = static_cast<ObjectIndex>(8 + 2 * k), .granules = 2});
    snapshot.nearer.push_back(k == 0 ? kNoObject : k - 1);
    snapshot.first_edge.push_back(snapshot.edges.size());
    if (k + 1 < objects) {
      snapshot.edges.push_back({k + 1, 0});
    }
  }
  snapshot.first_edge.push_back(snapshot.edges.size());
  snapshot.roots.push_back({});
  return snapshot;
}

/// Which objects roots lead to once `without` is gone.
inline std::vector<bool> reachable_without(const HeapSnapshot& snapshot, std::uint32_t without) {
  std::vector<bool> reached(snapshot.objects.size(), false);
  std::vector<std::uint32_t> open;
  const auto reach = [&](std::uint32_t object) {
    if (object != without && !reached[object]) {
      reached[object] = true;
      open.push_back(object);
    }
  };
  for (const SnapshotRoot& root : snapshot.roots) {
    reach(root.object);
  }
  while (!open.empty()) {
    const std::uint32_t object = open.back();
    open.pop_back();
    for (const SnapshotEdge& edge : snapshot.references(object)) {
      reach(edge.target);
    }
  }
  return reached;
}

}  // namespace tenure::testing
