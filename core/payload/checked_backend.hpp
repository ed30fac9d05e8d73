// A backend whose calls a `PayloadChecker` sees: the order that events and waits make, memory that
// goes, bytes that copies and fills touch.
#pragma once

#include <memory>
#include <string>

#include "core/backend/backend.hpp"
#include "core/payload/payload_checker.hpp"

namespace tenure {

/// threads  anyone
class CheckedBackend final : public Backend {
 public:
  /// on_fault  as of `PayloadChecker`
  explicit CheckedBackend(std::unique_ptr<Backend> inner, PayloadChecker::OnFault on_fault = {});
  /// inner     outlives it
  explicit CheckedBackend(Backend& inner, PayloadChecker::OnFault on_fault = {});

  [[nodiscard]] PayloadChecker& checker() { return checker_; }
  /// The backend itself: what is asked of it there changes nothing that the checker knows.
  [[nodiscard]] Backend& inner() { return inner_; }

  [[nodiscard]] std::string name() const override { return inner_.name(); }
  [[nodiscard]] KindTraits traits(MemoryKind kind) const override { return inner_.traits(kind); }
  [[nodiscard]] Result<AddressRange> reserve(MemoryKind kind, Bytes size) override;
  void release(const AddressRange& range) override;
  [[nodiscard]] Result<void> map(const AddressRange& range, Bytes offset, Bytes size) override;
  void unmap(const AddressRange& range, Bytes offset, Bytes size) override;
  [[nodiscard]] Result<std::byte*> allocate(MemoryKind kind, Bytes size) override;
  void deallocate(MemoryKind kind, std::byte* base, Bytes size) override;
  [[nodiscard]] Result<StreamId> make_stream() override;
  [[nodiscard]] Result<StreamId> adopt_stream(void* native) override;
  [[nodiscard]] bool has_stream(StreamId stream) const override;
  [[nodiscard]] Result<StreamEvent> record(StreamId stream) override;
  [[nodiscard]] std::uint64_t reached(StreamId stream) override;
  [[nodiscard]] Result<void> wait(StreamId waiter, StreamEvent event) override;
  [[nodiscard]] Result<void> synchronize(StreamEvent event) override;
  [[nodiscard]] Result<void> copy(StreamId stream, std::byte* to, const std::byte* from,
                                  Bytes size) override;
  [[nodiscard]] Result<void> fill(StreamId stream, std::byte* to, std::byte value,
                                  Bytes size) override;
  [[nodiscard]] Result<HintOutcome> prefetch(StreamId stream, const std::byte* at, Bytes size,
                                             MemorySide side) override;
  [[nodiscard]] Result<HintOutcome> advise(const std::byte* at, Bytes size,
                                           MemoryAdvice advice) override;

 private:
  template <class Outcome>
  Outcome look_at(Outcome outcome);

  std::unique_ptr<Backend> owned_;  // null where the inner one is another's
  Backend& inner_;
  PayloadChecker checker_;
};

}  // namespace tenure
