// Objects that lead to each other: Tarjan's search, its stack by hand.
#include <algorithm>

#include "tenure/retention.hpp"

namespace tenure {

namespace {

class Components {
 public:
  explicit Components(const HeapSnapshot& snapshot)
      : snapshot_(snapshot),
        number_(snapshot.objects.size(), 0),
        lowest_(snapshot.objects.size(), 0),
        is_open_(snapshot.objects.size(), false) {}

  std::vector<ObjectCycle> run() {
    for (std::uint32_t object = 0; object < snapshot_.objects.size(); ++object) {
      if (number_[object] == 0) {
        search(object);
      }
    }
    std::stable_sort(
        cycles_.begin(), cycles_.end(),
        [](const ObjectCycle& a, const ObjectCycle& b) { return a.held.total() > b.held.total(); });
    return std::move(cycles_);
  }

 private:
  struct Step {
    std::uint32_t object;
    std::uint64_t edge;  // the next to be followed
  };

  void enter(std::uint32_t object) {
    number_[object] = lowest_[object] = ++last_;
    open_.push_back(object);
    is_open_[object] = true;
    way_.push_back({object, snapshot_.first_edge[object]});
  }

  void search(std::uint32_t first) {
    enter(first);
    while (!way_.empty()) {
      Step& step = way_.back();
      const std::uint32_t object = step.object;
      if (step.edge < snapshot_.first_edge[object + 1]) {
        const std::uint32_t target = snapshot_.edges[step.edge++].target;
        if (number_[target] == 0) {
          enter(target);
        } else if (is_open_[target]) {
          lowest_[object] = std::min(lowest_[object], number_[target]);
        }
        continue;
      }
      way_.pop_back();
      if (!way_.empty()) {
        std::uint32_t& above = lowest_[way_.back().object];
        above = std::min(above, lowest_[object]);
      }
      if (lowest_[object] == number_[object]) {
        close(object);
      }
    }
  }

  // All that was opened since `root` is one component.
  void close(std::uint32_t root) {
    ObjectCycle cycle;
    std::uint32_t object = kNoObject;
    do {
      object = open_.back();
      open_.pop_back();
      is_open_[object] = false;
      cycle.objects.push_back(object);
    } while (object != root);
    if (cycle.objects.size() == 1 && !refers_to_itself(root)) {
      return;
    }
    std::sort(cycle.objects.begin(), cycle.objects.end());
    for (const std::uint32_t member : cycle.objects) {
      cycle.held += snapshot_.own(member);
    }
    cycles_.push_back(std::move(cycle));
  }

  [[nodiscard]] bool refers_to_itself(std::uint32_t object) const {
    const std::span<const SnapshotEdge> edges = snapshot_.references(object);
    return std::any_of(edges.begin(), edges.end(),
                       [object](const SnapshotEdge& edge) { return edge.target == object; });
  }

  const HeapSnapshot& snapshot_;
  std::vector<std::uint32_t> number_;  // in the order of the search, from 1; 0: not met yet
  std::vector<std::uint32_t> lowest_;  // number that the object's part of the search leads back to
  std::vector<bool> is_open_;          // in `open_`
  std::vector<std::uint32_t> open_;    // met, and in no component yet
  std::vector<Step> way_;
  std::uint32_t last_ = 0;
  std::vector<ObjectCycle> cycles_;
};

}  // namespace

std::vector<ObjectCycle> find_cycles(const HeapSnapshot& snapshot) {
  return Components(snapshot).run();
}

}  // namespace tenure
