// Payloads: the bulk bytes that tensors and arenas own. They lie in pools outside the heap, hold no
// references, keep their addresses, and are handed back in stream order.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "tenure/bytes.hpp"

namespace tenure {

/// Where bytes lie, in the words of the CUDA manual.
enum class MemoryKind : std::uint8_t {
  kHost,     // plain memory of the host
  kPinned,   // page-locked memory of the host, which a device can copy from by itself
  kUnified,  // migrates between host and device
  kDevice,   // the device's own
};
inline constexpr std::size_t kMemoryKinds = 4;

/// "host", "pinned", "unified", "device".
[[nodiscard]] std::string_view to_string(MemoryKind kind);

/// An in-order sequence of work on a backend. The default stream always exists.
enum class StreamId : std::uint32_t { kDefault = 0 };

/// A place in a stream: reached once all the work put before it is done. Later events of a stream
/// have larger sequence numbers; 0 is before the first and always reached.
struct StreamEvent {
  StreamId stream = StreamId::kDefault;
  std::uint64_t sequence = 0;
  friend bool operator==(const StreamEvent&, const StreamEvent&) = default;
};

/// The place in the program that asked for a payload, as a small number; 0 where it is not known.
enum class SiteId : std::uint32_t { kUnknown = 0 };  // below 2^31

/// A library or a part of the program whose payloads are counted by themselves; kNone for those that
/// nobody claims.
enum class ClientId : std::uint16_t { kNone = 0 };

/// How much of one memory kind a client may hold.
struct ClientLimits {
  Bytes soft = kUnlimited;  // past it callbacks of `on_pressure` are told
  Bytes hard = kUnlimited;  // past it requests climb, and are refused in the end
};

/// A stretch of a payload, not owned.
struct PayloadView {
  std::byte* data = nullptr;  // may be an address that only the device can follow
  Bytes size{};
  MemoryKind kind = MemoryKind::kHost;
};

/// What to lease, beyond how much.
struct LeaseOptions {
  MemoryKind kind = MemoryKind::kDevice;
  StreamId stream = StreamId::kDefault;  // the first and main user
  SiteId site = SiteId::kUnknown;
  ClientId client = ClientId::kNone;  // on whose account

  /// Its bytes may lie in memory of the host while nobody uses them, where others find no room. Whoever
  /// touches them, or puts work that does on a stream, asks by `Runtime::use` before, each time.
  bool evictable = false;
};

/// A use of an evictable payload, from asking for its address until the work that needs it was put on
/// its stream: meanwhile it is not evicted. Later it may be, behind that work.
///
/// Invariant: its address is the payload's, and never changes. A lease that is given up meanwhile is
/// handed back once its uses end.
class PayloadUse {
 public:
  using Pins = std::shared_ptr<std::atomic<std::uint32_t>>;

  PayloadUse() = default;
  /// pins   counted once for this use; null for a payload that cannot be evicted
  explicit PayloadUse(const PayloadView& view, Pins pins = nullptr)
      : view_(view), pins_(std::move(pins)) {}
  PayloadUse(PayloadUse&& from) noexcept
      : view_(std::exchange(from.view_, {})), pins_(std::move(from.pins_)) {}
  PayloadUse& operator=(PayloadUse&& from) noexcept {
    std::swap(view_, from.view_);
    std::swap(pins_, from.pins_);
    return *this;
  }
  PayloadUse(const PayloadUse&) = delete;
  PayloadUse& operator=(const PayloadUse&) = delete;
  ~PayloadUse() { end(); }

  [[nodiscard]] const PayloadView& view() const { return view_; }
  [[nodiscard]] std::byte* data() const { return view_.data; }
  [[nodiscard]] Bytes size() const { return view_.size; }

  /// The same, of the bytes from `offset` on.
  [[nodiscard]] PayloadUse from(Bytes offset) && {
    view_.data += offset.count();
    view_.size -= offset;
    return std::move(*this);
  }

  /// All work of this use is on its stream. Further streams were named by `used_on` before.
  ///
  /// cost     an atomic addition; no lock, no device call
  /// threads  anyone, also after the runtime ended
  void end() noexcept {
    if (pins_ != nullptr) {
      // Why release: whoever evicts sees that the work was put on its stream.
      pins_->fetch_sub(1, std::memory_order_release);
      pins_.reset();
    }
    view_ = {};
  }

 private:
  PayloadView view_;
  Pins pins_;
};

class PayloadPool;    // core/payload
struct PayloadBlock;  // core/payload

/// Sole ownership of one payload. Destroying it hands the payload back, from any thread.
///
/// Handing back takes no lock and calls no device. Work may still be in flight: whoever gets the
/// bytes next is ordered behind it on the device, and the host never waits.
///
/// Invariant: a lease may outlive its pool, and is inert then: it has no bytes, and giving it up
/// does nothing.
class PayloadLease {
 public:
  PayloadLease() = default;
  explicit PayloadLease(PayloadBlock& block) : block_(&block) {}
  PayloadLease(PayloadLease&& from) noexcept : block_(std::exchange(from.block_, nullptr)) {}
  PayloadLease& operator=(PayloadLease&& from) noexcept {
    if (this != &from) {
      release();
      block_ = std::exchange(from.block_, nullptr);
    }
    return *this;
  }
  PayloadLease(const PayloadLease&) = delete;
  PayloadLease& operator=(const PayloadLease&) = delete;
  ~PayloadLease() { release(); }

  [[nodiscard]] bool owns() const { return block_ != nullptr; }

  /// The bytes asked for. Null and empty where nothing is owned.
  [[nodiscard]] PayloadView view() const;
  [[nodiscard]] std::byte* data() const { return view().data; }
  [[nodiscard]] Bytes size() const { return view().size; }

  /// Says that work put on `stream` so far uses the bytes. Must be called before they are handed
  /// back; the stream given at the lease need not be named again.
  ///
  /// cost     a few nanoseconds; no device call
  /// threads  anyone who keeps the lease from being given up meanwhile
  void used_on(StreamId stream);

  /// Hands the bytes back now. Twice is as good as once.
  ///
  /// cost     two atomic exchanges; no lock, no allocation, no device call, no waiting for others
  /// threads  anyone, also in finalizers, signal handlers, a thread's last destructors, and the child
  ///          of a fork
  void release() noexcept;

  /// Gives up ownership without handing back. For those who keep the block elsewhere.
  [[nodiscard]] PayloadBlock* detach() { return std::exchange(block_, nullptr); }

 private:
  PayloadBlock* block_ = nullptr;  // null when it owns nothing
};

}  // namespace tenure
