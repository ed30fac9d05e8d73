// An evictable payload of a pool whose bytes are rewritten by kernels of a simulated device, each of which
// checks what it finds.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "core/payload/pool.hpp"
#include "host/simulated_device.hpp"
#include "tests/support/filled_payloads.hpp"

namespace tenure::testing {

class EvictablePayload {
 public:
  EvictablePayload(PayloadLease lease, std::uint64_t seed)
      : block_(lease.detach()), lease_(*block_), at_(lease_.data()), seed_(seed) {}

  [[nodiscard]] PayloadBlock& block() const { return *block_; }
  [[nodiscard]] PayloadLease& lease() { return lease_; }
  [[nodiscard]] Bytes size() const { return lease_.size(); }
  [[nodiscard]] std::byte* at() const { return at_; }

  /// Puts a kernel on `stream`, inside of `use`: it expects the bytes that the last one left, and leaves
  /// others. False where the device refused, and nothing is to be expected.
  bool step(SimulatedDevice& device, StreamId stream, std::uint64_t duration_ns,
            std::uint64_t& broken) {
    EXPECT_EQ(lease_.data(), at_);
    if (!is_first_ && last_ != stream) {  // its users order their own work
      const Result<StreamEvent> event = device.record(last_);
      if (!event || !device.wait(stream, *event)) return false;
    }
    const auto kernel = [at = at_, size = lease_.size(), seed = seed_, first = is_first_, &broken] {
      broken += first || is_from_seed(at, size, seed) ? 0 : 1;
      fill_from_seed(at, size, seed + 1);
    };
    if (!device.submit(stream, duration_ns, kernel, {lease_.view()})) return false;
    ++seed_;
    is_first_ = false;
    last_ = stream;
    return true;
  }
  /// On the host, inside of `use`, with all work done.
  [[nodiscard]] bool is_whole() const { return is_first_ || is_from_seed(at_, size(), seed_); }

 private:
  PayloadBlock* block_;
  PayloadLease lease_;
  std::byte* at_;
  std::uint64_t seed_;
  bool is_first_ = true;  // nothing was written yet
  StreamId last_ = StreamId::kDefault;
};

}  // namespace tenure::testing
