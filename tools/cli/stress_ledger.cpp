#include "tools/cli/stress_ledger.hpp"

namespace tenure::cli {

// A key that is reached is looked up as it is reached: what its entry keeps is followed then, and so
// on, which ends where nothing is new.
StressSet StressLedger::reach(const std::vector<StressId>& roots) const {
  StressSet seen;
  std::vector<StressId> waiting;
  const auto reach = [&](StressId id) {
    if (id != 0 && seen.insert(id).second) {
      waiting.push_back(id);
    }
  };
  for (const StressId id : roots) {
    reach(id);
  }
  while (!waiting.empty()) {
    const StressId id = waiting.back();
    waiting.pop_back();
    const Shadow& shadow = shadows_.at(id);
    reach(shadow.first);
    reach(shadow.second);
    for (const StressId child : shadow.fan) {
      reach(child);
    }
    if (const auto entry = entries_.find(id); entry != entries_.end()) {
      reach(entry->second);
    }
  }
  return seen;
}

std::uint64_t StressLedger::entries_in(const StressSet& reached) const {
  std::uint64_t count = 0;
  for (const auto& [key, value] : entries_) {
    count += reached.contains(key) ? 1 : 0;
  }
  return count;
}

StressCounts StressLedger::count(const StressSet& reached) const {
  StressCounts counts;
  for (const StressId id : reached) {
    const Shadow& shadow = shadows_.at(id);
    ++counts.vertices;
    counts.fans += shadow.has_fan ? 1 : 0;
    counts.tensors += shadow.has_tensor ? 1 : 0;
    counts.payloads += shadow.has_bytes ? 1 : 0;
  }
  return counts;
}

void StressLedger::forget_all_but(const StressSet& kept) {
  std::erase_if(shadows_, [&](const auto& entry) { return !kept.contains(entry.first); });
  std::erase_if(entries_, [&](const auto& entry) { return !kept.contains(entry.first); });
}

}  // namespace tenure::cli
