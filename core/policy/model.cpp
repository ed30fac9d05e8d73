#include "core/policy/model.hpp"

#include <algorithm>
#include <bit>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "core/base/check.hpp"
#include "core/policy/expandable_arena.hpp"
#include "core/policy/segment_arena.hpp"

namespace tenure {

namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kStep = 512;  // all of them round to it

std::uint64_t up(std::uint64_t bytes, std::uint64_t step) {
  return (bytes + step - 1) / step * step;
}

// Which of a model's arenas a request goes to: never to another stream's.
struct ArenaKey {
  std::uint8_t device;
  std::uint16_t stream;
  std::uint64_t pool;
  auto operator<=>(const ArenaKey&) const = default;
};

// Arenas by key, and the blocks that are out. A policy says how requests are rounded, which arena they
// go to, and how that one grows.
template <class Policy, class Arena>
class Pools : public PolicyModel {
 public:
  explicit Pools(Bytes capacity) { budget_.capacity = capacity.count(); }

  Result<void> allocate(std::uint32_t block, const ModelRequest& request) override {
    const std::uint64_t bytes = Policy::rounded(request.bytes);
    const ArenaKey key{request.device, request.stream, Policy::pool_of(bytes)};
    auto found = arenas_.find(key);
    if (found == arenas_.end()) {
      found = arenas_.try_emplace(key, budget_, Policy::arena_step(key.pool)).first;
    }
    Arena& arena = found->second;
    Stretch* stretch = arena.take(bytes);
    if (stretch == nullptr) {
      stretch = Policy::take_fresh(arena, bytes);
    }
    if (stretch ==
        nullptr) {  // as all of them do where their device refuses: cached memory goes back
      for (auto& [other, idle] : arenas_) {
        if (other.device == key.device) idle.release_idle();
      }
      stretch = Policy::take_fresh(arena, bytes);
    }
    if (stretch == nullptr) {
      return Error{ErrorCode::kOutOfMemory,
                   "the model of " + std::string(Policy::kName) + " finds no room for " +
                       to_string(Bytes{bytes}) + ": " + to_string(Bytes{budget_.reserved}) +
                       " are reserved of " + to_string(Bytes{budget_.capacity})};
    }
    blocks_.resize(std::max<std::size_t>(blocks_.size(), block + std::size_t{1}));
    blocks_[block] = {&arena, stretch};
    return {};
  }

  void free(std::uint32_t block) override {
    const auto [arena, stretch] = std::exchange(blocks_.at(block), {});
    check(arena != nullptr, "a model was to free a block that is not there");
    arena->give(stretch);
  }

 private:
  std::map<ArenaKey, Arena> arenas_;
  std::vector<std::pair<Arena*, Stretch*>> blocks_;  // by number
};

// Small and large pools. Up to 1 MiB is small and comes from segments of 2 MiB, below 10 MiB from
// segments of 20 MiB, larger from its own, rounded to 2 MiB. A large block is cut only where more than
// 1 MiB is left over.
// Source: c10/cuda/CUDACachingAllocator.cpp: round_size, get_allocation_size, should_split,
// release_cached_blocks; kMinBlockSize, kSmallSize, kSmallBuffer, kLargeBuffer, kMinLargeAlloc,
// kRoundLarge.
struct PyTorch {
  static constexpr const char* kName = "PyTorch's caching allocator";
  static constexpr std::uint64_t kSmall = kMiB;
  static constexpr std::uint64_t kSmallSegment = 2 * kMiB;
  static constexpr std::uint64_t kLargeSegment = 20 * kMiB;
  static constexpr std::uint64_t kOwnSegment = 10 * kMiB;
  static constexpr std::uint64_t kOwnStep = 2 * kMiB;
  enum : std::uint64_t { kSmallPool, kLargePool };

  static std::uint64_t rounded(std::uint64_t bytes) { return up(bytes, kStep); }
  static std::uint64_t pool_of(std::uint64_t bytes) {
    return bytes <= kSmall ? kSmallPool : kLargePool;
  }
  static std::uint64_t arena_step(std::uint64_t pool) {
    return pool == kSmallPool ? kStep : kSmall + 1;
  }
  static Stretch* take_fresh(SegmentArena& arena, std::uint64_t bytes) {
    return arena.take_fresh(bytes, bytes <= kSmall       ? kSmallSegment
                                   : bytes < kOwnSegment ? kLargeSegment
                                                         : up(bytes, kOwnStep));
  }
};

// The same pools, each a range that is mapped by pages of 2 and 20 MiB, and cut at every 512 B.
// Source: as PyTorch, with expandable_segments:True.
struct PyTorchExpandable : PyTorch {
  static constexpr const char* kName = "PyTorch's expandable segments";
  static std::uint64_t arena_step(std::uint64_t pool) {
    return pool == kSmallPool ? kSmallSegment : kLargeSegment;
  }
  static Stretch* take_fresh(ExpandableArena& arena, std::uint64_t bytes) {
    return arena.take_fresh(bytes);
  }
};

// A pool a stream: best fit over chunks of just what was asked for. Which of equal chunks is taken
// CuPy leaves open (a set's pop); here it is the lowest.
// Source: cupy/cuda/memory.pyx, SingleDeviceMemoryPool: _round_size, _get_chunk, _try_malloc, and
// _Chunk.split and merge.
struct CuPy {
  static constexpr const char* kName = "CuPy's memory pool";
  static std::uint64_t rounded(std::uint64_t bytes) { return up(bytes, kStep); }
  static std::uint64_t pool_of(std::uint64_t) { return 0; }
  static std::uint64_t arena_step(std::uint64_t) { return kStep; }
  static Stretch* take_fresh(SegmentArena& arena, std::uint64_t bytes) {
    return arena.take_fresh(bytes, bytes);
  }
};

// A list for each power of two from 512 B; a block stays what it once was.
// Source: aten/src/ATen/core/CachingHostAllocator.h of PyTorch (c10::llvm::PowerOf2Ceil and the free
// lists by its logarithm); CUB's util_allocator.cuh with a growth factor of 2.
struct PowerOfTwo {
  static constexpr const char* kName = "power-of-two lists";
  static std::uint64_t rounded(std::uint64_t bytes) {
    return std::bit_ceil(std::max(bytes, kStep));
  }
  static std::uint64_t pool_of(std::uint64_t bytes) { return bytes; }
  static std::uint64_t arena_step(std::uint64_t) { return ~std::uint64_t{0}; }
  static Stretch* take_fresh(SegmentArena& arena, std::uint64_t bytes) {
    return arena.take_fresh(bytes, bytes);
  }
};

}  // namespace

std::unique_ptr<PolicyModel> make_model(Policy policy, Bytes capacity) {
  switch (policy) {
    case Policy::kPyTorch:
      return std::make_unique<Pools<PyTorch, SegmentArena>>(capacity);
    case Policy::kPyTorchExpandable:
      return std::make_unique<Pools<PyTorchExpandable, ExpandableArena>>(capacity);
    case Policy::kCuPy:
      return std::make_unique<Pools<CuPy, SegmentArena>>(capacity);
    case Policy::kPowerOfTwo:
      return std::make_unique<Pools<PowerOfTwo, SegmentArena>>(capacity);
    case Policy::kNative:
      break;
  }
  fail("the native policy is no model");
}

}  // namespace tenure
