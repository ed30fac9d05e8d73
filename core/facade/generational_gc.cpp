#include "tenure/facade/generational_gc.hpp"

#include <algorithm>
#include <string>

#include "core/facade/generations.hpp"
#include "core/facade/state.hpp"
#include "tenure/object_facts.hpp"

namespace tenure {

namespace {

constexpr double kNsPerMs = 1e6;
constexpr double kDue = 0.8;  // of a generation's limit

double milliseconds(std::uint64_t ns) { return static_cast<double>(ns) / kNsPerMs; }

Bytes less(Bytes from, Bytes part) { return from > part ? from - part : Bytes{}; }

Error no_such(std::uint32_t generation) {
  return {ErrorCode::kBadArgument, "there is no generation " + std::to_string(generation)};
}

// Objects of the dynamic door that were made in a generation.
std::uint64_t born(const FacadeState& state, std::uint32_t generation) {
  const std::uint32_t oldest = state.configuration.num_generations - 1;
  const std::uint64_t old = oldest == 0 ? state.counts.objects() : state.counts.born_old();
  return generation == oldest ? old : generation == 0 ? state.counts.objects() - old : 0;
}

}  // namespace

bool GcGeneration::should_collect() const {
  return !size_limit.is_zero() &&
         static_cast<double>(total_size.count()) >= kDue * static_cast<double>(size_limit.count());
}

std::vector<GcMetrics> metrics_of(const CollectionReport& report) {
  std::vector<GcMetrics> rows;
  if (report.collected == CollectionReport::kNothing) {
    return rows;
  }
  Bytes young_collected;
  for (std::uint32_t generation = 0; generation <= report.collected; ++generation) {
    // What ends a cycle took the oldest generation, and of the others as many as were evacuated.
    const bool is_oldest = report.full && generation == report.collected;
    const bool was_evacuated =
        report.evacuated != CollectionReport::kNothing && generation <= report.evacuated;
    if (!is_oldest && !was_evacuated) {
      continue;
    }
    GcMetrics row{.generation = generation,
                  .trigger_reason = report.trigger,
                  .start_time = milliseconds(report.began_ns),
                  .end_time = milliseconds(report.ended_ns),
                  .bytes_before = report.bytes_before[generation],
                  .objects_promoted = report.promoted_from[generation],
                  .bytes_promoted = report.bytes_promoted_from[generation],
                  .objects_scanned = report.objects_copied + report.objects_promoted +
                                     report.objects_held + report.objects_marked,
                  .pause_time_ms = milliseconds(report.pause_ns),
                  .duration_ms = milliseconds(report.ended_ns - report.began_ns)};
    row.bytes_collected = is_oldest ? less(report.bytes_freed, young_collected)
                                    : less(row.bytes_before, report.bytes_survived[generation]);
    row.bytes_survived = less(row.bytes_before, row.bytes_collected);
    young_collected += row.bytes_collected;
    rows.push_back(row);
  }
  return rows;
}

std::vector<GcMetrics> metrics_of(std::span<const CollectionReport> reports) {
  std::vector<GcMetrics> rows;
  for (const CollectionReport& report : reports) {
    const std::vector<GcMetrics> more = metrics_of(report);
    rows.insert(rows.end(), more.begin(), more.end());
  }
  return rows;
}

std::vector<GcGeneration> generations_of(const FacadeState& state, const Statistics& statistics,
                                         const Census& census) {
  const std::uint32_t count = state.configuration.num_generations;
  std::vector<GcGeneration> made;
  for (std::uint32_t number = 0; number < count; ++number) {
    const bool is_oldest = number + 1 == count;
    GcGeneration generation{
        .number = number,
        .promotion_threshold = is_oldest ? 0 : statistics.promotion_age[number],
        .size_limit = {},
        .allocation_count = born(state, number) + statistics.promoted_into[number],
        .collection_count = statistics.collections_by_generation[number],
        .object_count = census.by_generation[number].objects,
        .total_size = statistics.bytes_by_generation[number]};
    generation.size_limit = is_oldest     ? statistics.old_limit
                            : number == 0 ? statistics.nursery
                                          : statistics.middle_limit;
    for (std::size_t age = 0; age < generation.age_distribution.size(); ++age) {
      generation.age_distribution[age] = census.by_generation_and_age[number][age].objects;
    }
    made.push_back(generation);
  }
  return made;
}

Result<std::vector<GcMetrics>> GenerationalGc::collect_generation(std::uint32_t generation) {
  if (!state_->is_open()) {
    return FacadeState::closed();
  }
  const Result<CollectionReport> report = state_->runtime.collect_up_to(generation);
  if (!report) {
    return report.failure();
  }
  return metrics_of(*report);
}

Result<std::vector<GcMetrics>> GenerationalGc::collect_all_generations() {
  return collect_generation(state_->configuration.num_generations - 1);
}

Result<std::vector<GcMetrics>> GenerationalGc::request_collection(std::uint32_t generation) {
  if (!state_->is_open()) {
    return FacadeState::closed();
  }
  if (generation >= state_->configuration.num_generations) {
    return no_such(generation);
  }
  FacadeState::Request& request = state_->request;
  std::unique_lock lock(request.mutex);
  while (request.is_running) {
    const bool is_enough = request.last >= generation;
    const std::uint64_t awaited = request.number;
    request.ended.wait(lock, [&] { return request.number != awaited; });
    if (is_enough) {
      return metrics_of(request.report);
    }
  }
  request.is_running = true;
  request.last = generation;
  lock.unlock();
  Result<CollectionReport> report = state_->runtime.collect_up_to(generation);
  lock.lock();
  request.is_running = false;
  ++request.number;
  if (report) {
    request.report = *report;
  }
  request.ended.notify_all();
  if (!report) {
    return report.failure();
  }
  return metrics_of(*report);
}

Result<std::vector<GcGeneration>> GenerationalGc::generations() const {
  if (!state_->is_open()) {
    return FacadeState::closed();
  }
  const Census census = take_census(state_->runtime);
  return generations_of(*state_, state_->runtime.statistics(), census);
}

Result<GcCollectionStatistics> GenerationalGc::get_gc_statistics() const {
  Result<std::vector<GcGeneration>> generations = this->generations();
  if (!generations) {
    return generations.failure();
  }
  const Statistics statistics = state_->runtime.statistics();
  const CycleStatistics& cycles = statistics.cycles;
  return GcCollectionStatistics{
      .total_collections = statistics.collections,
      .total_pause_time_ms = milliseconds(statistics.pauses.total_ns()),
      .collection_in_progress = cycles.begun > cycles.ended + cycles.abandoned,
      .generations = *std::move(generations),
      .recent_collections = metrics_of(recent_collections(state_->runtime))};
}

Result<Handle<GcObject>> GenerationalGc::allocate_object(ObjectType type, std::uint64_t size,
                                                         const AllocateOptions& options) {
  return state_->allocate(type, size, options);
}
Result<void> GenerationalGc::add_root_object(const Handle<GcObject>& object) {
  return state_->add_root(object);
}
Result<void> GenerationalGc::remove_root_object(const Handle<GcObject>& object) {
  return state_->remove_root(object);
}
Result<RootCallbackId> GenerationalGc::add_root_callback(RootCallback callback) {
  return state_->add_root_callback(std::move(callback));
}
bool GenerationalGc::remove_root_callback(RootCallbackId id) {
  return state_->remove_root_callback(id);
}

Result<std::uint32_t> GenerationalGc::get_age(const Handle<GcObject>& object) const {
  return AgeTracker(*state_).get_age(object);
}
Result<bool> GenerationalGc::should_promote(const Handle<GcObject>& object) const {
  return AgeTracker(*state_).should_promote(object);
}

Result<std::uint32_t> AgeTracker::get_age(const Handle<GcObject>& object) const {
  return state_->with(object, [](Mutator& mutator, ObjectIndex index) -> Result<std::uint32_t> {
    return facts_of(mutator, index).age;
  });
}

Result<bool> AgeTracker::should_promote(const Handle<GcObject>& object) const {
  const Statistics statistics = state_->is_open() ? state_->runtime.statistics() : Statistics{};
  return state_->with(object, [&](Mutator& mutator, ObjectIndex index) -> Result<bool> {
    const ObjectFacts facts = facts_of(mutator, index);
    const std::uint32_t threshold = statistics.promotion_age[facts.generation];
    return threshold != 0 && facts.age + 1 >= threshold;
  });
}

Result<std::array<std::uint64_t, kAgeLimit + 1>> AgeTracker::get_age_distribution(
    std::uint32_t generation) const {
  if (!state_->is_open()) {
    return FacadeState::closed();
  }
  if (generation >= state_->configuration.num_generations) {
    return no_such(generation);
  }
  const Census census = take_census(state_->runtime);
  return generations_of(*state_, state_->runtime.statistics(), census)[generation].age_distribution;
}

}  // namespace tenure
