#include "core/observe/heap_graph.hpp"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <utility>

#include "core/base/check.hpp"
#include "core/model/mark_law.hpp"
#include "core/observe/start_index.hpp"
#include "tenure/type.hpp"

namespace tenure {

namespace {

constexpr std::uint32_t kUnreached = kNoObject - 1;

// "T" of what a compiler prints where a type that nobody named is registered: g++ writes
// "...register_once<T>()::<lambda()>", clang "...[T = T]".
std::string plain_name(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 2> kForms{
      {{"register_once<", ">()::"}, {"[T = ", "]"}}};
  constexpr std::string_view kArray = "[]";
  const bool is_array = name.ends_with(kArray);
  const std::string_view of = name.substr(0, name.size() - (is_array ? kArray.size() : 0));
  for (const auto& [before, behind] : kForms) {
    const std::size_t found = of.find(before);
    const std::size_t end = of.rfind(behind);
    if (found != std::string_view::npos && end != std::string_view::npos) {
      const std::size_t first = found + before.size();
      return std::string(of.substr(first, end - first)) + (is_array ? "[]" : "");
    }
  }
  return std::string(name);
}

// One making of a graph. Objects are numbered twice: all by place, then those that live.
class Making {
 public:
  Making(const HeapImage& image, const TypeRow* types, HeapNotes notes)
      : image_(image), types_(types), notes_(std::move(notes)) {}

  HeapSnapshot run() {
    image_.for_each_object([this](ObjectIndex object, std::uint64_t at, std::uint8_t generation) {
      starts_.add(object);
      all_.push_back({at, static_cast<std::uint32_t>(object), generation});
    });
    check(all_.size() < kUnreached, "a heap has more objects than a snapshot can number");
    note_weak_maps();
    reach();
    list_objects();
    list_edges();
    list_roots();
    list_payloads();
    graph_.labels = std::move(notes_.labels);
    return std::move(graph_);
  }

 private:
  struct Start {
    std::uint64_t at = 0;  // granule of the image
    std::uint32_t place = 0;
    std::uint8_t generation = 0;
  };

  [[nodiscard]] std::uint32_t number_of(ObjectIndex object) const {
    const std::uint32_t number = starts_.find(object);
    check(number != StartIndex::kNone && all_[number].place == static_cast<std::uint32_t>(object),
          "a snapshot found a reference that names no object");
    return number;
  }

  // Entries whose key is there, by key.
  void note_weak_maps() {
    for (const HeapNotes::WeakMapEntry& entry : notes_.weak_map_entries) {
      if (entry.value != ObjectIndex::kNull) {
        values_[number_of(entry.key)].push_back(number_of(entry.value));
      }
    }
  }

  // Calls `visit(number of the target, slot)` for each edge of an object, in slot order.
  template <class Visit>
  void for_each_edge(std::uint32_t number, Visit visit) const {
    const std::uint32_t* const words = image_.words(all_[number].at);
    const TypeId type = ObjectHeader::type_of(words[0]);
    const std::uint32_t count = reference_count(types_[static_cast<std::uint32_t>(type)], words[1]);
    for (std::uint32_t slot = 0; slot < count; ++slot) {
      if (const auto target = static_cast<ObjectIndex>(words[2 + slot]);
          target != ObjectIndex::kNull) {
        visit(number_of(target), slot);
      }
    }
    if (values_.empty()) {
      return;
    }
    if (const auto found = values_.find(number); found != values_.end()) {
      for (const std::uint32_t value : found->second) {
        visit(value, SnapshotEdge::kWeakMapValue);
      }
    }
  }

  // Breadth first, so that the way an object is found by is a shortest one.
  void reach() {
    from_.assign(all_.size(), kUnreached);
    std::vector<std::uint32_t> queue;
    queue.reserve(all_.size());
    std::stable_sort(notes_.roots.begin(), notes_.roots.end(),
                     [](const auto& a, const auto& b) { return a.kind < b.kind; });
    const auto find = [&](std::uint32_t number, std::uint32_t holder) {
      if (from_[number] == kUnreached) {
        from_[number] = holder;
        queue.push_back(number);
      }
    };
    for (const HeapNotes::Root& root : notes_.roots) {
      find(number_of(root.object), kNoObject);
    }
    for (std::size_t k = 0; k < queue.size(); ++k) {
      for_each_edge(queue[k], [&](std::uint32_t target, std::uint32_t) { find(target, queue[k]); });
    }
    graph_.objects.reserve(queue.size());
  }

