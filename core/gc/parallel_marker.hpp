// The span marker, by a team: each member reads spans from a queue of its own, and steals from the
// others' when that is empty; large arrays are open to all. Marks and spans are claimed by atomics.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/base/team.hpp"
#include "core/gc/array_pieces.hpp"
#include "core/gc/span_queue.hpp"
#include "core/gc/span_reader.hpp"
#include "core/gc/span_table.hpp"
#include "core/model/marker.hpp"

namespace tenure {

/// cost     memory as SpanTable says, and 8 bytes a span and member at the most
/// threads  as Marker says; the world may run during `advance`
class ParallelMarker final : public Marker {
 public:
  /// Fewer objects are read sooner by the caller than by members that have to wake first. Measured: a
  /// full collection of 400 objects took 116 us with the team called, on busy cores 1 ms; 30 without.
  static constexpr std::uint64_t kAlone = 4096;

  /// team   outlives the marker; nobody else runs it during `advance` and `complete`
  /// alone  objects that the caller reads before the team is called
  explicit ParallelMarker(Team& team, std::uint64_t alone = kAlone);

  void begin(const MarkJob& job) override;
  /// A small budget is spent by the caller alone.
  bool advance(std::uint64_t budget) override;
  void add(std::span<const ObjectIndex> objects) override;
  MarkStats complete() override;

  /// Spans that a member took from another's queue, since the marker was made. Between calls.
  [[nodiscard]] std::uint64_t steals() const;
  /// Times that the team was called, likewise.
  [[nodiscard]] std::uint64_t team_runs() const { return team_runs_; }

 private:
  static constexpr std::size_t kLine = 64;
  struct alignas(kLine) Member {
    Member(SpanTable<Beside::kMarkers>& spans, ArrayPieces& pieces)
        : reader(spans, pieces, queue) {}
    StealableSpanQueue queue;
    SpanReader<Beside::kMarkers, StealableSpanQueue> reader;
    std::uint64_t steals = 0;
    std::vector<std::uint64_t>
        seen;  // what was taken from each member's queue, when it last looked
  };

  [[nodiscard]] bool is_read_alone();
  void work(std::uint32_t member, std::uint64_t budget);
  [[nodiscard]] bool steal(std::uint32_t member);
  [[nodiscard]] StealableSpanQueue* find_victim(std::uint32_t member);
  [[nodiscard]] bool wait_for_work(std::uint32_t member);
  [[nodiscard]] bool has_work() const;

  Team& team_;
  const std::uint64_t alone_;
  SpanTable<Beside::kMarkers> spans_;
  ArrayPieces pieces_;
  std::vector<std::unique_ptr<Member>> members_;  // [members of the team]
  std::uint64_t team_runs_ = 0;
  std::atomic<std::uint32_t> working_{0};  // members that may still produce work
};

}  // namespace tenure
