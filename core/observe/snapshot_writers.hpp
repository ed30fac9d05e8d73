// What writes snapshots in each format.
#pragma once

#include "core/observe/text_file.hpp"
#include "tenure/snapshot.hpp"

namespace tenure {

/// source   V8, src/profiler/heap-snapshot-generator.cc, HeapSnapshotJSONSerializer
void write_heap_snapshot(const HeapSnapshot& snapshot, TextFile& file);

void write_json_snapshot(const HeapSnapshot& snapshot, TextFile& file);

}  // namespace tenure
