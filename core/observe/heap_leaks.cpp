// Which types grow look by look, and who holds them.
#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "tenure/heap_leak.hpp"

namespace tenure {

namespace {

HeldBytes held_of(const std::vector<TypeTotals>& look, const std::string& type) {
  const auto at = std::find_if(look.begin(), look.end(),
                               [&](const TypeTotals& row) { return row.type == type; });
  return at == look.end() ? HeldBytes{} : at->held;
}

// For each object the step on its shortest way that a root names, and how many steps there are.
struct Origins {
  std::vector<std::uint32_t> first;
  std::vector<std::uint32_t> steps;
};

Origins origins_of(const HeapSnapshot& snapshot) {
  Origins origins{std::vector<std::uint32_t>(snapshot.objects.size(), kNoObject),
                  std::vector<std::uint32_t>(snapshot.objects.size(), 0)};
  std::vector<std::uint32_t> way;
  for (std::uint32_t object = 0; object < snapshot.objects.size(); ++object) {
    for (std::uint32_t at = object; origins.first[at] == kNoObject; at = snapshot.nearer[at]) {
      way.push_back(at);
      if (snapshot.nearer[at] == kNoObject) {
        break;
      }
    }
    while (!way.empty()) {
      const std::uint32_t at = way.back();
      way.pop_back();
      const std::uint32_t above = snapshot.nearer[at];
      origins.first[at] = above == kNoObject ? at : origins.first[above];
      origins.steps[at] = above == kNoObject ? 0 : origins.steps[above] + 1;
    }
  }
  return origins;
}

// Who holds the objects of growing types in one snapshot.
class Holders {
 public:
  explicit Holders(const HeapSnapshot& snapshot)
      : snapshot_(snapshot), retention_(find_retention(snapshot)), origins_(origins_of(snapshot)) {
    for (std::uint32_t k = static_cast<std::uint32_t>(snapshot.roots.size()); k-- > 0;) {
      root_of_[snapshot.roots[k].object] = k;  // the first of several stays
    }
  }

  void explain(HeapLeak& leak) const {
    const std::vector<HeldBytes> held = held_by_each(leak.type);
    leak.holder = holder_of(leak, held);
    if (leak.holder != kNoObject) {
      leak.holder_type = snapshot_.type_of(leak.holder).name;
      leak.held = held[leak.holder];
    }
    leak.object = example_of(leak);
    leak.path = retention_path(snapshot_, leak.object);
  }

 private:
  [[nodiscard]] bool is_of(std::uint32_t object, const std::string& type) const {
    return snapshot_.type_of(object).name == type;
  }

  // What each object dominates of the type.
  [[nodiscard]] std::vector<HeldBytes> held_by_each(const std::string& type) const {
    std::vector<HeldBytes> held(snapshot_.objects.size());
    for (const std::uint32_t object : retention_.leaves_first) {
      if (is_of(object, type)) {
        held[object] += snapshot_.own(object);
      }
      if (const std::uint32_t parent = retention_.dominator[object]; parent != kNoObject) {
        held[parent] += held[object];
      }
    }
    return held;
  }

  // From the roots down to whatever dominates half of it. Not into the objects themselves, nor along a
  // list or tree of one type.
  [[nodiscard]] std::uint32_t holder_of(const HeapLeak& leak,
                                        const std::vector<HeldBytes>& held) const {
    std::vector<std::uint32_t> largest(snapshot_.objects.size(), kNoObject);  // child of each
    std::uint32_t at_top = kNoObject;
    for (const std::uint32_t object : retention_.leaves_first) {
      const std::uint32_t parent = retention_.dominator[object];
      std::uint32_t& most = parent == kNoObject ? at_top : largest[parent];
      if (most == kNoObject || held[object].total() > held[most].total()) {
        most = object;
      }
    }
    std::uint32_t holder = kNoObject;
    for (std::uint32_t next = at_top; next != kNoObject; next = largest[next]) {
      const bool holds_half = 2 * held[next].total() >= leak.now.total();
      const bool repeats =
          holder != kNoObject && snapshot_.objects[next].type == snapshot_.objects[holder].type;
      if (!holds_half || repeats || is_of(next, leak.type)) {
        break;
      }
      holder = next;
    }
    return holder;
  }

