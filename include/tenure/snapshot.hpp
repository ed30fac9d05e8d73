// The heap of one moment, as values: which objects live, what refers to what, what names them from
// outside, and which payloads they own.
//
//   const HeapSnapshot now = value_or_throw(take_snapshot(runtime));
//   std::puts(retention_path(now, 0).c_str());  // "handle -> Cache.entries -> Entry[][7] -> Blob"
//
// Invariant: an object is here exactly if a root leads to it. What is dead and was not collected yet
// is counted, and not listed. Weak references are no edges; a weak map's value is one of its key's,
// because the key keeps it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tenure/bytes.hpp"
#include "tenure/object.hpp"
#include "tenure/payload.hpp"
#include "tenure/result.hpp"

namespace tenure {

class Runtime;

/// In place of an object's number: none.
inline constexpr std::uint32_t kNoObject = std::numeric_limits<std::uint32_t>::max();

/// What names an object from outside of the heap.
enum class RootKind : std::uint8_t {
  kCallback,   // a root callback; `number` is its id
  kHandle,     // a Handle
  kPin,        // a Pinned
  kFinalizer,  // the queue: the object is dead, and its finalizer has not run
  kLocal,      // a Local; `number` is its mutator's, counted from 1 in the order of their making
};
/// "root callback", "handle", "pin", "finalizer queue", "local".
[[nodiscard]] std::string_view to_string(RootKind kind);

struct SnapshotType {
  std::string name;
  std::vector<std::string>
      fields;             // names of references, in slot order; none where nobody named them
  bool is_array = false;  // all of its objects is references
};

struct SnapshotObject {
  ObjectIndex place = ObjectIndex::kNull;  // where it was: its identity in this snapshot alone
  std::uint32_t type = 0;                  // in `HeapSnapshot::types`
  std::uint32_t granules = 0;
  std::uint8_t generation = 0;
  std::uint8_t age = 0;  // collections survived in that generation
  bool is_pinned = false;
  bool has_finalizer = false;  // that has not run

  /// Of the heap, its header included.
  [[nodiscard]] Bytes size() const { return Bytes{std::uint64_t{granules} * kGranuleBytes}; }
};

/// A reference that is not null.
struct SnapshotEdge {
  static constexpr std::uint32_t kWeakMapValue = std::numeric_limits<std::uint32_t>::max();

  std::uint32_t target = 0;  // in `HeapSnapshot::objects`
  std::uint32_t slot =
      0;  // of its holder; kWeakMapValue: the holder is a key, the target its value
};

struct SnapshotRoot {
  std::uint32_t object = 0;
  RootKind kind = RootKind::kHandle;
  std::uint32_t label = 0;  // in `HeapSnapshot::labels`; 0 is the empty one
  std::uint64_t number = 0;
};

struct SnapshotPayload {
  std::uint32_t owner = 0;
  MemoryKind kind = MemoryKind::kDevice;
  SiteId site = SiteId::kUnknown;
  Bytes size{};  // as it was asked for
};

/// Objects of the heap and the payloads they own, each kind apart.
struct HeldBytes {
  std::uint64_t objects = 0;
  Bytes heap{};
  std::array<Bytes, kMemoryKinds> payloads{};

  [[nodiscard]] Bytes total() const;
  HeldBytes& operator+=(const HeldBytes& other);
  friend bool operator==(const HeldBytes&, const HeldBytes&) = default;
};

/// What taking it cost.
struct SnapshotCost {
  std::uint64_t to_safepoint_ns = 0;  // until all mutators stood still
  std::uint64_t stop_ns = 0;  // they stood still, the longest of two times; in the runtime's
                              // pauses too
  std::uint64_t total_ns = 0;
  Bytes copied;  // in the stop
};

struct HeapSnapshot {
  std::vector<SnapshotType> types;
  std::vector<SnapshotObject> objects;    // by place
  std::vector<std::uint64_t> first_edge;  // [objects + 1] where an object's edges begin in `edges`
  std::vector<SnapshotEdge> edges;        // by holder, then slot
  std::vector<std::uint32_t> nearer;      // [objects] the holder one step nearer to a root, on a
                                          // shortest way; kNoObject where a root names the object
  std::vector<SnapshotRoot> roots;        // by kind; several may name one object
  std::vector<SnapshotPayload> payloads;  // by owner
  std::vector<std::string> labels;        // of roots; the first is empty

  /// Dead, and not collected yet.
  HeldBytes floating;
  SnapshotCost cost;

  /// An object's edges.
  [[nodiscard]] std::span<const SnapshotEdge> references(std::uint32_t object) const;
  /// The payloads it owns.
  [[nodiscard]] std::span<const SnapshotPayload> payloads_of(std::uint32_t object) const;
  [[nodiscard]] const SnapshotType& type_of(std::uint32_t object) const {
    return types[objects[object].type];
  }
  /// The object alone, with its payloads.
  [[nodiscard]] HeldBytes own(std::uint32_t object) const;
  /// All of it.
  [[nodiscard]] HeldBytes total() const;
};

/// Takes a snapshot of the runtime's heap.
///
/// Root callbacks are asked. Mutators stand still while what is in use of the heap is copied as
/// bytes; the graph is made of the copy while they go on.
///
/// cost     a stop of some 3 ms for each 32 MiB in use on 2 cores, 10^6 objects of 24 to 32 bytes say;
///          what is dead and not collected counts, so that a young collection just before makes it
///          shorter. Memory for one copy of the small objects, and some 60 bytes an object; then some
///          0.3 us an object
/// errors   kOutOfMemory: no room for the copy; kClosed
/// threads  anyone but a root callback; one at a time, others wait for its stop alone
[[nodiscard]] Result<HeapSnapshot> take_snapshot(Runtime& runtime);

/// Where a reference lies, as a chain has it: "Node.left", "Node.#1" where it has no name, "Node[][7]",
/// "Node (weak map)".
[[nodiscard]] std::string describe_edge(const HeapSnapshot& snapshot, std::uint32_t holder,
                                        std::uint32_t slot);

/// Why an object lives: a shortest chain from a root to it, as text. Of several roots that name its
/// first object, the first in the order of RootKind.
///
///   root callback "sessions" -> Table.rows -> Row[][12] -> Row.user -> User
///
/// Chains longer than 40 steps are shortened in the middle.
/// cost     O(its length + edges of the objects on it)
[[nodiscard]] std::string retention_path(const HeapSnapshot& snapshot, std::uint32_t object);

/// The same chain as numbers, from the object that a root names to `object` itself.
[[nodiscard]] std::vector<std::uint32_t> retention_chain(const HeapSnapshot& snapshot,
                                                         std::uint32_t object);

/// The root at which that chain begins: a place in `HeapSnapshot::roots`.
[[nodiscard]] std::uint32_t retaining_root(const HeapSnapshot& snapshot, std::uint32_t object);

/// "handle", "root callback \"sessions\"", "local of mutator 2".
[[nodiscard]] std::string describe_root(const HeapSnapshot& snapshot, const SnapshotRoot& root);

}  // namespace tenure
