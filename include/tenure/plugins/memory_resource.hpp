// Payload memory as std::pmr resources, for containers of the standard library and whatever else takes
// one. The bytes come from the runtime's pools: they count for its budgets, its pressure and its
// statistics.
//
//   PayloadResource pinned(runtime, {.kind = MemoryKind::kPinned});
//   std::pmr::vector<float> staging(&pinned);
//
//   std::pmr::unsynchronized_pool_resource small(&pinned);   // for many small ones
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <memory_resource>
#include <new>
#include <string>
#include <utility>

#include "tenure/arena.hpp"
#include "tenure/payload.hpp"
#include "tenure/runtime.hpp"

namespace tenure {

/// What the resources throw where there is no memory: a bad_alloc that says why.
class OutOfPayload : public std::bad_alloc {
 public:
  explicit OutOfPayload(std::string text) : text_(std::move(text)) {}
  [[nodiscard]] const char* what() const noexcept override { return text_.c_str(); }

 private:
  std::string text_;
};

/// A lease for each allocation.
///
/// kind     kHost, kPinned or kUnified: what the host can follow
/// cost     a lease, some 50 ns, and at least 512 bytes: put a pool resource over it for small ones
/// errors   throws OutOfPayload; the constructor throws Failure (kBadArgument): device memory
/// threads  anyone, beside others. The runtime outlives it, and it what was allocated.
class PayloadResource final : public std::pmr::memory_resource {
 public:
  explicit PayloadResource(Runtime& runtime,
                           const LeaseOptions& options = {.kind = MemoryKind::kHost})
      : runtime_(runtime), options_(options) {
    if (options.kind == MemoryKind::kDevice) {
      throw Failure(Error{ErrorCode::kBadArgument,
                          "containers live in memory that the host can follow: host, pinned or "
                          "unified, not device"});
    }
  }

 private:
  // The lease stands right before the bytes that it owns.
  void* do_allocate(std::size_t size, std::size_t alignment) override {
    const std::size_t most = ~std::size_t{0} - sizeof(PayloadLease) - alignment;
    if (size > most) {
      throw OutOfPayload(std::to_string(size) + " bytes are more than can be addressed");
    }
    Result<PayloadLease> lease =
        runtime_.lease(Bytes{size + sizeof(PayloadLease) + alignment - 1}, options_);
    if (!lease) {
      throw OutOfPayload(lease.failure().message);
    }
    void* place = lease->data() + sizeof(PayloadLease);
    std::size_t room = size + alignment - 1;
    place = std::align(std::max(alignment, alignof(PayloadLease)), size, place, room);
    ::new (lease_before(place)) PayloadLease(std::move(*lease));
    return place;
  }
  void do_deallocate(void* place, std::size_t, std::size_t) override {
    PayloadLease lease = std::move(*lease_before(place));
    lease_before(place)->~PayloadLease();
  }
  [[nodiscard]] bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    return this == &other;
  }
  [[nodiscard]] static PayloadLease* lease_before(void* place) {
    return std::launder(
        reinterpret_cast<PayloadLease*>(static_cast<std::byte*>(place) - sizeof(PayloadLease)));
  }

  Runtime& runtime_;
  LeaseOptions options_;
};

/// An arena: what is given back by itself stays until the arena is rewound or ends.
///
/// cost     an addition and a compare
/// errors   throws OutOfPayload
/// threads  one at a time. The arena, over memory that the host can follow, outlives it.
class ArenaResource final : public std::pmr::memory_resource {
 public:
  explicit ArenaResource(Arena& arena) : arena_(arena) {}

 private:
  void* do_allocate(std::size_t size, std::size_t alignment) override {
    // Containers may ask for nothing, and want an address.
    const Result<PayloadView> view =
        arena_.allocate(Bytes{std::max<std::size_t>(size, 1)}, Bytes{alignment});
    if (!view) {
      throw OutOfPayload(view.failure().message);
    }
    return view->data;
  }
  void do_deallocate(void*, std::size_t, std::size_t) override {}
  [[nodiscard]] bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    return this == &other;
  }

  Arena& arena_;
};

}  // namespace tenure
