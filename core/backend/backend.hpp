// What the core asks of a machine that payloads lie on: memory of several kinds, streams of work,
// and events in them. The host, the simulated device and CUDA answer, and pass one contract suite.
//
// Invariant: nothing here makes the host wait for a device but `synchronize`, whose name says so, and
// work on plain memory of the host, where a device cannot do it by itself.
// Work of one stream happens in its order; of two streams in any order that events leave open.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tenure/bytes.hpp"
#include "tenure/machine.hpp"
#include "tenure/memory_hints.hpp"
#include "tenure/payload.hpp"
#include "tenure/result.hpp"

namespace tenure {

/// What a backend offers of one memory kind.
struct KindTraits {
  bool supported = false;
  bool can_map = false;        // pieces can be mapped and unmapped inside a reserved range
  bool host_readable = false;  // the host may follow its addresses
  bool stands_in = false;      // memory of another kind answers for it; `note` says which
  Bytes granularity;           // of mapping: offsets and sizes are multiples of it
  Bytes capacity;              // bytes there can be at the most; kinds may share them
  std::string note;            // where it is not quite what it is called: "not locked: ..."
};

/// Reserved addresses of one kind; `map` puts memory behind pieces of them.
struct AddressRange {
  std::byte* base = nullptr;
  Bytes size;
  MemoryKind kind = MemoryKind::kHost;
};

/// A broken contract stops the program with the figures: sizes of nothing or off the granularity, a
/// piece mapped twice or unmapped twice, a range or block that is not there, `reached` of a stream
/// that was never made. All that a caller cannot know is an error.
///
/// threads  anyone; calls on one stream by several threads happen in some order
class Backend {
 public:
  Backend() = default;
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;
  /// Waits for all work, then releases what was never released. A lost backend does not wait.
  virtual ~Backend() = default;

  /// As it is asked for: "host", "sim:80GiB", "cuda:0".
  [[nodiscard]] virtual std::string name() const = 0;
  [[nodiscard]] virtual KindTraits traits(MemoryKind kind) const = 0;

  /// Reserves addresses, without memory behind them.
  ///
  /// size     a multiple of the kind's granularity
  /// errors   kUnsupported: the kind, or mapping, is not to be had; kOutOfMemory: no address space
  [[nodiscard]] virtual Result<AddressRange> reserve(MemoryKind kind, Bytes size) = 0;
  /// Unmaps what is mapped, and gives the addresses up. No work may still use them.
  virtual void release(const AddressRange& range) = 0;

  /// Puts memory behind [offset, offset + size), none of which is mapped. Its contents are
  /// undefined.
  ///
  /// errors   kOutOfMemory: names what was asked and what is free; kDeviceRefused; kDeviceLost.
  ///          Nothing is mapped then.
  [[nodiscard]] virtual Result<void> map(const AddressRange& range, Bytes offset, Bytes size) = 0;
  /// Takes the memory from behind [offset, offset + size), all of which is mapped. No work may
  /// still use it.
  virtual void unmap(const AddressRange& range, Bytes offset, Bytes size) = 0;

  /// Memory in one piece, for kinds that cannot be mapped. It is aligned to a page at least.
  ///
  /// errors   as `map`
  [[nodiscard]] virtual Result<std::byte*> allocate(MemoryKind kind, Bytes size) = 0;
  virtual void deallocate(MemoryKind kind, std::byte* base, Bytes size) = 0;

  /// A stream of its own. The default stream is always there.
  ///
  /// errors   kDeviceRefused: no more are to be had
  [[nodiscard]] virtual Result<StreamId> make_stream() = 0;
  /// A stream that others made, under a number of its own: they go on to put work on it, and destroy it
  /// after this backend's end. Each call gives a new number. A backend without a device, to which other
  /// libraries' streams mean nothing, makes one.
  ///
  /// native   as the device's interface has it, such as a cudaStream_t; not its default stream
  /// errors   kBadArgument: not a stream that has one order; kDeviceRefused; kDeviceLost
  [[nodiscard]] virtual Result<StreamId> adopt_stream(void* native) {
    static_cast<void>(native);
    return make_stream();
  }
  [[nodiscard]] virtual bool has_stream(StreamId stream) const = 0;

  /// An event behind all work put on `stream` so far.
  ///
  /// errors   kBadArgument: no such stream; kDeviceRefused; kDeviceLost
  [[nodiscard]] virtual Result<StreamEvent> record(StreamId stream) = 0;

  /// The sequence number of the last event of `stream` that was reached. Never falls; asks the
  /// device, without waiting. Of a lost device, what was last known.
  [[nodiscard]] virtual std::uint64_t reached(StreamId stream) = 0;

  /// Work put on `waiter` from now on starts after `event`. The device waits, the host does not.
  ///
  /// errors   kBadArgument: no such stream, or an event that was never recorded; kDeviceRefused
  [[nodiscard]] virtual Result<void> wait(StreamId waiter, StreamEvent event) = 0;

  /// The host waits until `event` is reached.
  ///
  /// errors   kBadArgument: an event that was never recorded; kDeviceRefused; kDeviceLost
  [[nodiscard]] virtual Result<void> synchronize(StreamEvent event) = 0;

  /// Copies in stream order. Either side may be of any kind of this backend, or host memory, which
  /// must stay as it is until the copy was done. They do not overlap.
  ///
  /// errors   kBadArgument: no such stream, or bytes of this backend that are not mapped;
  ///          kDeviceRefused; kDeviceLost
  [[nodiscard]] virtual Result<void> copy(StreamId stream, std::byte* to, const std::byte* from,
                                          Bytes size) = 0;
  [[nodiscard]] virtual Result<void> fill(StreamId stream, std::byte* to, std::byte value,
                                          Bytes size) = 0;

  /// Has pages of unified memory move to `side`, in stream order: hints both, which no bytes depend on,
  /// and a device's refusal is no error. A backend whose memory never moves ignores them.
  ///
  /// at       pages that bytes share with others go along
  /// errors   kBadArgument: no such stream; where memory moves, bytes that are not mapped; kDeviceLost
  [[nodiscard]] virtual Result<HintOutcome> prefetch(StreamId stream, const std::byte* at,
                                                     Bytes size, MemorySide side);
  /// Says what to expect of unified memory from now on, until it is deallocated.
  [[nodiscard]] virtual Result<HintOutcome> advise(const std::byte* at, Bytes size,
                                                   MemoryAdvice advice);
};

/// Opens a backend by its name: "auto", "host", "sim:80GiB", "cuda:0", or "cuda:0+1", whose memory kernels
/// on device 1 reach too. One of two definitions is
/// linked, the host's or the CUDA build's; "auto" is "cuda:0" where that can be opened, else the host.
///
/// seed     for a simulated device's own choices
/// errors   kBadConfig: no backend is called so; kUnsupported: not in this build, or no such device
[[nodiscard]] Result<std::unique_ptr<Backend>> open_backend(std::string_view name,
                                                            std::uint64_t seed);

/// Fills in what a CUDA driver shows, and which backend "auto" opens. Linked likewise.
void inspect_devices(MachineReport& report);

}  // namespace tenure
