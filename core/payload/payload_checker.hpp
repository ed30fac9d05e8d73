// What a checked runtime knows of its payloads: where each lies, who leased it, on which streams it
// was used, and whose uses stand behind the memory that is free. It says what is wrong in a sentence
// that names block, size, site and streams.
//
// It looks at calls and their order alone, and shares nothing with the pools it looks at: neither
// their epochs nor their blocks. Contents are `PayloadGuard`'s affair.
//
//   leased --(handed back)--> kept from reuse --(to its pool)--> free, with the uses that ended
//
// Invariant: no two payloads share a byte, and none shares one with the uses of free memory: whoever
// leases memory was found to be behind them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/backend/fork_watch.hpp"
#include "core/payload/stream_clocks.hpp"
#include "tenure/leak.hpp"
#include "tenure/payload.hpp"
#include "tenure/result.hpp"

namespace tenure {

/// One payload, as its block lies: redzones included.
struct CheckedPayload {
  const std::byte* begin = nullptr;
  Bytes whole;                      // from `begin`
  const std::byte* data = nullptr;  // what its holder was given
  Bytes size;
  SiteId site = SiteId::kUnknown;
  MemoryKind kind = MemoryKind::kHost;
  std::uint64_t leased_ns = 0;    // when, by the platform's clock
  std::vector<StreamId> streams;  // that used it, the one it was leased for first
  bool is_returned = false;       // kept from reuse
};

/// threads  anyone
class PayloadChecker {
 public:
  using OnFault = std::function<void(const std::string&)>;

  /// on_fault  is told each fault; by default the program stops with the sentence
  explicit PayloadChecker(std::string device, OnFault on_fault = {});

  // --- what pools do ---
  /// A payload was given out. A fault, where a byte of it is another's, or its stream is not behind
  /// all uses of the memory.
  void lease(CheckedPayload payload);
  /// The payload at `begin` is used on `stream`.
  void use(const std::byte* begin, StreamId stream);
  /// It was handed back: its uses end now. False, and a fault, where there is none or it came back
  /// before.
  bool hand_back(const std::byte* begin);
  /// The pool may give its memory to others.
  void set_free(const std::byte* begin);
  /// It went with its pool, or was never given out.
  void forget(const std::byte* begin);

  // --- what a backend is asked for ---
  /// Calls `record`, and keeps what the event it gives stands for.
  Result<StreamEvent> record(const std::function<Result<StreamEvent>()>& record);
  void wait(StreamId waiter, StreamEvent event);
  void observe(StreamEvent event);
  /// Memory goes. A fault, where it is a payload's, or used still as far as the host knows.
  void unmap(const std::byte* base, Bytes size);
  /// Work on `stream` touches these bytes. A fault, where they were handed back.
  void touch(StreamId stream, const std::byte* data, Bytes size);
  /// Nothing is in order any more, and nothing that is reused was the pool's fault.
  void lose();

  // --- what may be asked ---
  /// Whether work on `stream` may use these bytes now.
  ///
  /// errors   kBadArgument, with what is wrong: no payload is there, it was handed back, they reach
  ///          past its end, or nobody said that the stream uses it
  [[nodiscard]] Result<void> may_use(StreamId stream, const std::byte* data, Bytes size) const;
  [[nodiscard]] std::optional<CheckedPayload> find(const std::byte* begin) const;
  /// All that were leased and not handed back.
  [[nodiscard]] std::vector<CheckedPayload> leased() const;

  /// Stretches of free memory whose uses are remembered.
  [[nodiscard]] std::uint64_t stretches() const;

  void report(const std::string& fault) const;
  /// "a payload of 4 KiB (device memory of sim:80GiB, site 7, streams 0 and 2)"
  [[nodiscard]] std::string words_of(const CheckedPayload& payload) const;

 private:
  using Lock = std::scoped_lock<std::mutex>;

  // Free memory that somebody used.
  struct Used {
    const std::byte* end = nullptr;
    std::vector<StreamClocks::Moment> uses;
    SiteId site = SiteId::kUnknown;
    Bytes size;  // of the payload that it was
  };

  [[nodiscard]] const CheckedPayload* payload_over(const std::byte* data, Bytes size) const;
  [[nodiscard]] std::string fault_of_lease(const CheckedPayload& payload) const;
  [[nodiscard]] std::string fault_of_unmap(const std::byte* base, Bytes size) const;
  template <class Visit>
  void for_each_used(const std::byte* base, Bytes size, Visit visit) const;
  void cut_used(const std::byte* base, Bytes size);

  const std::string device_;
  const OnFault on_fault_;
  mutable std::mutex mutex_;
  StreamClocks clocks_;                                  // guarded by mutex_, as all that follows
  std::map<const std::byte*, CheckedPayload> payloads_;  // by `begin`
  std::map<const std::byte*, std::vector<StreamClocks::Moment>> ended_;  // of those handed back
  std::map<const std::byte*, Used> used_;                                // by first byte; disjoint
  bool is_lost_ = false;
  ForkWatch fork_watch_{ForkRank::kCheckedBackend, mutex_};
};

}  // namespace tenure
