// A pool of a checked runtime, whose faults are gathered instead of stopping the program.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/payload/pool.hpp"
#include "host/simulated_device.hpp"

namespace tenure::testing {

/// Faults in the order in which they were found.
class FaultLog {
 public:
  [[nodiscard]] PayloadChecker::OnFault sink() {
    return [this](const std::string& fault) { faults_.push_back(fault); };
  }
  [[nodiscard]] const std::vector<std::string>& all() const { return faults_; }
  /// Whether there is one fault, and it has all these words.
  [[nodiscard]] ::testing::AssertionResult is_one(const std::vector<std::string>& words) const {
    if (faults_.size() != 1) {
      auto failure = ::testing::AssertionFailure() << faults_.size() << " faults";
      for (const std::string& fault : faults_) failure << "\n  " << fault;
      return failure;
    }
    for (const std::string& word : words) {
      if (faults_[0].find(word) == std::string::npos) {
        return ::testing::AssertionFailure() << "no \"" << word << "\" in: " << faults_[0];
      }
    }
    return ::testing::AssertionSuccess();
  }

 private:
  std::vector<std::string> faults_;
};

/// Keeps a word to itself: a backend that says yes to waits and does not place them, or that says of
/// events that they were reached when they were not.
class LyingBackend final : public Backend {
 public:
  explicit LyingBackend(Backend& inner) : inner_(inner) {}

  bool drops_waits = false;
  bool exaggerates = false;

  [[nodiscard]] std::string name() const override { return inner_.name(); }
  [[nodiscard]] KindTraits traits(MemoryKind kind) const override { return inner_.traits(kind); }
  [[nodiscard]] Result<AddressRange> reserve(MemoryKind kind, Bytes size) override {
    return inner_.reserve(kind, size);
  }
  void release(const AddressRange& range) override { inner_.release(range); }
  [[nodiscard]] Result<void> map(const AddressRange& range, Bytes offset, Bytes size) override {
    return inner_.map(range, offset, size);
  }
  void unmap(const AddressRange& range, Bytes offset, Bytes size) override {
    inner_.unmap(range, offset, size);
  }
  [[nodiscard]] Result<std::byte*> allocate(MemoryKind kind, Bytes size) override {
    return inner_.allocate(kind, size);
  }
  void deallocate(MemoryKind kind, std::byte* base, Bytes size) override {
    inner_.deallocate(kind, base, size);
  }
  [[nodiscard]] Result<StreamId> make_stream() override { return inner_.make_stream(); }
  [[nodiscard]] bool has_stream(StreamId stream) const override {
    return inner_.has_stream(stream);
  }
  [[nodiscard]] Result<StreamEvent> record(StreamId stream) override {
    Result<StreamEvent> event = inner_.record(stream);
    latest_ = event ? event->sequence : latest_;
    return event;
  }
  [[nodiscard]] std::uint64_t reached(StreamId stream) override {
    const std::uint64_t reached = inner_.reached(stream);
    return exaggerates ? latest_ : reached;
  }
  [[nodiscard]] Result<void> wait(StreamId waiter, StreamEvent event) override {
    return drops_waits ? Result<void>() : inner_.wait(waiter, event);
  }
  [[nodiscard]] Result<void> synchronize(StreamEvent event) override {
    return inner_.synchronize(event);
  }
  [[nodiscard]] Result<void> copy(StreamId stream, std::byte* to, const std::byte* from,
                                  Bytes size) override {
    return inner_.copy(stream, to, from, size);
  }
  [[nodiscard]] Result<void> fill(StreamId stream, std::byte* to, std::byte value,
                                  Bytes size) override {
    return inner_.fill(stream, to, value, size);
  }

 private:
  Backend& inner_;
  std::uint64_t latest_ = 0;
};

}  // namespace tenure::testing
