// What is asked of the dynamic door for one object, and what was asked of it so far.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "tenure/facade/objects.hpp"
#include "tenure/payload.hpp"
#include "tenure/tensor.hpp"

namespace tenure {

/// Beyond the kind and the size of an object.
struct AllocateOptions {
  std::uint32_t references = 0;  // slots, 65536 at the most
  /// Of the data, which lie in a payload where it is not the host's plain memory.
  MemoryKind memory = MemoryKind::kHost;
  ElementType element = ElementType::kUint8;  // of vectors, matrices, tensors and arrays
  /// Extents in elements; by default one, as long as the size says. The data lie in a payload then.
  Shape shape{};
  /// Neither collected nor moved while the collector is open, and all that it refers to lives.
  bool permanent = false;
};

/// One object that was made.
struct RecentAllocation {
  ObjectType type = ObjectType::kScalar;
  std::uint64_t size = 0;  // of its data
};

/// Objects that the dynamic door made, by kind. What was made past it does not count.
///
/// threads  one at a time, with the collector's mutator in use
class AllocationCounts {
 public:
  /// size     of the data
  /// is_old   it was made in the oldest generation
  void note(ObjectType type, std::uint64_t size, bool is_old) {
    ++objects_[static_cast<std::size_t>(type)];
    bytes_[static_cast<std::size_t>(type)] += size;
    born_old_ += is_old ? 1 : 0;
    recent_[made_++ % kRecent] = {.type = type, .size = size};
  }
  [[nodiscard]] std::uint64_t born_old() const { return born_old_; }

  /// The last 64 allocations, the oldest first.
  [[nodiscard]] std::vector<RecentAllocation> recent() const {
    std::vector<RecentAllocation> found;
    for (std::uint64_t k = made_ - std::min(made_, kRecent); k < made_; ++k) {
      found.push_back(recent_[k % kRecent]);
    }
    return found;
  }

  [[nodiscard]] std::uint64_t objects(ObjectType type) const {
    return objects_[static_cast<std::size_t>(type)];
  }
  [[nodiscard]] std::uint64_t bytes(ObjectType type) const {
    return bytes_[static_cast<std::size_t>(type)];
  }
  [[nodiscard]] std::uint64_t objects() const { return sum(objects_); }
  [[nodiscard]] std::uint64_t bytes() const { return sum(bytes_); }

 private:
  using Counts = std::array<std::uint64_t, kObjectTypes>;
  [[nodiscard]] static std::uint64_t sum(const Counts& counts) {
    std::uint64_t all = 0;
    for (const std::uint64_t count : counts) {
      all += count;
    }
    return all;
  }

  Counts objects_{};
  static constexpr std::uint64_t kRecent = 64;

  std::array<RecentAllocation, kRecent> recent_{};  // a ring
  std::uint64_t made_ = 0;
  Counts bytes_{};
  std::uint64_t born_old_ = 0;
};

}  // namespace tenure
