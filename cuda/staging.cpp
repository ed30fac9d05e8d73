#include "cuda/staging.hpp"

#include "cuda/done.hpp"

namespace tenure {

Result<std::unique_ptr<Staging>> Staging::open() {
  std::unique_ptr<Staging> staging(new Staging());
  for (Buffer& buffer : staging->buffers_) {
    void* data = nullptr;
    if (Result<void> got =
            done(cudaHostAlloc(&data, kBufferSize.count(), cudaHostAllocDefault), "cudaHostAlloc");
        !got) {
      return got.failure();
    }
    buffer.data = static_cast<std::byte*>(data);
    if (Result<void> made = done(cudaEventCreateWithFlags(&buffer.idle, cudaEventDisableTiming),
                                 "cudaEventCreateWithFlags");
        !made) {
      buffer.idle = nullptr;
      return made.failure();
    }
  }
  return staging;
}

Staging::~Staging() {
  for (const Buffer& buffer : buffers_) {
    if (buffer.idle != nullptr) {
      static_cast<void>(take_error(cudaEventDestroy(buffer.idle), "cudaEventDestroy"));
    }
    if (buffer.data != nullptr) {
      static_cast<void>(take_error(cudaFreeHost(buffer.data), "cudaFreeHost"));
    }
  }
}

Result<std::byte*> Staging::next() {
  last_ = (last_ + 1) % kBuffers;
  if (Result<void> idle = wait(buffers_[last_]); !idle) {
    return idle.failure();
  }
  return buffers_[last_].data;
}

Result<void> Staging::in_use(cudaStream_t stream) {
  Result<void> recorded = done(cudaEventRecord(buffers_[last_].idle, stream), "cudaEventRecord");
  buffers_[last_].is_used = recorded.ok();
  return recorded;
}

Result<std::byte*> Staging::wait_for(std::size_t ago) {
  Buffer& buffer = buffers_[(last_ + kBuffers - ago) % kBuffers];
  if (Result<void> idle = wait(buffer); !idle) {
    return idle.failure();
  }
  return buffer.data;
}

Result<void> Staging::wait(Buffer& buffer) {
  if (!buffer.is_used) {
    return {};
  }
  buffer.is_used = false;
  return done(cudaEventSynchronize(buffer.idle), "cudaEventSynchronize");
}

}  // namespace tenure
