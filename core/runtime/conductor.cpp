#include "core/runtime/conductor.hpp"

#include <array>
#include <string>
#include <utility>

#include "core/base/check.hpp"
#include "core/gc/verifier.hpp"
#include "core/heap/object_access.hpp"

namespace tenure {

Conductor::Conductor(Platform& clock, Heap& heap, Safepoint& safepoint,
                     const ConductorOptions& options)
    : clock_(clock),
      heap_(heap),
      safepoint_(safepoint),
      options_(options),
      team_(options.workers),
      collector_(heap, marker_, team_),
      trigger_(options.trigger) {}

void Conductor::collect_for_nursery(MutatorState& self) {
  run(
      &self, [this] { return judge(); }, 0);
}

CollectionReport Conductor::collect(MutatorState* self, std::uint32_t last,
                                    CollectionTrigger trigger, Compact how) {
  return run(
      self,
      [=] {
        return Verdict{last, trigger, how};
      },
      last);
}

CollectionReport Conductor::run(MutatorState* self, const Choose& choose, std::uint32_t at_least) {
  const std::uint64_t asked = clock_.now_ns();
  const std::uint64_t before = collections();
  while (!safepoint_.stop(self)) {
    // Somebody else stopped the world meanwhile. If that collected as much, it is enough; a thread
    // without a mutator cannot know whether the stop began before it asked.
    const std::scoped_lock lock(mutex_);
    if (self != nullptr && account_.collections > before && last_.collected >= at_least) {
      return last_;
    }
  }
  const std::uint64_t stopped = clock_.now_ns();
  ready();
  CollectionReport report = carry_out(choose());
  report.to_safepoint_ns = stopped - asked;
  report.pause_ns = clock_.now_ns() - stopped;
  note(report);
  safepoint_.go(self);
  return report;
}

void Conductor::in_stop(MutatorState* self, const std::function<void()>& work) {
  while (!safepoint_.stop(self)) {
  }
  ready();
  heap_.flush_born_old();
  work();
  safepoint_.go(self);
}

void Conductor::ready() {
  safepoint_.for_each([this](MutatorState& mutator) {
    mutator.retire_buffer();
    heap_.cards().drain(*mutator.log);
    for (const ObjectIndex owner : std::exchange(mutator.new_owners, {})) {
      heap_.owners().add(heap_.generation_of(owner), owner);
    }
  });
  heap_.cards().drain_full();
  const std::scoped_lock lock(mutex_);
  for (const ObjectIndex owner : std::exchange(orphans_, {})) {
    heap_.owners().add(heap_.generation_of(owner), owner);
  }
}

Verdict Conductor::judge() {
  std::array<Bytes, kMaxGenerations> used{};
  for (std::uint32_t generation = 0; generation <= heap_.oldest(); ++generation) {
    used[generation] = heap_.used(generation);
  }
  return trigger_.judge(used);
}

CollectionReport Conductor::carry_out(const Verdict& verdict) {
  const bool full = verdict.last >= heap_.oldest();
  const CollectionReport report = full ? collector_.collect_full(verdict.trigger, verdict.compact)
                                       : collector_.collect_young(verdict.last, verdict.trigger);
  trigger_.learn(report, heap_.used(heap_.oldest()));
  if (options_.verify || kVerify) {
    const Result<void> verified = verify(heap_);
    if (!verified) {
      fail("after a " + std::string(full ? "full" : "young") +
           " collection: " + verified.failure().message);
    }
  }
  return report;
}

void Conductor::note(const CollectionReport& report) {
  const std::scoped_lock lock(mutex_);
  last_ = report;
  Statistics& sum = account_;
  ++sum.collections;
  ++(report.full ? sum.full_collections : sum.young_collections);
  ++sum.collections_by_trigger[static_cast<std::size_t>(report.trigger)];
  ++sum.collections_by_generation[report.collected];
  sum.pauses.add(report.pause_ns);
  sum.to_safepoint.add(report.to_safepoint_ns);
  sum.bytes_copied += report.bytes_copied;
  sum.bytes_promoted += report.bytes_promoted;
  sum.cards_scanned += report.cards_scanned;
  sum.payloads_retired += report.payloads_retired;
  sum.payload_bytes_retired += report.payload_bytes_retired;
  sum.compactions += report.objects_compacted > 0 ? 1 : 0;
  sum.objects_compacted += report.objects_compacted;
  sum.bytes_compacted += report.bytes_compacted;
  if (report.root_callback_failures > 0) {
    sum.root_callback_failures += report.root_callback_failures;
    sum.root_callback_failure = report.root_callback_failure;
  }
}

std::uint64_t Conductor::collections() const {
  const std::scoped_lock lock(mutex_);
  return account_.collections;
}

void Conductor::adopt(MutatorState& mutator) {
  mutator.retire_buffer();
  heap_.cards().hand_in(std::move(mutator.log));
  const std::scoped_lock lock(mutex_);
  orphans_.insert(orphans_.end(), mutator.new_owners.begin(), mutator.new_owners.end());
  bytes_of_ended_ += mutator.bytes_allocated;
}

void Conductor::account(Statistics& statistics) const {
  const std::scoped_lock lock(mutex_);
  statistics = account_;
  statistics.bytes_allocated = Bytes{bytes_of_ended_};
}

}  // namespace tenure
