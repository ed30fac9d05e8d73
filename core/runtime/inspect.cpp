#include "tenure/inspect.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/gc/verifier.hpp"
#include "core/heap/object_access.hpp"
#include "core/runtime/state.hpp"
#include "tenure/runtime.hpp"

namespace tenure {

namespace {

Census count(Heap& heap) {
  Census census;
  const auto add = [](Census::Row& row, Bytes size) {
    ++row.objects;
    row.bytes += size;
  };
  heap.for_each_object([&](ObjectIndex object) {
    const ObjectHeader header = detail::header_of(object);
    const Bytes size{std::uint64_t{header.size} * kGranuleBytes};
    add(census.by_type[std::string(type_name(header.type()))], size);
    const std::uint32_t generation = heap.generation_of(object);
    add(census.by_generation[generation], size);
    if (generation < heap.oldest()) {
      add(census.by_age[header.age()], size);
      add(census.by_generation_and_age[generation][header.age()], size);
    }
    add(census.total, size);
  });
  return census;
}

}  // namespace

Census take_census(Runtime& runtime) {
  RuntimeState& state = runtime.state();
  Census census;
  state.conductor().in_stop(state.self(), [&] { census = count(state.heap()); });
  return census;
}

Result<void> verify_heap(Runtime& runtime) {
  RuntimeState& state = runtime.state();
  Result<void> verified;
  state.conductor().in_stop(state.self(), [&] { verified = verify(state.heap()); });
  if (!verified) {
    return verified;
  }
  for (const MemoryPool& pool : memory_pools(runtime)) {
    if (verified.ok()) {
      verified = pool.verify();
    }
  }
  return verified;
}

// "the heap holds 1.9 GiB of 2 GiB after a full collection: 1.2 GiB in 3 Node, ..."
std::string RuntimeState::describe_heap(MutatorState* self) {
  Census census;
  conductor_->in_stop(self, [&] { census = count(*heap_); });
  std::vector<std::pair<std::string, Census::Row>> rows(census.by_type.begin(),
                                                        census.by_type.end());
  std::sort(rows.begin(), rows.end(),
            [](const auto& a, const auto& b) { return a.second.bytes > b.second.bytes; });
  std::string text = "the heap has " + to_string(census.total.bytes) + " of objects, " +
                     to_string(heap_->committed()) + " of regions, and a limit of " +
                     to_string(heap_->limit()) +
                     (config_.mode == Mode::kManual ? ", and nobody collected (manual mode)"
                                                    : ", after a full collection");
  constexpr std::size_t kNamed = 3;
  for (std::size_t k = 0; k < std::min(kNamed, rows.size()); ++k) {
    text += (k == 0 ? "; most by " : ", ") + rows[k].first + " (" +
            std::to_string(rows[k].second.objects) + " objects, " +
            to_string(rows[k].second.bytes) + ")";
  }
  return text;
}

}  // namespace tenure
