// What a collector of the dynamic door is made of: a runtime, a mutator that all calls share, and what
// is counted at the door. Its views point to it, and it does not move.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "tenure/facade/allocation.hpp"
#include "tenure/facade/counted_roots.hpp"
#include "tenure/facade/garbage_collector.hpp"
#include "tenure/mutator.hpp"
#include "tenure/pinned.hpp"
#include "tenure/result.hpp"
#include "tenure/runtime.hpp"

namespace tenure {

class FacadeState {
 public:
  FacadeState(const GcConfiguration& of, Runtime opened)
      : configuration(of),
        runtime(std::move(opened)),
        mutator(std::make_unique<SharedMutator>(runtime)) {
    SharedMutator::Use use(*mutator);
    roots = std::make_unique<CountedRoots>(use.mutator());
  }

  [[nodiscard]] bool is_open() const { return mutator != nullptr; }
  /// Whether the object has room among those that stay for good.
  [[nodiscard]] Result<void> check_permanent(const AllocateOptions& options,
                                             std::uint64_t size) const;
  [[nodiscard]] static Error closed() {
    return {ErrorCode::kClosed, "the collector was shut down"};
  }

  /// errors   kBadArgument: the handle is null, or its object another collector's or another door's
  [[nodiscard]] Result<void> require(const Handle<GcObject>& object);

  /// Calls `body(mutator, place)`, which gives a Result, with the object that the handle keeps.
  ///
  /// errors   kClosed; those of `require`
  template <class Body>
  auto with(const Handle<GcObject>& object, Body body)
      -> decltype(body(std::declval<Mutator&>(), ObjectIndex{})) {
    if (!is_open()) {
      return closed();
    }
    SharedMutator::Use use(*mutator);
    if (Result<void> is = require(object); !is) {
      return is.failure();
    }
    return body(use.mutator(), object.index());
  }

  [[nodiscard]] Result<Handle<GcObject>> allocate(ObjectType type, std::uint64_t size,
                                                  const AllocateOptions& options);
  Result<void> add_root(const Handle<GcObject>& object);
  Result<void> remove_root(const Handle<GcObject>& object);
  [[nodiscard]] Result<RootCallbackId> add_root_callback(RootCallback callback);
  bool remove_root_callback(RootCallbackId id);

  /// Counts an object made by `use`, where one was.
  void note(Mutator& mutator, const Result<Handle<GcObject>>& made);

  [[nodiscard]] Bytes threshold() const { return configuration.large_object_threshold_kb * 1_KiB; }

  GcConfiguration configuration;
  Runtime runtime;
  std::unique_ptr<SharedMutator> mutator;   // null once shut down
  std::unique_ptr<CountedRoots> roots;      // likewise; used with the mutator
  std::vector<Pinned<GcObject>> permanent;  // likewise; for good
  Bytes permanent_bytes{};                  // of these, headers included; used with the mutator
  std::atomic<std::uint64_t> permanent_count{0};  // without the unit value, which nothing counts
  Handle<GcObject> unit;    // the unit value, once somebody asked for it; likewise
  AllocationCounts counts;  // used with the mutator

  /// What counters begin at: 0, or what they were when the statistics were reset.
  struct Baseline {
    Statistics statistics;
    AllocationCounts counts;
    std::uint64_t freed_objects = 0;
    Bytes allocated{};
    Bytes freed{};
    std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
  };
  mutable std::mutex baseline_mutex;
  Baseline baseline;  // guarded by baseline_mutex

  /// The collection that `request_collection` has under way, or had.
  struct Request {
    std::mutex mutex;
    std::condition_variable ended;
    bool is_running = false;   // guarded by mutex, as all here
    std::uint64_t number = 0;  // of those that ended
    std::uint32_t last = 0;    // generation, of that under way
    CollectionReport report;   // of the last that ended
  };
  Request request;
};

/// Everything ever allocated, and what of it is in use: objects with their headers, and payloads they own.
struct ByteTotals {
  Bytes allocated{};
  Bytes used{};

  [[nodiscard]] Bytes freed() const { return allocated > used ? allocated - used : Bytes{}; }
};
[[nodiscard]] ByteTotals totals_of(const Statistics& statistics);

/// Objects of the dynamic door in the heap, unit values left out.
[[nodiscard]] std::uint64_t count_dynamic(const Census& census);

}  // namespace tenure
