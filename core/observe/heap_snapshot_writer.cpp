// V8's format: one array of numbers for all nodes, one for all edges, and a table of strings.
//
//   node 0          the root                      -> 1
//   1               "(GC roots)"                  -> the groups
//   2, 3, ...       a group for each kind of root, mutator and root callback -> objects
//   then            objects, in the snapshot's order
//   then            payloads, which their owners refer to
//
// An edge names its target by the place of the target's first number: its node times kNodeFields.
#include <algorithm>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/observe/snapshot_writers.hpp"

namespace tenure {

namespace {

constexpr std::string_view kMeta =
    R"({"snapshot":{"meta":{"node_fields":["type","name","id","self_size","edge_count",)"
    R"("trace_node_id","detachedness"],"node_types":[["hidden","array","string","object","code",)"
    R"("closure","regexp","number","native","synthetic","concatenated string","sliced string",)"
    R"("symbol","bigint","object shape"],"string","number","number","number","number","number"],)"
    R"("edge_fields":["type","name_or_index","to_node"],"edge_types":[["context","element",)"
    R"("property","internal","hidden","shortcut","weak"],"string_or_number","node"],)"
    R"("trace_function_info_fields":["function_id","name","script_name","script_id","line",)"
    R"("column"],"trace_node_fields":["id","function_info_index","count","size","children"],)"
    R"("sample_fields":["timestamp_us","last_assigned_id"],"location_fields":["object_index",)"
    R"("script_id","line","column"]},)";

// Places in `node_types` and `edge_types` above.
enum class NodeType : std::uint8_t { kArray = 1, kObject = 3, kNative = 8, kSynthetic = 9 };
enum class EdgeType : std::uint8_t { kElement = 1, kProperty = 2, kInternal = 3 };
constexpr std::uint64_t kNodeFields = 7;

// Ids are odd, as V8's are for objects of the heap, and an object's is made of its place.
constexpr std::uint64_t kFirstGroupId = std::uint64_t{1} << 34;
constexpr std::uint64_t kFirstPayloadId = std::uint64_t{1} << 35;

class Strings {
 public:
  std::uint32_t number_of(const std::string& string) {
    const auto [at, is_new] =
        numbers_.try_emplace(string, static_cast<std::uint32_t>(strings_.size()));
    if (is_new) {
      strings_.push_back(string);
    }
    return at->second;
  }
  [[nodiscard]] const std::vector<std::string>& all() const { return strings_; }

 private:
  std::vector<std::string> strings_;
  std::unordered_map<std::string, std::uint32_t> numbers_;
};

// Roots of one description.
struct Group {
  std::string name;
  std::vector<std::uint32_t> objects;
};

std::vector<Group> groups_of(const HeapSnapshot& snapshot) {
  std::vector<Group> groups;
  std::unordered_map<std::string, std::size_t> places;
  for (const SnapshotRoot& root : snapshot.roots) {
    const std::string name = "(" + describe_root(snapshot, root) + ")";
    const auto [at, is_new] = places.try_emplace(name, groups.size());
    if (is_new) {
      groups.push_back({name, {}});
    }
    groups[at->second].objects.push_back(root.object);
  }
  return groups;
}

class Writing {
 public:
  Writing(const HeapSnapshot& snapshot, TextFile& file)
      : snapshot_(snapshot),
        file_(file),
        groups_(groups_of(snapshot)),
        first_object_(2 + groups_.size()),
        first_payload_(first_object_ + snapshot.objects.size()) {}

  void run() {
    std::uint64_t edges = 1 + groups_.size() + snapshot_.roots.size() + snapshot_.edges.size() +
                          snapshot_.payloads.size();
    file_ << kMeta << R"("node_count":)" << first_payload_ + snapshot_.payloads.size()
          << R"(,"edge_count":)" << edges << R"(,"trace_function_count":0},)"
          << "\n\"nodes\":[";
    write_nodes();
    file_ << "],\n\"edges\":[";
    write_edges();
    file_ << "],\n"
          << R"("trace_function_infos":[],"trace_tree":[],"samples":[],"locations":[],)"
          << "\n\"strings\":[";
    const char* before = "";
    for (const std::string& string : strings_.all()) {
      (file_ << before).quote(string);
      before = ",\n";
    }
    file_ << "]}\n";
  }

