// Objects and edges of one moment, made of a heap's image once mutators go on.
#pragma once

#include <vector>

#include "core/observe/heap_image.hpp"
#include "tenure/snapshot.hpp"

namespace tenure {

/// What a stop noted beside the image. Objects are named by their places.
struct HeapNotes {
  struct Root {
    ObjectIndex object = ObjectIndex::kNull;
    RootKind kind = RootKind::kHandle;
    std::uint32_t label = 0;
    std::uint64_t number = 0;
  };
  struct WeakMapEntry {
    ObjectIndex key = ObjectIndex::kNull;
    ObjectIndex value = ObjectIndex::kNull;
  };
  struct Payload {
    ObjectIndex owner = ObjectIndex::kNull;
    MemoryKind kind = MemoryKind::kDevice;
    SiteId site = SiteId::kUnknown;
    Bytes size;
  };
  std::vector<Root> roots;
  std::vector<WeakMapEntry> weak_map_entries;
  std::vector<Payload> payloads;
  std::vector<std::string> labels{""};
};

/// The graph of what roots lead to. `cost` is left empty.
///
/// types    the process's rows: those of the image's types were there in its stop
/// cost     O(objects and references of the image), no recursion
[[nodiscard]] HeapSnapshot make_graph(const HeapImage& image, const TypeRow* types,
                                      HeapNotes notes);

}  // namespace tenure
