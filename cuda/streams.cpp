#include "cuda/streams.hpp"

#include <optional>
#include <string>

#include "core/base/check.hpp"

namespace tenure {

namespace {

// So many events of one stream may be behind, unasked for, before a record looks whether some are done.
constexpr std::size_t kUnasked = 64;

std::string words_of(StreamId stream) {
  return "stream " + std::to_string(static_cast<std::uint32_t>(stream));
}

}  // namespace

Result<CudaStreams::Stream*> CudaStreams::stream_at(StreamId stream, const char* call) const {
  const std::scoped_lock lock(mutex_);
  const auto number = static_cast<std::size_t>(stream);
  if (number < streams_.size()) {
    return &streams_[number];
  }
  return Error{ErrorCode::kBadArgument, std::string("cannot ") + call + ": " + words_of(stream) +
                                            " was never made; there are " +
                                            std::to_string(streams_.size())};
}

Result<cudaStream_t> CudaStreams::native(StreamId stream, const char* call) const {
  const Result<Stream*> target = stream_at(stream, call);
  if (!target) {
    return target.failure();
  }
  return (*target)->native;
}

std::unique_lock<std::mutex> CudaStreams::hold(StreamId stream) const {
  const Result<Stream*> target = stream_at(stream, "work");
  return target ? std::unique_lock((*target)->in_order) : std::unique_lock<std::mutex>();
}

Result<StreamId> CudaStreams::make() {
  cudaStream_t native = nullptr;
  if (std::optional<Error> fault = health_.take(
          cudaStreamCreateWithFlags(&native, cudaStreamNonBlocking), "cudaStreamCreateWithFlags")) {
    return *fault;
  }
  const std::scoped_lock lock(mutex_);
  streams_.emplace_back().native = native;
  return static_cast<StreamId>(streams_.size() - 1);
}

Result<StreamId> CudaStreams::adopt(cudaStream_t native) {
  if (native == cudaStreamPerThread) {
    return Error{ErrorCode::kBadArgument,
                 "cudaStreamPerThread cannot be known by a number: it is another stream on each "
                 "thread; name a stream that was made"};
  }
  const std::scoped_lock lock(mutex_);
  if (native == nullptr || native == cudaStreamLegacy) {
    return StreamId::kDefault;
  }
  Stream& adopted = streams_.emplace_back();
  adopted.native = native;
  adopted.is_adopted = true;
  return static_cast<StreamId>(streams_.size() - 1);
}

bool CudaStreams::has(StreamId stream) const {
  const std::scoped_lock lock(mutex_);
  return static_cast<std::size_t>(stream) < streams_.size();
}

Result<StreamEvent> CudaStreams::record(StreamId stream) {
  const Result<Stream*> target = stream_at(stream, "record");
  if (!target) {
    return target.failure();
  }
  Stream& known = **target;
  // Why held: numbers follow each other as the records do.
  const std::scoped_lock lock(known.mutex);
  if (known.pending.size() >= kUnasked) {
    retire(known, lock);
  }
  Result<PooledEvent> event = events_.take();
  if (!event) {
    return event.failure();
  }
  if (std::optional<Error> fault =
          health_.take(cudaEventRecord(event->get(), known.native), "cudaEventRecord")) {
    return *fault;
  }
  known.pending.push_back(std::move(*event));
  return StreamEvent{stream, ++known.recorded};
}

void CudaStreams::advance(Stream& stream, std::uint64_t sequence,
                          const std::scoped_lock<std::mutex>&) {
  std::uint64_t reached = stream.reached.load(std::memory_order_relaxed);
  for (; reached < sequence; ++reached) {
    stream.pending.pop_front();
  }
  // Why release: who sees the event reached sees what the work before it wrote.
  stream.reached.store(reached, std::memory_order_release);
}

// Asks the device for the oldest event that it was not said to have reached, and so on.
void CudaStreams::retire(Stream& stream, const std::scoped_lock<std::mutex>& held) {
  while (!stream.pending.empty()) {
    const cudaError_t status = cudaEventQuery(stream.pending.front().get());
    if (status == cudaErrorNotReady) {
      static_cast<void>(cudaGetLastError());  // an answer, and no error
      return;
    }
    if (health_.take(status, "cudaEventQuery")) {
      return;  // what was last known holds
    }
    advance(stream, stream.reached.load(std::memory_order_relaxed) + 1, held);
  }
}

std::uint64_t CudaStreams::reached(StreamId stream) {
  const Result<Stream*> target = stream_at(stream, "ask after a stream");
  check(target.ok(), "a stream that is asked after was made");
  const std::scoped_lock lock((*target)->mutex);
  retire(**target, lock);
  return (*target)->reached.load(std::memory_order_relaxed);
}

std::uint64_t CudaStreams::last_reached(StreamId stream) const {
  const Result<Stream*> target = stream_at(stream, "ask after a stream");
  check(target.ok(), "a stream that is asked after was made");
  return (*target)->reached.load(std::memory_order_acquire);
}

Result<PooledEvent> CudaStreams::pending_at(StreamEvent event, const char* call) {
  const Result<Stream*> source = stream_at(event.stream, call);
  if (!source) {
    return source.failure();
  }
  Stream& stream = **source;
  const std::scoped_lock lock(stream.mutex);
  if (event.sequence > stream.recorded) {
    return Error{ErrorCode::kBadArgument,
                 std::string("cannot ") + call + " for event " + std::to_string(event.sequence) +
                     " of " + words_of(event.stream) + ": " + std::to_string(stream.recorded) +
                     " were recorded there"};
  }
  const std::uint64_t reached = stream.reached.load(std::memory_order_relaxed);
  if (event.sequence <= reached) {
    return PooledEvent();
  }
  return stream.pending[event.sequence - reached - 1];
}

Result<void> CudaStreams::wait_for(StreamId waiter, CudaStreams& streams, StreamEvent event) {
  const Result<cudaStream_t> target = native(waiter, "wait");
  if (!target) {
    return target.failure();
  }
  const Result<PooledEvent> pending = streams.pending_at(event, "wait");
  if (!pending) {
    return pending.failure();
  }
  if (*pending == nullptr || (&streams == this && waiter == event.stream)) {
    return {};  // done, or in order by itself
  }
  if (std::optional<Error> fault =
          health_.take(cudaStreamWaitEvent(*target, pending->get(), cudaEventWaitDefault),
                       "cudaStreamWaitEvent")) {
    return *fault;
  }
  return {};
}

Result<void> CudaStreams::synchronize(StreamEvent event) {
  const Result<PooledEvent> pending = pending_at(event, "synchronize");
  if (!pending) {
    return pending.failure();
  }
  if (*pending == nullptr) {
    return {};
  }
  // No lock is held: others go on with the stream meanwhile.
  if (std::optional<Error> fault =
          health_.take(cudaEventSynchronize(pending->get()), "cudaEventSynchronize")) {
    return *fault;
  }
  Stream& stream = **stream_at(event.stream, "synchronize");
  const std::scoped_lock lock(stream.mutex);
  advance(stream, event.sequence, lock);
  return {};
}

void CudaStreams::drain() {
  const std::scoped_lock lock(mutex_);
  for (const Stream& stream : streams_) {
    health_.insist("cudaStreamSynchronize", [&] { return cudaStreamSynchronize(stream.native); });
  }
}

void CudaStreams::close() {
  const std::scoped_lock lock(mutex_);
  for (Stream& stream : streams_) {
    stream.pending.clear();
    if (stream.native != nullptr && !stream.is_adopted) {
      health_.insist("cudaStreamDestroy", [&] { return cudaStreamDestroy(stream.native); });
    }
  }
  streams_.clear();
  events_.close();
}

}  // namespace tenure