  [[nodiscard]] bool is_below(std::uint32_t object, std::uint32_t holder) const {
    while (object != kNoObject && object != holder) {
      object = retention_.dominator[object];
    }
    return object == holder;
  }

  // How a root is told from another: those of one kind, mutator or callback are one.
  using RootGroup = std::tuple<RootKind, std::uint64_t, std::uint32_t>;
  [[nodiscard]] RootGroup group_of(std::uint32_t object) const {
    const SnapshotRoot& root = snapshot_.roots[root_of_.at(origins_.first[object])];
    return {root.kind, root.number, root.label};
  }

  // Where only the roots hold them all, one is taken of the kind of root that leads to most.
  [[nodiscard]] std::uint32_t example_of(const HeapLeak& leak) const {
    std::vector<std::uint32_t> all;
    std::map<RootGroup, std::uint64_t> groups;
    for (std::uint32_t object = 0; object < snapshot_.objects.size(); ++object) {
      if (is_of(object, leak.type)) {
        all.push_back(object);
        groups[group_of(object)] += snapshot_.own(object).total().count();
      }
    }
    const RootGroup most =
        std::max_element(groups.begin(), groups.end(), [](const auto& a, const auto& b) {
          return a.second < b.second;
        })->first;
    if (leak.holder == kNoObject) {
      std::erase_if(all, [&](std::uint32_t object) { return group_of(object) != most; });
    }
    // From the nearest on, so that few are asked whether they are the holder's.
    std::stable_sort(all.begin(), all.end(), [this](std::uint32_t a, std::uint32_t b) {
      return origins_.steps[a] < origins_.steps[b];
    });
    Bytes largest;
    for (const std::uint32_t object : all) {
      largest = std::max(largest, snapshot_.own(object).total());
    }
    for (const std::uint32_t object : all) {
      const bool is_large = 2 * snapshot_.own(object).total() >= largest;
      if (is_large && (leak.holder == kNoObject || is_below(object, leak.holder))) {
        return object;
      }
    }
    // What the holder has is small beside what others have.
    const auto any = std::find_if(all.begin(), all.end(), [&](std::uint32_t object) {
      return is_below(object, leak.holder);
    });
    return any == all.end() ? all.front() : *any;
  }

  const HeapSnapshot& snapshot_;
  Retention retention_;
  Origins origins_;
  std::map<std::uint32_t, std::uint32_t> root_of_;  // the first root that names an object
};

}  // namespace

std::string to_string(const HeapLeak& leak) {
  std::string text = leak.type + " grew from " + to_string(leak.before.total()) + " to " +
                     to_string(leak.now.total()) + " (" + std::to_string(leak.now.objects) +
                     (leak.now.objects == 1 ? " object)" : " objects)");
  if (leak.holder != kNoObject) {
    text += ", " + to_string(leak.held.total()) + " of it held by " + leak.holder_type;
  }
  return text + ": " + leak.path;
}

std::vector<HeapLeak> LeakWatch::look(const HeapSnapshot& snapshot) {
  std::vector<TypeTotals> now = totals_by_type(snapshot);
  std::vector<HeapLeak> leaks;
  if (looks_.size() >= options_.growths) {
    for (const TypeTotals& row : now) {
      Bytes later = row.held.total();
      bool grew = true;
      for (auto look = looks_.rbegin(); look != looks_.rend() && grew; ++look) {
        const Bytes earlier = held_of(*look, row.type).total();
        grew = earlier < later;
        later = earlier;
      }
      if (grew && row.held.total() >= later + options_.at_least) {
        leaks.push_back({.type = row.type,
                         .before = held_of(looks_.front(), row.type),
                         .now = row.held,
                         .path = {},
                         .holder_type = {},
                         .held = {}});
      }
    }
  }
  if (!leaks.empty()) {
    const Holders holders(snapshot);
    for (HeapLeak& leak : leaks) {
      holders.explain(leak);
    }
    std::stable_sort(leaks.begin(), leaks.end(), [](const HeapLeak& a, const HeapLeak& b) {
      return a.now.total() - a.before.total() > b.now.total() - b.before.total();
    });
  }
  looks_.push_back(std::move(now));
  if (looks_.size() > options_.growths) {
    looks_.pop_front();
  }
  return leaks;
}

}  // namespace tenure