 private:
  void node(NodeType type, const std::string& name, std::uint64_t id, std::uint64_t size,
            std::uint64_t edges) {
    file_ << (is_first_ ? "" : ",") << static_cast<unsigned>(type) << ","
          << strings_.number_of(name) << "," << id << "," << size << "," << edges << ",0,0\n";
    is_first_ = false;
  }
  void edge(EdgeType type, std::uint64_t name_or_index, std::uint64_t target) {
    file_ << (is_first_ ? "" : ",") << static_cast<unsigned>(type) << "," << name_or_index << ","
          << target * kNodeFields << "\n";
    is_first_ = false;
  }

  void write_nodes() {
    is_first_ = true;
    node(NodeType::kSynthetic, "", 1, 0, 1);
    node(NodeType::kSynthetic, "(GC roots)", 3, 0, groups_.size());
    std::uint64_t id = kFirstGroupId + 1;
    for (const Group& group : groups_) {
      node(NodeType::kSynthetic, group.name, id, 0, group.objects.size());
      id += 2;
    }
    for (std::uint32_t k = 0; k < snapshot_.objects.size(); ++k) {
      const SnapshotObject& object = snapshot_.objects[k];
      const SnapshotType& type = snapshot_.types[object.type];
      node(type.is_array ? NodeType::kArray : NodeType::kObject, type.name,
           2 * std::uint64_t{static_cast<std::uint32_t>(object.place)} + 1, object.size().count(),
           snapshot_.references(k).size() + snapshot_.payloads_of(k).size());
    }
    id = kFirstPayloadId + 1;
    for (const SnapshotPayload& payload : snapshot_.payloads) {
      node(NodeType::kNative, "payload (" + std::string(to_string(payload.kind)) + ")", id,
           payload.size.count(), 0);
      id += 2;
    }
  }

  void write_edges() {
    is_first_ = true;
    edge(EdgeType::kElement, 1, 1);
    for (std::size_t group = 0; group < groups_.size(); ++group) {
      edge(EdgeType::kElement, group + 1, 2 + group);
    }
    for (const Group& group : groups_) {
      for (std::size_t k = 0; k < group.objects.size(); ++k) {
        edge(EdgeType::kElement, k + 1, first_object_ + group.objects[k]);
      }
    }
    const std::uint64_t of_payload = strings_.number_of("payload");
    const std::uint64_t of_weak_map = strings_.number_of("value in a weak map");
    for (std::uint32_t k = 0; k < snapshot_.objects.size(); ++k) {
      const SnapshotType& type = snapshot_.type_of(k);
      for (const SnapshotEdge& reference : snapshot_.references(k)) {
        const std::uint64_t target = first_object_ + reference.target;
        if (reference.slot == SnapshotEdge::kWeakMapValue) {
          edge(EdgeType::kInternal, of_weak_map, target);
        } else if (type.is_array) {
          edge(EdgeType::kElement, reference.slot, target);
        } else {
          edge(EdgeType::kProperty, field(snapshot_.objects[k].type, reference.slot), target);
        }
      }
      const std::span<const SnapshotPayload> owned = snapshot_.payloads_of(k);
      for (const SnapshotPayload& payload : owned) {
        edge(EdgeType::kInternal, of_payload,
             first_payload_ + static_cast<std::uint64_t>(&payload - snapshot_.payloads.data()));
      }
    }
  }

  // The string of a field's name.
  std::uint64_t field(std::uint32_t type, std::uint32_t slot) {
    fields_.resize(snapshot_.types.size());
    std::vector<std::uint64_t>& names = fields_[type];
    const std::vector<std::string>& known = snapshot_.types[type].fields;
    while (names.size() <= slot) {
      const std::size_t k = names.size();
      names.push_back(strings_.number_of(k < known.size() ? known[k] : "#" + std::to_string(k)));
    }
    return names[slot];
  }

  const HeapSnapshot& snapshot_;
  TextFile& file_;
  std::vector<Group> groups_;
  std::uint64_t first_object_;  // nodes
  std::uint64_t first_payload_;
  Strings strings_;
  std::vector<std::vector<std::uint64_t>> fields_;  // strings, by type and slot
  bool is_first_ = true;                            // of an array
};

}  // namespace

void write_heap_snapshot(const HeapSnapshot& snapshot, TextFile& file) {
  Writing(snapshot, file).run();
}

}  // namespace tenure
