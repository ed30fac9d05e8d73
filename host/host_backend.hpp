// The computer itself as a backend: every kind of memory is memory of the host, and every stream is
// done with its work when the call that put it there returns.
//
// All kinds share one capacity, the machine's memory as this process may use it. Pinned memory is
// locked as far as the system allows; what it refuses to lock is given all the same, and the kind's
// note says how much that is.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>

#include "core/backend/backend.hpp"
#include "core/backend/fork_watch.hpp"
#include "host/interval_set.hpp"
#include "host/mapped_ranges.hpp"

namespace tenure {

/// threads  anyone; a copy or fill runs on the calling thread
class HostBackend final : public Backend {
 public:
  HostBackend();
  /// With a capacity of its own, the machine's at the most.
  explicit HostBackend(Bytes capacity);

  [[nodiscard]] std::string name() const override { return "host"; }
  [[nodiscard]] KindTraits traits(MemoryKind kind) const override;
  [[nodiscard]] Result<AddressRange> reserve(MemoryKind kind, Bytes size) override;
  void release(const AddressRange& range) override;
  [[nodiscard]] Result<void> map(const AddressRange& range, Bytes offset, Bytes size) override;
  void unmap(const AddressRange& range, Bytes offset, Bytes size) override;
  [[nodiscard]] Result<std::byte*> allocate(MemoryKind kind, Bytes size) override;
  void deallocate(MemoryKind kind, std::byte* base, Bytes size) override;
  [[nodiscard]] Result<StreamId> make_stream() override;
  [[nodiscard]] bool has_stream(StreamId stream) const override;
  [[nodiscard]] Result<StreamEvent> record(StreamId stream) override;
  [[nodiscard]] std::uint64_t reached(StreamId stream) override;
  [[nodiscard]] Result<void> wait(StreamId waiter, StreamEvent event) override;
  [[nodiscard]] Result<void> synchronize(StreamEvent event) override;
  [[nodiscard]] Result<void> copy(StreamId stream, std::byte* to, const std::byte* from,
                                  Bytes size) override;
  [[nodiscard]] Result<void> fill(StreamId stream, std::byte* to, std::byte value,
                                  Bytes size) override;

 private:
  struct Stream {
    std::mutex in_order;                     // held while work of the stream is done
    std::atomic<std::uint64_t> recorded{0};  // written with in_order held
  };

  [[nodiscard]] Result<Stream*> stream_at(StreamId stream, const char* call);
  [[nodiscard]] Result<void> require_recorded(StreamEvent event, const char* call);
  [[nodiscard]] Result<void> require_access(const std::byte* address, Bytes size,
                                            const char* call) const;
  void lock_all();
  void unlock_all();
  void lock_pages(const std::byte* base, Bytes size);
  void forget_locked(const std::byte* base, Bytes size);
  [[nodiscard]] std::string note_on_locking() const;

  mutable std::mutex mutex_;
  MappedRanges ranges_;         // guarded by mutex_
  IntervalSet locked_;          // addresses; guarded by mutex_
  std::string lock_refusal_;    // why the last piece was not locked; guarded by mutex_
  std::deque<Stream> streams_;  // which there are: guarded by mutex_; they stay where they are
  ForkWatch fork_watch_;
};

}  // namespace tenure