  void list_objects() {
    lives_.assign(all_.size(), kNoObject);
    for (std::uint32_t number = 0; number < all_.size(); ++number) {
      const std::uint32_t* const words = image_.words(all_[number].at);
      if (from_[number] == kUnreached) {
        ++graph_.floating.objects;
        graph_.floating.heap += Bytes{std::uint64_t{words[1]} * kGranuleBytes};
        continue;
      }
      lives_[number] = static_cast<std::uint32_t>(graph_.objects.size());
      graph_.objects.push_back(
          {.place = static_cast<ObjectIndex>(all_[number].place),
           .type = type_number(ObjectHeader::type_of(words[0])),
           .granules = words[1],
           .generation = all_[number].generation,
           .age = static_cast<std::uint8_t>(ObjectHeader::age_of(words[0])),
           .is_pinned = ObjectHeader::has(words[0], ObjectFlag::kPinned),
           .has_finalizer = ObjectHeader::has(words[0], ObjectFlag::kFinalizable)});
    }
  }

  std::uint32_t type_number(TypeId type) {
    const auto [at, is_new] =
        type_numbers_.try_emplace(type, static_cast<std::uint32_t>(graph_.types.size()));
    if (is_new) {
      const TypeRow& row = types_[static_cast<std::uint32_t>(type)];
      SnapshotType& added = graph_.types.emplace_back();
      added.name = plain_name(type_name(type));
      added.is_array = row.references == TypeRow::kFill;
      for (std::uint32_t slot = 0; !added.is_array && slot < row.references; ++slot) {
        if (const std::string_view field = type_field_name(type, slot); !field.empty()) {
          added.fields.resize(slot);
          added.fields.emplace_back(field);
        }
      }
    }
    return at->second;
  }

  void list_edges() {
    graph_.first_edge.reserve(graph_.objects.size() + 1);
    graph_.nearer.reserve(graph_.objects.size());
    for (std::uint32_t number = 0; number < all_.size(); ++number) {
      if (lives_[number] == kNoObject) {
        continue;
      }
      graph_.first_edge.push_back(graph_.edges.size());
      graph_.nearer.push_back(from_[number] == kNoObject ? kNoObject : lives_[from_[number]]);
      for_each_edge(number, [this](std::uint32_t target, std::uint32_t slot) {
        graph_.edges.push_back({lives_[target], slot});
      });
    }
    graph_.first_edge.push_back(graph_.edges.size());
  }

  void list_roots() {
    for (const HeapNotes::Root& root : notes_.roots) {
      graph_.roots.push_back({lives_[number_of(root.object)], root.kind, root.label, root.number});
    }
  }

  void list_payloads() {
    for (const HeapNotes::Payload& payload : notes_.payloads) {
      const std::uint32_t owner = lives_[number_of(payload.owner)];
      if (owner == kNoObject) {
        graph_.floating.payloads[static_cast<std::size_t>(payload.kind)] += payload.size;
      } else {
        graph_.payloads.push_back({owner, payload.kind, payload.site, payload.size});
      }
    }
    std::sort(graph_.payloads.begin(), graph_.payloads.end(),
              [](const auto& a, const auto& b) { return a.owner < b.owner; });
  }

  const HeapImage& image_;
  const TypeRow* types_;
  HeapNotes notes_;
  StartIndex starts_;
  std::vector<Start> all_;            // by number among all
  std::vector<std::uint32_t> from_;   // likewise: the holder that led here; kNoObject: a root
  std::vector<std::uint32_t> lives_;  // likewise: its number among those that live
  std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> values_;  // of weak maps, by key
  std::unordered_map<TypeId, std::uint32_t> type_numbers_;
  HeapSnapshot graph_;
};

}  // namespace

HeapSnapshot make_graph(const HeapImage& image, const TypeRow* types, HeapNotes notes) {
  return Making(image, types, std::move(notes)).run();
}

}  // namespace tenure
