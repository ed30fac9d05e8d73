// What a snapshot answers about single objects: their edges, and why they live.
#include <algorithm>

#include "core/base/check.hpp"
#include "tenure/snapshot.hpp"

namespace tenure {

namespace {

// Of a longer chain the middle is left out: nobody reads a list of 10^6.
constexpr std::size_t kStepsShown = 40;

std::uint32_t slot_towards(const HeapSnapshot& snapshot, std::uint32_t holder,
                           std::uint32_t target) {
  for (const SnapshotEdge& edge : snapshot.references(holder)) {
    if (edge.target == target) {
      return edge.slot;
    }
  }
  fail("a snapshot's way to a root goes by an edge that is not there");
}

}  // namespace

std::string_view to_string(RootKind kind) {
  switch (kind) {
    case RootKind::kCallback:
      return "root callback";
    case RootKind::kHandle:
      return "handle";
    case RootKind::kPin:
      return "pin";
    case RootKind::kFinalizer:
      return "finalizer queue";
    case RootKind::kLocal:
      return "local";
  }
  fail("a kind of root that does not exist");
}

Bytes HeldBytes::total() const {
  Bytes sum = heap;
  for (const Bytes kind : payloads) {
    sum += kind;
  }
  return sum;
}

HeldBytes& HeldBytes::operator+=(const HeldBytes& other) {
  objects += other.objects;
  heap += other.heap;
  for (std::size_t kind = 0; kind < kMemoryKinds; ++kind) {
    payloads[kind] += other.payloads[kind];
  }
  return *this;
}

std::span<const SnapshotEdge> HeapSnapshot::references(std::uint32_t object) const {
  return std::span(edges).subspan(first_edge[object], first_edge[object + 1] - first_edge[object]);
}

std::span<const SnapshotPayload> HeapSnapshot::payloads_of(std::uint32_t object) const {
  const auto [first, end] =
      std::equal_range(payloads.begin(), payloads.end(), SnapshotPayload{.owner = object},
                       [](const auto& a, const auto& b) { return a.owner < b.owner; });
  return {first, end};
}

HeldBytes HeapSnapshot::own(std::uint32_t object) const {
  HeldBytes held{.objects = 1, .heap = objects[object].size()};
  for (const SnapshotPayload& payload : payloads_of(object)) {
    held.payloads[static_cast<std::size_t>(payload.kind)] += payload.size;
  }
  return held;
}

HeldBytes HeapSnapshot::total() const {
  HeldBytes sum{.objects = objects.size()};
  for (const SnapshotObject& object : objects) {
    sum.heap += object.size();
  }
  for (const SnapshotPayload& payload : payloads) {
    sum.payloads[static_cast<std::size_t>(payload.kind)] += payload.size;
  }
  return sum;
}

std::string describe_edge(const HeapSnapshot& snapshot, std::uint32_t holder, std::uint32_t slot) {
  const SnapshotType& type = snapshot.type_of(holder);
  if (slot == SnapshotEdge::kWeakMapValue) {
    return type.name + " (weak map)";
  }
  if (type.is_array) {
    return type.name + "[" + std::to_string(slot) + "]";
  }
  return type.name + "." +
         (slot < type.fields.size() ? type.fields[slot] : "#" + std::to_string(slot));
}

std::string describe_root(const HeapSnapshot& snapshot, const SnapshotRoot& root) {
  std::string text(to_string(root.kind));
  if (root.kind == RootKind::kLocal) {
    return text + " of mutator " + std::to_string(root.number);
  }
  if (root.label != 0) {
    return text + " \"" + snapshot.labels[root.label] + "\"";
  }
  return root.kind == RootKind::kCallback ? text + " " + std::to_string(root.number) : text;
}

std::vector<std::uint32_t> retention_chain(const HeapSnapshot& snapshot, std::uint32_t object) {
  std::vector<std::uint32_t> chain;
  for (std::uint32_t at = object; at != kNoObject; at = snapshot.nearer[at]) {
    chain.push_back(at);
  }
  std::reverse(chain.begin(), chain.end());
  return chain;
}

std::uint32_t retaining_root(const HeapSnapshot& snapshot, std::uint32_t object) {
  std::uint32_t first = object;
  while (snapshot.nearer[first] != kNoObject) {
    first = snapshot.nearer[first];
  }
  for (std::uint32_t k = 0; k < snapshot.roots.size(); ++k) {
    if (snapshot.roots[k].object == first) {
      return k;
    }
  }
  fail("an object of a snapshot has no root");
}

std::string retention_path(const HeapSnapshot& snapshot, std::uint32_t object) {
  const std::vector<std::uint32_t> chain = retention_chain(snapshot, object);
  std::string text = describe_root(snapshot, snapshot.roots[retaining_root(snapshot, object)]);
  const std::size_t half = kStepsShown / 2;
  for (std::size_t k = 0; k + 1 < chain.size(); ++k) {
    if (chain.size() > kStepsShown && k == half) {
      const std::size_t left_out = chain.size() - kStepsShown;
      text += " -> ... " + std::to_string(left_out) + " more ...";
      k += left_out;
    }
    text +=
        " -> " + describe_edge(snapshot, chain[k], slot_towards(snapshot, chain[k], chain[k + 1]));
  }
  return text + " -> " + snapshot.type_of(object).name;
}

}  // namespace tenure
