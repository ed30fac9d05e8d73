// What lives, what holds it, and why.
#include <algorithm>
#include <vector>

#include "core/report/parts.hpp"
#include "tenure/retention.hpp"

namespace tenure {

namespace {

void put_held(std::string_view name, const HeldBytes& held, JsonRows& out) {
  out.key(name).object([&] {
    out.put("objects", held.objects);
    out.put("heap", held.heap);
    out.key("payloads").object([&] {
      for (std::size_t kind = 0; kind < kMemoryKinds; ++kind) {
        out.put(to_string(static_cast<MemoryKind>(kind)), held.payloads[kind]);
      }
    });
  });
}

// Objects that retain most, without those that make up at least half of what their dominator retains: a
// list's second node says nothing that its first does not.
std::vector<std::uint32_t> largest_holders(const HeapSnapshot& snapshot, const Retention& retention,
                                           std::uint32_t most) {
  std::vector<std::uint32_t> told;
  for (std::uint32_t object = 0; object < snapshot.objects.size(); ++object) {
    const std::uint32_t above = retention.dominator[object];
    const std::uint64_t own = retention.retained[object].total().count();
    if (above == kNoObject || own < retention.retained[above].total().count() / 2) {
      told.push_back(object);
    }
  }
  const std::size_t count = std::min<std::size_t>(most, told.size());
  std::partial_sort(told.begin(), told.begin() + static_cast<std::ptrdiff_t>(count), told.end(),
                    [&](std::uint32_t a, std::uint32_t b) {
                      return retention.retained[a].total() > retention.retained[b].total();
                    });
  told.resize(count);
  return told;
}

}  // namespace

void put_heap(const HeapSnapshot& snapshot, std::uint32_t holders, JsonRows& out) {
  const Retention retention = find_retention(snapshot);
  out.key("heap").object([&] {
    put_held("total", snapshot.total(), out);
    put_held("floating", snapshot.floating, out);
    out.put("stop_ns", snapshot.cost.stop_ns);
    out.put("roots", snapshot.roots.size());
    out.rows("types", totals_by_type(snapshot, retention), [&](const TypeTotals& type) {
      out.put("type", type.type);
      put_held("held", type.held, out);
      put_held("retained", type.retained, out);
    });
    out.rows("ages", totals_by_age(snapshot), [&](const AgeTotals& row) {
      out.put("generation", row.generation);
      out.put("age", row.age);
      put_held("held", row.held, out);
    });
    out.rows("holders", largest_holders(snapshot, retention, holders), [&](std::uint32_t object) {
      out.put("type", snapshot.type_of(object).name);
      put_held("retained", retention.retained[object], out);
      out.put("path", retention_path(snapshot, object));
    });
    out.put("cycles", find_cycles(snapshot).size());
  });
}

}  // namespace tenure
