// The obvious marker: one stack, one loop. The oracle of the tests, and the last resort of the
// collector; it is not meant to be fast.
#pragma once

#include <vector>

#include "core/model/marker.hpp"

namespace tenure {

class SerialMarker final : public Marker {
 public:
  void begin(const MarkJob& job) override;
  bool advance(std::uint64_t budget) override;
  void add(std::span<const ObjectIndex> objects) override;
  MarkStats complete() override;

 private:
  void reach(ObjectIndex object);

  HeapView heap_;
  std::vector<ObjectIndex> stack_;  // marked, and not yet read
  MarkStats stats_;
};

}  // namespace tenure
