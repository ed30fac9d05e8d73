// The payloads of one pool of a checked runtime: redzones around each, a pattern in those that were
// handed back, and a quarantine that keeps these from reuse for a while.
//
//   block  +---------+-----------------------------+-----------------+
//          | redzone | what its holder was given   | redzone         |   leased
//          +---------+-----------------------------+-----------------+
//          | redzone | freed ..   any   .. freed   | redzone         |   handed back
//          +---------+-----------------------------+-----------------+
//
// What is handed back waits for its uses on the host, is looked at and painted; what leaves the
// quarantine is looked at again, and only then its pool may have it. Memory that the host cannot
// follow is painted and read by the device.
//
// Invariant: the guard's own calls go to the backend itself: what it waits for teaches nobody.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "core/payload/block.hpp"
#include "core/payload/checked_backend.hpp"
#include "tenure/payload.hpp"

namespace tenure {

struct GuardOptions {
  /// Bytes that are kept from reuse at the most. Source: a quarter of what the address sanitizer keeps
  /// (quarantine_size_mb=256), as pools share a device.
  Bytes quarantine{64u << 20};
  /// Without, only the order of calls is looked at: no host waits, no byte is read.
  bool contents = true;
};

/// threads  the pool's lock, but where another is named
class PayloadGuard {
 public:
  static constexpr std::uint64_t kRedzone =
      kBlockStep;  // so that payloads stay aligned as they are

  /// backend   outlives it
  PayloadGuard(CheckedBackend& backend, MemoryKind kind, const GuardOptions& options);

  /// What a block must have for a payload of `size` bytes.
  [[nodiscard]] static Bytes whole_for(Bytes size) { return size + Bytes{2 * kRedzone}; }
  [[nodiscard]] static Bytes asked_for(const PayloadBlock& block) {
    return Bytes{block.asked - 2 * kRedzone};
  }
  /// What the holder of a leased block was given. Whoever keeps the lease.
  [[nodiscard]] static PayloadView view_of(const PayloadBlock& block, MemoryKind kind) {
    return {block.data + kRedzone, asked_for(block), kind};
  }

  /// A block is given out, for its first stream.
  void lease(const PayloadBlock& block, StreamId stream);
  /// It is used on another. Anyone who keeps the lease.
  void use(const PayloadBlock& block, StreamId stream) {
    backend_.checker().use(block.data, stream);
  }
  /// It came back. False, and a fault, where it was never given out: it is not kept then.
  bool keep(PayloadBlock& block);
  /// The block that was kept longest, for its pool to have; null while no more are kept than may be.
  [[nodiscard]] PayloadBlock* take_excess();
  /// The same, whatever may be kept; null where none is.
  [[nodiscard]] PayloadBlock* take_oldest();
  /// Bytes of blocks that are kept.
  [[nodiscard]] Bytes kept() const { return kept_; }
  [[nodiscard]] bool keeps(const PayloadBlock& block) const;
  /// The pool ends and this block is leased still.
  void abandon(const PayloadBlock& block);

  /// A fault: a block was handed back that is not leased. Anyone.
  void report_twice(const PayloadBlock& block) const;

 private:
  struct Kept {
    PayloadBlock* block = nullptr;
    bool is_painted = false;
  };
  struct Stretch {
    std::byte* at = nullptr;
    std::uint64_t size = 0;
  };

  [[nodiscard]] static Stretch before(const PayloadBlock& block);
  [[nodiscard]] static Stretch behind(const PayloadBlock& block);
  [[nodiscard]] static std::vector<Stretch> ends(const PayloadBlock& block);
  void paint(Stretch stretch, std::byte value, StreamId stream);
  void expect(Stretch stretch, std::byte value, const PayloadBlock& block, const char* fault);
  void find_overrun(const PayloadBlock& block);
  [[nodiscard]] bool wait_for_uses(const PayloadBlock& block);
  [[nodiscard]] bool read(Stretch stretch, StreamId stream);
  /// A call was refused: contents cannot be trusted any more.
  void give_up() { contents_ = false; }

  CheckedBackend& backend_;
  const GuardOptions options_;
  const bool is_near_;  // the host can follow its addresses
  bool contents_;
  std::deque<Kept> quarantine_;  // the oldest first
  Bytes kept_;
  std::unique_ptr<std::vector<std::byte>> read_;  // what was read from the device last
};

}  // namespace tenure
