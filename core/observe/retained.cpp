// Retained sizes of a snapshot, its totals, and what changed between two of them.
#include <algorithm>
#include <map>
#include <utility>

#include "core/observe/dominators.hpp"
#include "tenure/retention.hpp"

namespace tenure {

namespace {

// The snapshot's objects, and behind them one node that refers to all that roots name.
FlowGraph graph_of(const HeapSnapshot& snapshot) {
  FlowGraph graph;
  graph.first = snapshot.first_edge;
  graph.targets.reserve(snapshot.edges.size() + snapshot.roots.size());
  for (const SnapshotEdge& edge : snapshot.edges) {
    graph.targets.push_back(edge.target);
  }
  for (const SnapshotRoot& root : snapshot.roots) {
    graph.targets.push_back(root.object);
  }
  graph.first.push_back(graph.targets.size());
  return graph;
}

std::vector<HeldBytes> sizes_of(const HeapSnapshot& snapshot) {
  std::vector<HeldBytes> sizes;
  sizes.reserve(snapshot.objects.size());
  for (const SnapshotObject& object : snapshot.objects) {
    sizes.push_back({.objects = 1, .heap = object.size()});
  }
  for (const SnapshotPayload& payload : snapshot.payloads) {
    sizes[payload.owner].payloads[static_cast<std::size_t>(payload.kind)] += payload.size;
  }
  return sizes;
}

std::vector<HeldBytes> held_by_type(const HeapSnapshot& snapshot) {
  std::vector<HeldBytes> sums(snapshot.types.size());
  for (const SnapshotObject& object : snapshot.objects) {
    ++sums[object.type].objects;
    sums[object.type].heap += object.size();
  }
  for (const SnapshotPayload& payload : snapshot.payloads) {
    sums[snapshot.objects[payload.owner].type].payloads[static_cast<std::size_t>(payload.kind)] +=
        payload.size;
  }
  return sums;
}

// Of each type, what those objects retain that have none of their type above them in the tree.
std::vector<HeldBytes> retained_by_type(const HeapSnapshot& snapshot, const Retention& retention) {
  constexpr std::uint32_t kTypesAtATime = 64;
  std::vector<HeldBytes> sums(snapshot.types.size());
  std::vector<std::uint64_t> above(snapshot.objects.size());
  for (std::uint32_t first = 0; first < snapshot.types.size(); first += kTypesAtATime) {
    // A bit a type: which of these 64 an object has above it.
    for (std::size_t k = retention.leaves_first.size(); k-- > 0;) {
      const std::uint32_t object = retention.leaves_first[k];
      const std::uint32_t parent = retention.dominator[object];
      std::uint64_t types = 0;
      if (parent != kNoObject) {
        const std::uint32_t of_parent = snapshot.objects[parent].type - first;  // may wrap
        types = above[parent] |
                (of_parent < kTypesAtATime ? std::uint64_t{1} << of_parent : std::uint64_t{0});
      }
      above[object] = types;
      const std::uint32_t type = snapshot.objects[object].type - first;
      if (type < kTypesAtATime && (types >> type & 1) == 0) {
        sums[first + type] += retention.retained[object];
      }
    }
  }
  return sums;
}

std::vector<TypeTotals> totals(const HeapSnapshot& snapshot, std::vector<HeldBytes> retained) {
  const std::vector<HeldBytes> held = held_by_type(snapshot);
  // Why by name: types of one name are one for a person.
  std::map<std::string, TypeTotals> rows;
  for (std::size_t type = 0; type < held.size(); ++type) {
    TypeTotals& row = rows[snapshot.types[type].name];
    row.type = snapshot.types[type].name;
    row.held += held[type];
    if (!retained.empty()) {
      row.retained += retained[type];
    }
  }
  std::vector<TypeTotals> sorted;
  for (auto& [name, row] : rows) {
    sorted.push_back(std::move(row));
  }
  std::stable_sort(sorted.begin(), sorted.end(), [](const TypeTotals& a, const TypeTotals& b) {
    return a.held.total() > b.held.total();
  });
  return sorted;
}

}  // namespace

Retention find_retention(const HeapSnapshot& snapshot) {
  const auto roots = static_cast<std::uint32_t>(snapshot.objects.size());
  DominatorTree tree = find_dominators(graph_of(snapshot), roots);
  Retention retention{std::move(tree.parent), sizes_of(snapshot), std::move(tree.depth_first)};
  retention.dominator.pop_back();
  retention.leaves_first.erase(retention.leaves_first.begin());  // the roots' node is met first
  std::reverse(retention.leaves_first.begin(), retention.leaves_first.end());
  for (const std::uint32_t object : retention.leaves_first) {
    std::uint32_t& parent = retention.dominator[object];
    if (parent == roots) {
      parent = kNoObject;
    } else {
      retention.retained[parent] += retention.retained[object];
    }
  }
  return retention;
}

std::vector<TypeTotals> totals_by_type(const HeapSnapshot& snapshot, const Retention& retention) {
  return totals(snapshot, retained_by_type(snapshot, retention));
}

std::vector<TypeTotals> totals_by_type(const HeapSnapshot& snapshot) {
  return totals(snapshot, {});
}

std::vector<AgeTotals> totals_by_age(const HeapSnapshot& snapshot) {
  std::map<std::pair<std::uint32_t, std::uint32_t>, HeldBytes> rows;
  const auto row_of = [&](const SnapshotObject& object) -> HeldBytes& {
    return rows[{object.generation, object.age}];
  };
  for (const SnapshotObject& object : snapshot.objects) {
    HeldBytes& row = row_of(object);
    ++row.objects;
    row.heap += object.size();
  }
  for (const SnapshotPayload& payload : snapshot.payloads) {
    row_of(snapshot.objects[payload.owner]).payloads[static_cast<std::size_t>(payload.kind)] +=
        payload.size;
  }
  std::vector<AgeTotals> sorted;
  for (const auto& [key, held] : rows) {
    sorted.push_back({key.first, key.second, held});
  }
  return sorted;
}

std::int64_t TypeChange::growth() const {
  return static_cast<std::int64_t>(after.total().count()) -
         static_cast<std::int64_t>(before.total().count());
}

std::vector<TypeChange> compare(std::span<const TypeTotals> before,
                                std::span<const TypeTotals> after) {
  std::map<std::string, TypeChange> rows;
  for (const TypeTotals& row : before) {
    TypeChange& change = rows[row.type];
    change.before = row.held;
    change.retained_before = row.retained;
  }
  for (const TypeTotals& row : after) {
    TypeChange& change = rows[row.type];
    change.after = row.held;
    change.retained_after = row.retained;
  }
  std::vector<TypeChange> changes;
  for (auto& [type, change] : rows) {
    if (change.before != change.after || change.retained_before != change.retained_after) {
      change.type = type;
      changes.push_back(std::move(change));
    }
  }
  std::stable_sort(changes.begin(), changes.end(), [](const TypeChange& a, const TypeChange& b) {
    return a.growth() > b.growth();
  });
  return changes;
}

}  // namespace tenure
