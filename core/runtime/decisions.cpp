// What the conductor changed after a collection, for those who ask.
#include "tenure/decisions.hpp"

#include <string>

#include "core/runtime/conductor.hpp"
#include "core/runtime/state.hpp"
#include "tenure/runtime.hpp"

namespace tenure {

namespace {

std::string milliseconds(std::uint64_t ns) {
  std::string text = std::to_string((ns + 500) / 1000);  // of microseconds
  text.insert(0, text.size() < 4 ? 4 - text.size() : 0, '0');
  return text.insert(text.size() - 3, ".") + " ms";
}

std::string_view name_of(Marking marking) {
  switch (marking) {
    case Marking::kStop:
      return "in one stop";
    case Marking::kSlices:
      return "in slices";
    case Marking::kBackground:
      break;
  }
  return "by a thread";
}

}  // namespace

std::string_view to_string(Adapted parameter) {
  switch (parameter) {
    case Adapted::kNursery:
      return "nursery";
    case Adapted::kPromotionAge:
      return "promotion_age";
    case Adapted::kOldLimit:
      return "old_limit";
    case Adapted::kMarking:
      return "marking";
    case Adapted::kNurseryLimit:
      return "nursery_limit";
    case Adapted::kLargeObject:
      return "large_object";
    case Adapted::kBatchCollection:
      return "batch_collection";
    case Adapted::kCopiesAhead:
      break;
  }
  return "copies_ahead";
}

// In the stop, under the lock of the account.
void Conductor::note_decisions(const CollectionReport& report) {
  if (options_.mode == Mode::kManual) {
    return;
  }
  const auto change = [&](Adapted parameter, std::uint32_t generation, double now, auto reason) {
    decisions_.note({.time_ns = clock_.now_ns(),
                     .collection = account_.collections,
                     .parameter = parameter,
                     .generation = generation,
                     .reason = {}},
                    now, reason);
  };
  if (heap_.has_nursery() && !nursery_is_on_trial_) {
    change(Adapted::kNursery, 0, static_cast<double>(pause_budget_.nursery().count()), [&] {
      return to_string(report.bytes_survived[0]) + " of " + to_string(youngest_before_) +
             " survived, and the stop took " + milliseconds(report.pause_ns) + " of " +
             milliseconds(options_.max_pause_ns);
    });
  }
  if (heap_.has_nursery()) {
    for (std::uint32_t generation = 0; generation < heap_.oldest(); ++generation) {
      change(Adapted::kPromotionAge, generation, heap_.promotion_age(generation), [&] {
        return to_string(report.bytes_copied) + " were copied and " +
               to_string(report.bytes_promoted) + " promoted by collection " +
               std::to_string(account_.collections);
      });
    }
  }
  const OldCollection& old = old_collection_;
  change(Adapted::kOldLimit, 0, static_cast<double>(trigger_.old_limit().count()), [&] {
    return to_string(old.marked) + " live, marking took " + milliseconds(old.work_ns) + ", and " +
           to_string(old.grown) + " came in the " + milliseconds(old.apart_ns) + " before";
  });
  const Marking marking = marking_.load(std::memory_order_relaxed);
  change(Adapted::kMarking, 0, static_cast<double>(marking), [&] {
    const auto full = static_cast<std::uint64_t>(
        full_ns_per_byte_ * static_cast<double>(heap_.used(heap_.oldest()).count()));
    return std::string(name_of(marking)) + ": all of it would take " + milliseconds(full) +
           ", and a stop should take " + milliseconds(options_.max_pause_ns);
  });
}

void Conductor::note_decision(Adapted parameter, double before, double after,
                              const std::string& reason) {
  const std::scoped_lock lock(mutex_);
  const Decision decision{.time_ns = clock_.now_ns(),
                          .collection = account_.collections,
                          .parameter = parameter,
                          .reason = {}};
  decisions_.note(decision, before,
                  [] { return std::string(); });  // where it began, the first time
  decisions_.note(decision, after, [&reason] { return reason; });
}

std::vector<Decision> Conductor::decisions() const {
  const std::scoped_lock lock(mutex_);
  return decisions_.entries();
}

std::vector<Decision> decisions(const Runtime& runtime) {
  return runtime.state().conductor().decisions();
}

}  // namespace tenure
