// Snapshots as files for people and for other programs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tenure/result.hpp"
#include "tenure/snapshot.hpp"

namespace tenure {

enum class SnapshotFormat : std::uint8_t {
  kHeapSnapshot,  // of V8: Chrome's DevTools open it, under Memory, Load
  kJson,          // docs/heap_snapshot.schema.json says what is in it
};

/// "heapsnapshot" or "json"; none of other names.
[[nodiscard]] std::optional<SnapshotFormat> snapshot_format(std::string_view name);

/// Writes a snapshot to a file, which is there whole or not at all.
///
/// In V8's format a payload is a node of its own that its owner refers to, so that retained sizes there
/// count it. DevTools open files whose name ends in ".heapsnapshot".
///
/// cost     some 100 bytes of file an object
/// errors   kFile: it cannot be written there
[[nodiscard]] Result<void> write_snapshot(const HeapSnapshot& snapshot, const std::string& path,
                                          SnapshotFormat format);

}  // namespace tenure
