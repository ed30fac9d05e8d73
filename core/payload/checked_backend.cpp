#include "core/payload/checked_backend.hpp"

#include <utility>

namespace tenure {

CheckedBackend::CheckedBackend(std::unique_ptr<Backend> inner, PayloadChecker::OnFault on_fault)
    : owned_(std::move(inner)), inner_(*owned_), checker_(inner_.name(), std::move(on_fault)) {}

CheckedBackend::CheckedBackend(Backend& inner, PayloadChecker::OnFault on_fault)
    : inner_(inner), checker_(inner_.name(), std::move(on_fault)) {}

// Once the device is lost, memory is taken back without waiting, and rightly so.
template <class Outcome>
Outcome CheckedBackend::look_at(Outcome outcome) {
  if (!outcome && outcome.failure().code == ErrorCode::kDeviceLost) {
    checker_.lose();
  }
  return outcome;
}

Result<AddressRange> CheckedBackend::reserve(MemoryKind kind, Bytes size) {
  return look_at(inner_.reserve(kind, size));
}

void CheckedBackend::release(const AddressRange& range) {
  checker_.unmap(range.base, range.size);
  inner_.release(range);
}

Result<void> CheckedBackend::map(const AddressRange& range, Bytes offset, Bytes size) {
  return look_at(inner_.map(range, offset, size));
}

void CheckedBackend::unmap(const AddressRange& range, Bytes offset, Bytes size) {
  checker_.unmap(range.base + offset.count(), size);
  inner_.unmap(range, offset, size);
}

Result<std::byte*> CheckedBackend::allocate(MemoryKind kind, Bytes size) {
  return look_at(inner_.allocate(kind, size));
}

void CheckedBackend::deallocate(MemoryKind kind, std::byte* base, Bytes size) {
  checker_.unmap(base, size);
  inner_.deallocate(kind, base, size);
}

Result<StreamId> CheckedBackend::make_stream() { return look_at(inner_.make_stream()); }
Result<StreamId> CheckedBackend::adopt_stream(void* native) {
  return look_at(inner_.adopt_stream(native));
}
bool CheckedBackend::has_stream(StreamId stream) const { return inner_.has_stream(stream); }

Result<StreamEvent> CheckedBackend::record(StreamId stream) {
  return look_at(checker_.record([&] { return inner_.record(stream); }));
}

std::uint64_t CheckedBackend::reached(StreamId stream) {
  const std::uint64_t sequence = inner_.reached(stream);
  checker_.observe({stream, sequence});
  return sequence;
}

Result<void> CheckedBackend::wait(StreamId waiter, StreamEvent event) {
  Result<void> placed = look_at(inner_.wait(waiter, event));
  if (placed) {
    checker_.wait(waiter, event);
  }
  return placed;
}

Result<void> CheckedBackend::synchronize(StreamEvent event) {
  Result<void> waited = look_at(inner_.synchronize(event));
  if (waited) {
    checker_.observe(event);
  }
  return waited;
}

Result<void> CheckedBackend::copy(StreamId stream, std::byte* to, const std::byte* from,
                                  Bytes size) {
  checker_.touch(stream, from, size);
  checker_.touch(stream, to, size);
  return look_at(inner_.copy(stream, to, from, size));
}

Result<void> CheckedBackend::fill(StreamId stream, std::byte* to, std::byte value, Bytes size) {
  checker_.touch(stream, to, size);
  return look_at(inner_.fill(stream, to, value, size));
}

// Hints read and write nothing.
Result<HintOutcome> CheckedBackend::prefetch(StreamId stream, const std::byte* at, Bytes size,
                                             MemorySide side) {
  return look_at(inner_.prefetch(stream, at, size, side));
}
Result<HintOutcome> CheckedBackend::advise(const std::byte* at, Bytes size, MemoryAdvice advice) {
  return look_at(inner_.advise(at, size, advice));
}

}  // namespace tenure
