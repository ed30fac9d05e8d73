// Streams of one device by their numbers, and how far each has come.
//
//   record:  event 1   event 2   event 3   event 4          numbers, one after another
//               |         |         |         |
//   pending: [ gone ]  [ gone ]  [ CUDA ]  [ CUDA ]         events of the device, pooled
//                         ^ reached: the last that the device said is done
//
// Invariant: pending events of a stream are those behind `reached`, one a number, in their order.
#pragma once

#include <cuda_runtime_api.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>

#include "core/backend/backend.hpp"
#include "cuda/event_pool.hpp"
#include "cuda/health.hpp"
#include "tenure/result.hpp"

namespace tenure {

/// What Backend says of streams, of one device. The default stream is CUDA's legacy default stream, so
/// that it is also the one of a user's kernels that name none; all others are not ordered with it.
///
/// threads  anyone; the device's context is current
class CudaStreams {
 public:
  explicit CudaStreams(DeviceHealth& health) : health_(health), events_(health), streams_(1) {}
  CudaStreams(const CudaStreams&) = delete;
  CudaStreams& operator=(const CudaStreams&) = delete;

  [[nodiscard]] Result<StreamId> make();
  /// A stream of others', which they destroy after `close`.
  ///
  /// errors   kBadArgument: the stream of each thread, which is many
  [[nodiscard]] Result<StreamId> adopt(cudaStream_t native);
  [[nodiscard]] bool has(StreamId stream) const;
  /// The runtime's handle.
  ///
  /// errors   kBadArgument: no such stream
  [[nodiscard]] Result<cudaStream_t> native(StreamId stream, const char* call) const;

  /// Held while work on plain memory of the host is put on a stream and waited for.
  [[nodiscard]] std::unique_lock<std::mutex> hold(StreamId stream) const;

  [[nodiscard]] Result<StreamEvent> record(StreamId stream);
  /// Asks the device.
  [[nodiscard]] std::uint64_t reached(StreamId stream);
  /// What is known without asking.
  [[nodiscard]] std::uint64_t last_reached(StreamId stream) const;
  [[nodiscard]] Result<void> wait(StreamId waiter, StreamEvent event) {
    return wait_for(waiter, *this, event);
  }
  /// For an event of another device's streams, perhaps.
  [[nodiscard]] Result<void> wait_for(StreamId waiter, CudaStreams& streams, StreamEvent event);
  [[nodiscard]] Result<void> synchronize(StreamEvent event);

  /// Waits for the work of all streams.
  void drain();
  /// Destroys streams and events. No work is left.
  void close();

 private:
  struct Stream {
    cudaStream_t native = nullptr;
    bool is_adopted = false;  // not ours to destroy
    std::mutex in_order;      // for `hold`
    std::mutex mutex;
    std::uint64_t recorded = 0;             // guarded by mutex
    std::deque<PooledEvent> pending;        // guarded by mutex
    std::atomic<std::uint64_t> reached{0};  // written with mutex held
  };

  [[nodiscard]] Result<Stream*> stream_at(StreamId stream, const char* call) const;
  // The event behind a number; null where it was reached.
  [[nodiscard]] Result<PooledEvent> pending_at(StreamEvent event, const char* call);
  void retire(Stream& stream, const std::scoped_lock<std::mutex>& held);
  static void advance(Stream& stream, std::uint64_t sequence,
                      const std::scoped_lock<std::mutex>& held);

  DeviceHealth& health_;
  EventPool events_;
  mutable std::mutex mutex_;
  mutable std::deque<Stream>
      streams_;  // which there are: guarded by mutex_; they stay where they are
};

}  // namespace tenure
