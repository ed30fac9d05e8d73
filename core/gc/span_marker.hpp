// The fast marker of one thread: reads spans of 64 KiB, not objects. Resumable, so that it marks in
// slices or in the background as well as in one stop.
#pragma once

#include "core/gc/array_pieces.hpp"
#include "core/gc/span_queue.hpp"
#include "core/gc/span_reader.hpp"
#include "core/gc/span_table.hpp"
#include "core/model/marker.hpp"

namespace tenure {

/// kBeside  kNobody: `advance` too needs a stopped world; kMutators: it does not
/// cost     memory as SpanTable says, and 4 bytes a span; nothing grows with depth or with arrays
template <Beside kBeside>
class SpanMarker final : public Marker {
 public:
  void begin(const MarkJob& job) override;
  bool advance(std::uint64_t budget) override;
  void add(std::span<const ObjectIndex> objects) override { reader_.reach(objects); }
  MarkStats complete() override;
  void abandon() override;

 private:
  SpanTable<kBeside> spans_;
  ArrayPieces pieces_;
  SpanQueue queue_;
  SpanReader<kBeside, SpanQueue> reader_{spans_, pieces_, queue_};
};

/// For a stopped world.
using StoppedMarker = SpanMarker<Beside::kNobody>;
/// For slices between mutators' turns, and for a thread beside them.
using ResumableMarker = SpanMarker<Beside::kMutators>;

}  // namespace tenure
