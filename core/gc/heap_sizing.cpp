#include "core/gc/heap_sizing.hpp"

#include <algorithm>
#include <cmath>

namespace tenure {

void HeapSizing::learn(const OldCollection& collection) {
  if (collection.grown * kWorthLearning < collection.marked || collection.apart_ns == 0 ||
      collection.marked.is_zero() || collection.work_ns == 0) {
    return;
  }
  const auto follow = [](double& value, double now) { value += kForget * (now - value); };
  follow(bytes_per_ns_,
         static_cast<double>(collection.grown.count()) / static_cast<double>(collection.apart_ns));
  follow(ns_per_byte_,
         static_cast<double>(collection.work_ns) / static_cast<double>(collection.marked.count()));
}

Bytes HeapSizing::room(Bytes live) const {
  const double part = std::sqrt(bytes_per_ns_ * ns_per_byte_ / kShare);
  return Bytes{static_cast<std::uint64_t>(static_cast<double>(live.count()) *
                                          std::clamp(part, kLeastRoom, kMostRoom))};
}

}  // namespace tenure
