// Snapshots as JSON, by rows: docs/heap_snapshot.schema.json is this file's other half.
#include <optional>
#include <string>

#include "core/observe/snapshot_writers.hpp"
#include "tenure/retention.hpp"
#include "tenure/snapshot_files.hpp"

namespace tenure {

namespace {

constexpr int kVersion = 1;

// Rows of an array, each on its line.
template <class Rows, class Write>
void write_rows(TextFile& file, std::string_view name, const Rows& rows, Write write) {
  file << ",\n\"" << name << "\":[";
  const char* before = "\n";
  for (const auto& row : rows) {
    file << before;
    write(row);
    before = ",\n";
  }
  file << "]";
}

void write_held(TextFile& file, const HeldBytes& held) {
  file << R"({"objects":)" << held.objects << R"(,"heap":)" << held.heap.count() << R"(,"host":)"
       << held.payloads[0].count() << R"(,"pinned":)" << held.payloads[1].count()
       << R"(,"unified":)" << held.payloads[2].count() << R"(,"device":)"
       << held.payloads[3].count() << "}";
}

std::string_view boolean(bool holds) { return holds ? "true" : "false"; }

}  // namespace

void write_json_snapshot(const HeapSnapshot& snapshot, TextFile& file) {
  file << R"({"format":"tenure heap snapshot","version":)" << kVersion << R"(,"cost":{"stop_ns":)"
       << snapshot.cost.stop_ns << R"(,"to_safepoint_ns":)" << snapshot.cost.to_safepoint_ns
       << R"(,"total_ns":)" << snapshot.cost.total_ns << R"(,"bytes_copied":)"
       << snapshot.cost.copied.count() << "},\n\"total\":";
  write_held(file, snapshot.total());
  file << ",\n\"floating\":";
  write_held(file, snapshot.floating);
  write_rows(file, "totals_by_type", totals_by_type(snapshot), [&](const TypeTotals& row) {
    (file << R"({"type":)").quote(row.type) << R"(,"held":)";
    write_held(file, row.held);
    file << "}";
  });
  write_rows(file, "types", snapshot.types, [&](const SnapshotType& type) {
    (file << R"({"name":)").quote(type.name)
        << R"(,"is_array":)" << boolean(type.is_array) << R"(,"fields":[)";
    const char* before = "";
    for (const std::string& field : type.fields) {
      (file << before).quote(field);
      before = ",";
    }
    file << "]}";
  });
  write_rows(file, "roots", snapshot.roots, [&](const SnapshotRoot& root) {
    (file << R"({"object":)" << root.object << R"(,"kind":)").quote(to_string(root.kind))
        << R"(,"number":)" << root.number << R"(,"label":)";
    file.quote(snapshot.labels[root.label]) << "}";
  });
  write_rows(file, "payloads", snapshot.payloads, [&](const SnapshotPayload& payload) {
    (file << R"({"owner":)" << payload.owner << R"(,"kind":)").quote(to_string(payload.kind))
        << R"(,"site":)" << static_cast<std::uint32_t>(payload.site) << R"(,"bytes":)"
        << payload.size.count() << "}";
  });
  file << ",\n"
       << R"("object_fields":["place","type","bytes","generation","age","is_pinned",)"
       << R"("has_finalizer","nearer"])";
  std::size_t number = 0;
  write_rows(file, "objects", snapshot.objects, [&](const SnapshotObject& object) {
    const std::uint32_t nearer = snapshot.nearer[number++];
    file << "[" << static_cast<std::uint32_t>(object.place) << "," << object.type << ","
         << object.size().count() << "," << unsigned{object.generation} << ","
         << unsigned{object.age} << "," << boolean(object.is_pinned) << ","
         << boolean(object.has_finalizer) << ","
         << (nearer == kNoObject ? "null" : std::to_string(nearer)) << "]";
  });
  file << ",\n"
       << R"("edge_fields":["holder","slot","target"])";
  std::uint32_t holder = 0;
  std::uint64_t edge_number = 0;
  write_rows(file, "edges", snapshot.edges, [&](const SnapshotEdge& edge) {
    while (snapshot.first_edge[holder + 1] <= edge_number) {
      ++holder;
    }
    ++edge_number;
    file << "[" << holder << ","
         << (edge.slot == SnapshotEdge::kWeakMapValue ? "null" : std::to_string(edge.slot)) << ","
         << edge.target << "]";
  });
  file << "}\n";
}

std::optional<SnapshotFormat> snapshot_format(std::string_view name) {
  if (name == "heapsnapshot") {
    return SnapshotFormat::kHeapSnapshot;
  }
  return name == "json" ? std::optional(SnapshotFormat::kJson) : std::nullopt;
}

Result<void> write_snapshot(const HeapSnapshot& snapshot, const std::string& path,
                            SnapshotFormat format) {
  Result<TextFile> file = TextFile::create(path);
  if (!file) {
    return file.failure();
  }
  if (format == SnapshotFormat::kHeapSnapshot) {
    write_heap_snapshot(snapshot, *file);
  } else {
    write_json_snapshot(snapshot, *file);
  }
  return file->finish();
}

}  // namespace tenure
