// Payloads by their addresses: for the interfaces of others, which free what they were given by its
// address alone. What plugs Tenure into another library stands on this.
//
//   AddressAllocator torch(runtime, "torch");
//   std::byte* bytes = value_or_throw(torch.allocate(1_MiB, StreamId::kDefault));
//   torch.release(bytes);
//
// Several over one runtime share its pools: what one hands back another is given. Each counts on an
// account of its own, and a limit on one refuses that one alone (`Runtime::limit_client`).
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "tenure/payload.hpp"
#include "tenure/plugins/allocator_table.hpp"
#include "tenure/runtime.hpp"

namespace tenure {

/// Addresses of payloads are multiples of so many bytes.
inline constexpr std::size_t kPayloadAlignment = 512;

/// Leases of one client and one kind of memory, found by their addresses.
///
/// cost     a lease, and some 50 ns for the table
/// threads  anyone. The runtime outlives it. What is left at its end goes back.
class AddressAllocator {
 public:
  /// client   the name of the account, as in `Runtime::make_client`
  /// errors   throws Failure (kBadArgument): no name, or 65,535 clients are known
  AddressAllocator(Runtime& runtime, std::string_view client, MemoryKind kind = MemoryKind::kDevice)
      : runtime_(runtime), kind_(kind), client_(value_or_throw(runtime.make_client(client))) {}
  AddressAllocator(const AddressAllocator&) = delete;
  AddressAllocator& operator=(const AddressAllocator&) = delete;

  /// Bytes for work on `stream`. None were asked for: null, which owns nothing.
  ///
  /// returns  an address that is a multiple of 512
  /// errors   those of `Runtime::lease`
  [[nodiscard]] Result<std::byte*> allocate(Bytes size, StreamId stream = StreamId::kDefault) {
    if (size == Bytes{}) {
      return nullptr;
    }
    Result<PayloadLease> lease =
        runtime_.lease(size, {.kind = kind_, .stream = stream, .client = client_});
    if (!lease) {
      return lease.failure();
    }
    std::byte* const address = lease->data();
    Shard& shard = shard_of(address);
    const std::scoped_lock lock(shard.mutex);
    shard.leases.insert_or_assign(address, std::move(*lease));
    allocated_.fetch_add(size.count(), std::memory_order_relaxed);
    allocations_.fetch_add(1, std::memory_order_relaxed);
    return address;
  }

  /// Hands the bytes back, behind the work of all streams that used them. The host does not wait.
  ///
  /// returns  false where nothing was allocated here at that address, or it was handed back before;
  ///          null is nothing, and true
  /// cost     a lock of one in 16 tables, and no device call
  bool release(const void* address) noexcept {
    if (address == nullptr) {
      return true;
    }
    Shard& shard = shard_of(address);
    // Why taken out first: the lease ends without the lock, and its memory may be another's at once.
    Leases::node_type gone;
    {
      const std::scoped_lock lock(shard.mutex);
      gone = shard.leases.extract(address);
    }
    return !gone.empty();
  }

  /// Whether something was allocated here at that address, and not handed back.
  [[nodiscard]] bool owns(const void* address) {
    Shard& shard = shard_of(address);
    const std::scoped_lock lock(shard.mutex);
    return shard.leases.contains(address);
  }

  /// Says that work put on `stream` so far uses the bytes, as `PayloadLease::used_on`.
  ///
  /// returns  false where nothing was allocated here at that address
  bool used_on(const void* address, StreamId stream) {
    Shard& shard = shard_of(address);
    const std::scoped_lock lock(shard.mutex);
    const auto found = shard.leases.find(address);
    if (found == shard.leases.end()) {
      return false;
    }
    found->second.used_on(stream);
    return true;
  }

  /// This allocator for another shared library. It must outlive what is done with the table.
  [[nodiscard]] AllocatorTable table() {
    return {.size = sizeof(AllocatorTable),
            .self = this,
            .allocate = allocate_by_table,
            .release = [](void* self, void* address) -> int {
              return static_cast<AddressAllocator*>(self)->release(address) ? 1 : 0;
            }};
  }

  /// All that were ever answered, and their bytes, as asked for.
  [[nodiscard]] std::uint64_t allocations() const {
    return allocations_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] Bytes allocated() const {
    return Bytes{allocated_.load(std::memory_order_relaxed)};
  }
  [[nodiscard]] ClientId client() const { return client_; }
  [[nodiscard]] MemoryKind kind() const { return kind_; }
  [[nodiscard]] Runtime& runtime() const { return runtime_; }

 private:
  static constexpr std::size_t kShards = 16;

  using Leases = std::unordered_map<const void*, PayloadLease>;
  struct Shard {
    std::mutex mutex;
    Leases leases;  // guarded by mutex
  };
  static void* allocate_by_table(void* self, std::size_t bytes, const char** why) {
    thread_local std::string sentence;
    try {
      const Result<std::byte*> got = static_cast<AddressAllocator*>(self)->allocate(Bytes{bytes});
      if (got) {
        return *got;
      }
      sentence = got.failure().message;
    } catch (const std::exception& thrown) {  // a callback's, or of the table's own memory
      sentence.assign(thrown.what());
    }
    *why = sentence.c_str();
    return nullptr;
  }
  [[nodiscard]] Shard& shard_of(const void* address) {
    return shards_[reinterpret_cast<std::uintptr_t>(address) / kPayloadAlignment % kShards];
  }

  Runtime& runtime_;
  const MemoryKind kind_;
  const ClientId client_;
  std::array<Shard, kShards> shards_;
  std::atomic<std::uint64_t> allocations_{0};
  std::atomic<std::uint64_t> allocated_{0};
};

}  // namespace tenure
