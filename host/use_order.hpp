// Which work on streams comes before which, by events and waits alone, and whether bytes are used in
// that order. It finds a missing wait even where the clock happens to be kind.
//
// A stream's clock says, for each stream, how much of its work is known to come before what is put
// on this one next. An event carries the clock of its stream to whoever waits for it; what the host
// saw reached comes before all that is submitted afterwards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tenure/payload.hpp"

namespace tenure {

enum class Access : std::uint8_t { kRead, kWrite };

/// Bytes that work uses, and how.
struct DeviceUse {
  DeviceUse(const PayloadView& view, Access how = Access::kWrite)  // NOLINT: a view is a use
      : bytes(view), access(how) {}

  PayloadView bytes;
  Access access;
};

/// threads  one at a time
class UseOrder {
 public:
  UseOrder() { make_stream(); }

  void make_stream();
  /// Work on a stream, behind all that is there. Each of its uses must come after the writes of the
  /// same bytes, and its writes after all uses; a fault is noted where one does not.
  void submit(StreamId stream, const std::vector<DeviceUse>& uses);
  /// The next event of a stream.
  void record(StreamId stream);
  void wait(StreamId waiter, StreamEvent event);
  /// The host saw that the event was reached.
  void observe(StreamEvent event);
  /// The bytes are unmapped: who used them no longer matters.
  void forget(const std::byte* base, Bytes size);

  /// The first faults, in sentences.
  [[nodiscard]] const std::vector<std::string>& faults() const { return faults_; }

 private:
  using Clock = std::vector<std::uint64_t>;  // by stream: how many of its works come before

  struct Use {
    StreamId stream = StreamId::kDefault;
    std::uint64_t number = 0;  // of the work on its stream, from 1
    Access access = Access::kRead;
  };
  struct Stretch {
    const std::byte* end = nullptr;
    std::vector<Use> uses;  // since the last write, and that
  };
  struct Stream {
    Clock clock;
    std::vector<Clock> events;  // the clock at each, from sequence number 1
  };

  [[nodiscard]] Stream& at(StreamId stream) {
    return streams_.at(static_cast<std::size_t>(stream));
  }
  static void join(Clock& clock, const Clock& other);

  void use(const Use& next, const std::byte* begin, const std::byte* end);
  void use_stretch(const Use& next, const std::byte* first, Stretch& stretch);
  void split_at(const std::byte* place);

  std::vector<Stream> streams_;
  Clock host_;                                     // what the host saw reached
  std::map<const std::byte*, Stretch> stretches_;  // by first byte; disjoint
  std::vector<std::string> faults_;
};

}  // namespace tenure
