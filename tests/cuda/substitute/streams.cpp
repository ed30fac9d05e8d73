// Streams, events, copies and fills.
#include <cstring>

#include "tests/cuda/substitute/world.hpp"

namespace tenure::substitute {

namespace {

bool is_alive(cudaEvent_t event) { return world().events.contains(event); }

bool is_of_host(const void* address) {
  const auto* const block = world().block_at(address);
  return block == nullptr || block->second.kind == Block::Kind::kHost ||
         block->second.kind == Block::Kind::kRegistered;
}

// What a copy says of its sides, against where they lie.
bool fits(cudaMemcpyKind kind, const void* to, const void* from) {
  const auto is_on_device = [](const void* address) {
    const auto* const block = world().block_at(address);
    return block != nullptr && (block->second.kind == Block::Kind::kDevice ||
                                block->second.kind == Block::Kind::kMapping);
  };
  switch (kind) {
    case cudaMemcpyHostToDevice:
      return !is_on_device(from);
    case cudaMemcpyDeviceToHost:
      return !is_on_device(to);
    case cudaMemcpyHostToHost:
      return !is_on_device(to) && !is_on_device(from);
    default:
      return true;
  }
}

cudaError_t put(const Call& call, cudaStream_t stream, Operation operation) {
  CUstream_st* const target = world().stream_of(stream);
  if (target == nullptr) {
    return call.answer(cudaErrorInvalidResourceHandle);
  }
  target->queue.push_back(std::move(operation));
  return cudaSuccess;
}

cudaError_t drain(Call& call, cudaStream_t stream) {
  CUstream_st* const target = world().stream_of(stream);
  if (target == nullptr) {
    return call.answer(cudaErrorInvalidResourceHandle);
  }
  return call.answer(world().wait_until(call.lock(), [&] { return world().is_idle(*target); }));
}

// Source: CUDA Runtime API, "API synchronization behavior": a copy to pageable memory, and one between
// places of the host, returns when it is done; one from pageable memory may have read it by then.
cudaError_t put_copy(Call& call, void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                     cudaStream_t stream) {
  if (bytes == 0) {
    return cudaSuccess;
  }
  if (!world().may_touch(to, bytes) || !world().may_touch(from, bytes) || !fits(kind, to, from)) {
    return call.answer(cudaErrorInvalidValue);
  }
  const CUstream_st* const target = world().stream_of(stream);
  if (target != nullptr && (!world().reaches(target->device, to, bytes, true) ||
                            !world().reaches(target->device, from, bytes, true))) {
    return call.answer(cudaErrorInvalidValue);
  }
  const bool is_awaited = world().is_pageable(to) || (is_of_host(to) && is_of_host(from));
  Operation copy;
  copy.touches.push_back({static_cast<std::byte*>(to), bytes});
  if (world().is_pageable(from) && !is_awaited) {
    const auto* const first = static_cast<const std::byte*>(from);
    copy.run = [to, now = std::vector<std::byte>(first, first + bytes)] {
      std::memcpy(to, now.data(), now.size());
    };
  } else {
    copy.touches.push_back({static_cast<std::byte*>(const_cast<void*>(from)), bytes});
    copy.run = [to, from, bytes] { std::memmove(to, from, bytes); };
  }
  const cudaError_t status = put(call, stream, std::move(copy));
  return status == cudaSuccess && is_awaited ? drain(call, stream) : status;
}

cudaError_t put_fill(const Call& call, void* to, int value, std::size_t bytes,
                     cudaStream_t stream) {
  if (bytes == 0) {
    return cudaSuccess;
  }
  if (world().is_pageable(to) || !world().may_touch(to, bytes)) {
    return call.answer(cudaErrorInvalidValue);
  }
  const CUstream_st* const target = world().stream_of(stream);
  if (target != nullptr && !world().reaches(target->device, to, bytes, false)) {
    return call.answer(cudaErrorInvalidValue);
  }
  Operation fill;
  fill.touches.push_back({static_cast<std::byte*>(to), bytes});
  fill.run = [to, value, bytes] { std::memset(to, value, bytes); };
  return put(call, stream, std::move(fill));
}

cudaError_t make_stream(const Call& call, cudaStream_t* stream, unsigned int flags) {
  if (flags != cudaStreamNonBlocking) {
    return call.answer(cudaErrorNotSupported);  // others are ordered with the default stream
  }
  world().streams.push_back(std::make_unique<CUstream_st>());
  *stream = world().streams.back().get();
  (*stream)->device = device_of_call();
  return cudaSuccess;
}

}  // namespace

}  // namespace tenure::substitute

using namespace tenure::substitute;

extern "C" {

// --- streams ----------------------------------------------------------------------------------

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned int flags) {
  const Call call("cudaStreamCreateWithFlags");
  return call.is_refused() ? call.status() : make_stream(call, stream, flags);
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned int flags, int) {
  const Call call("cudaStreamCreateWithPriority");
  return call.is_refused() ? call.status() : make_stream(call, stream, flags);
}

cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  const Call call("cudaDeviceGetStreamPriorityRange");
  if (call.is_refused()) {
    return call.status();
  }
  *least = 0;
  *greatest = -5;
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const Call call("cudaStreamDestroy");
  if (call.is_refused()) {
    return call.status();
  }
  if (!world().is_alive(stream)) {
    return call.answer(cudaErrorInvalidResourceHandle);
  }
  stream->is_destroyed = true;
  std::erase_if(world().streams,
                [](const auto& known) { return known->is_destroyed && world().is_idle(*known); });
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  Call call("cudaStreamSynchronize");
  return call.is_refused() ? call.status() : drain(call, stream);
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
  Call call("cudaStreamQuery");
  if (call.is_refused()) {
    return call.status();
  }
  CUstream_st* const target = world().stream_of(stream);
  if (target == nullptr) {
    return call.answer(cudaErrorInvalidResourceHandle);
  }
  if (!world().is_idle(*target)) {
    world().poll(call.lock());
  }
  return call.answer(world().is_idle(*target) ? cudaSuccess : cudaErrorNotReady);
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned int) {
  const Call call("cudaStreamWaitEvent");
  if (call.is_refused()) {
    return call.status();
  }
  if (!is_alive(event)) {
    return call.answer(cudaErrorInvalidResourceHandle);
  }
  Operation wait;
  wait.on = event->progress;
  wait.generation = event->progress->recorded;
  return put(call, stream, std::move(wait));
}

cudaError_t cudaDeviceSynchronize() {
  Call call("cudaDeviceSynchronize");
  if (call.is_refused()) {
    return call.status();
  }
  return call.answer(world().wait_until(call.lock(), [] { return world().is_idle(); }));
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* data) {
  const Call call("cudaLaunchHostFunc");
  if (call.is_refused()) {
    return call.status();
  }
  Operation work;
  work.run = [function, data] { function(data); };
  return put(call, stream, std::move(work));
}

// --- events -----------------------------------------------------------------------------------

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned int) {
  const Call call("cudaEventCreateWithFlags");
  if (call.is_refused()) {
    return call.status();
  }
  auto made = std::make_unique<CUevent_st>();
  made->device = device_of_call();
  made->progress = std::make_shared<Progress>();
  *event = made.get();
  world().events[*event] = std::move(made);
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  const Call call("cudaEventDestroy");
  if (call.is_refused()) {
    return call.status();
  }
  return call.answer(world().events.erase(event) == 1 ? cudaSuccess
                                                      : cudaErrorInvalidResourceHandle);
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const Call call("cudaEventRecord");
  if (call.is_refused()) {
    return call.status();
  }
  const CUstream_st* const target = world().stream_of(stream);
  if (!is_alive(event) || target == nullptr || target->device != event->device) {
    return call.answer(cudaErrorInvalidResourceHandle);
  }
  Operation record;
  const std::uint64_t generation = ++event->progress->recorded;
  record.run = [progress = event->progress, generation] {
    const World::Lock lock(world().mutex);
    progress->done = generation;
  };
  return put(call, stream, std::move(record));
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  Call call("cudaEventQuery");
  if (call.is_refused()) {
    return call.status();
  }
  if (!is_alive(event)) {
    return call.answer(cudaErrorInvalidResourceHandle);
  }
  const std::shared_ptr<Progress> progress = event->progress;
  if (progress->done < progress->recorded) {
    world().poll(call.lock());
  }
  return call.answer(progress->done < progress->recorded ? cudaErrorNotReady : cudaSuccess);
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  Call call("cudaEventSynchronize");
  if (call.is_refused()) {
    return call.status();
  }
  if (!is_alive(event)) {
    return call.answer(cudaErrorInvalidResourceHandle);
  }
  const std::shared_ptr<Progress> progress = event->progress;
  const std::uint64_t generation = progress->recorded;
  return call.answer(world().wait_until(call.lock(), [&] { return progress->done >= generation; }));
}

// There is no time: none has passed.
cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t start, cudaEvent_t end) {
  const Call call("cudaEventElapsedTime");
  if (call.is_refused()) {
    return call.status();
  }
  if (!is_alive(start) || !is_alive(end)) {
    return call.answer(cudaErrorInvalidResourceHandle);
  }
  *ms = 0.0F;
  return cudaSuccess;
}

// --- copies and fills -------------------------------------------------------------------------

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  Call call("cudaMemcpyAsync");
  return call.is_refused() ? call.status() : put_copy(call, to, from, bytes, kind, stream);
}

cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t stream) {
  const Call call("cudaMemsetAsync");
  return call.is_refused() ? call.status() : put_fill(call, to, value, bytes, stream);
}

cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  Call call("cudaMemcpy");
  if (call.is_refused()) {
    return call.status();
  }
  const cudaError_t status = put_copy(call, to, from, bytes, kind, nullptr);
  return status == cudaSuccess ? drain(call, nullptr) : status;
}

cudaError_t cudaMemset(void* to, int value, std::size_t bytes) {
  Call call("cudaMemset");
  if (call.is_refused()) {
    return call.status();
  }
  const cudaError_t status = put_fill(call, to, value, bytes, nullptr);
  return status == cudaSuccess ? drain(call, nullptr) : status;
}

}  // extern "C"
