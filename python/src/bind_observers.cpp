// The profiler and the optimizer.
#include <nanobind/nanobind.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <utility>

#include "python/src/collector.hpp"
#include "python/src/views.hpp"
#include "python/src/wrappers.hpp"

namespace tenure::python {

namespace {

struct ProfilerView {
  Collector* collector;
};
struct OptimizerView {
  Collector* collector;
};

template <class Call>
auto ask(ProfilerView& view, Call call) {
  return view.collector->ask(
      [&](GarbageCollector& facade) { return value_or_throw(call(facade.memory_profiler())); });
}
template <class Call>
auto ask(OptimizerView& view, Call call) {
  return view.collector->ask(
      [&](GarbageCollector& facade) { return value_or_throw(call(facade.memory_optimizer())); });
}

template <class Of>
auto count_of(Bytes Of::*member) {
  return [member](const Of& of) { return (of.*member).count(); };
}

std::vector<std::string> names_of(const std::vector<OptimizationHint>& hints) {
  std::vector<std::string> names;
  for (const OptimizationHint hint : hints) {
    names.emplace_back(to_string(hint));
  }
  return names;
}

void bind_profiler_values(nb::module_& module) {
  nb::class_<StackFrame>(module, "StackFrame", "One call.")
      .def_ro("address", &StackFrame::address)
      .def_ro("function", &StackFrame::function)
      .def_ro("module", &StackFrame::module);
  nb::class_<AllocationSite>(module, "AllocationSite",
                             "Where allocations of one type come from. Counts and bytes are "
                             "estimates from samples; times are nanoseconds of a clock that never "
                             "goes back.")
      .def_ro("what", &AllocationSite::what)
      .def_ro("is_payload", &AllocationSite::is_payload)
      .def_ro("call_stack", &AllocationSite::stack, "Innermost first.")
      .def_ro("total_allocations", &AllocationSite::total_allocations)
      .def_prop_ro("total_bytes", count_of(&AllocationSite::total_bytes))
      .def_ro("current_allocations", &AllocationSite::live_allocations)
      .def_prop_ro("current_bytes", count_of(&AllocationSite::live_bytes))
      .def_ro("peak_allocations", &AllocationSite::peak_allocations)
      .def_prop_ro("peak_bytes", count_of(&AllocationSite::peak_bytes))
      .def_prop_ro("average_size", &AllocationSite::average_size)
      .def_ro("allocation_rate", &AllocationSite::allocations_per_second)
      .def_ro("first_seen", &AllocationSite::first_seen_ns)
      .def_ro("last_seen", &AllocationSite::last_seen_ns)
      .def_ro("deaths", &AllocationSite::deaths)
      .def_ro("mean_lifetime", &AllocationSite::mean_lifetime_ns)
      .def_ro("samples", &AllocationSite::samples);
  nb::class_<TimelineSecond>(module, "TimelineSecond", "One second of a program.")
      .def_ro("second", &TimelineSecond::second)
      .def_ro("allocations", &TimelineSecond::allocations)
      .def_prop_ro("allocated_bytes", count_of(&TimelineSecond::allocated))
      .def_ro("deaths", &TimelineSecond::deaths)
      .def_prop_ro("freed_bytes", count_of(&TimelineSecond::freed))
      .def_ro("collections", &TimelineSecond::collections);
  nb::class_<AllocationBurst>(module, "AllocationBurst", "A second of far more than before.")
      .def_ro("second", &AllocationBurst::second)
      .def_prop_ro("allocated_bytes", count_of(&AllocationBurst::allocated))
      .def_prop_ro("before_bytes", count_of(&AllocationBurst::before));
  nb::class_<AllocationPatterns>(module, "AllocationPatterns", "What the load looks like.")
      .def_ro("allocation_size_histogram", &AllocationPatterns::size_histogram,
              "20 bins, by powers of two from 16 bytes on.")
      .def_ro("average_allocation_interval", &AllocationPatterns::interval_ns, "Nanoseconds.")
      .def_ro("allocation_burst_detection", &AllocationPatterns::bursts)
      .def_ro("memory_growth_trend", &AllocationPatterns::growth_bytes_per_second,
              "Bytes a second.");
}

nb::dict usage_by_type(ProfilerView& view) {
  const auto usage =
      ask(view, [](const MemoryProfiler& of) { return of.get_memory_usage_by_type(); });
  nb::dict made;
  for (const auto& [type, row] : usage) {
    nb::dict entry;
    entry["count"] = row.objects;
    entry["bytes"] = row.bytes.count();
    made[nb::str(type.c_str())] = entry;
  }
  return made;
}

void bind_profiler(nb::module_& module) {
  bind_profiler_values(module);
  using View = ProfilerView;
  nb::class_<View>(module, "MemoryProfiler",
                   "What is allocated, where, and how long it lives. Calls raise ValueError where "
                   "nothing is watched.")
      .def_prop_rw(
          "profiling_level",
          [](View& view) {
            return view.collector->ask([](GarbageCollector& facade) {
              return facade.memory_profiler().profiling_level();
            });
          },
          [](View& view, ProfilingLevel level) {
            ask(view, [&](MemoryProfiler of) { return of.set_profiling_level(level); });
          },
          "Lowering it drops what the lower level does not keep.")
      .def(
          "set_profiling_level",
          [](View& view, ProfilingLevel level) {
            ask(view, [&](MemoryProfiler of) { return of.set_profiling_level(level); });
          },
          nb::arg("level"))
      .def(
          "get_allocation_profiles",
          [](View& view) {
            return ask(view, [](const MemoryProfiler& of) { return of.get_allocation_profiles(); });
          },
          "All sites, the most live bytes first.")
      .def(
          "get_top_allocators",
          [](View& view, std::size_t limit) {
            return ask(view,
                       [&](const MemoryProfiler& of) { return of.get_top_allocators(limit); });
          },
          nb::arg("limit") = 10)
      .def(
          "get_memory_leaks",
          [](View& view, double least_age_seconds, std::uint64_t least_bytes) {
            const GrowthRule rule{
                .least_age_ns = static_cast<std::uint64_t>(least_age_seconds * 1e9),
                .least_bytes = Bytes{least_bytes}};
            return ask(view, [&](const MemoryProfiler& of) { return of.get_memory_leaks(rule); });
          },
          nb::arg("least_age_seconds") = 300.0, nb::arg("least_bytes") = 1u << 20,
          "Sites that grew in each of the last three full collections.")
      .def(
          "get_allocation_timeline",
          [](View& view, std::uint64_t seconds) {
            return ask(view, [&](const MemoryProfiler& of) {
              return of.get_allocation_timeline(seconds);
            });
          },
          nb::arg("seconds") = 3600)
      .def("get_memory_usage_by_type", usage_by_type, "Live objects: exact.")
      .def("get_allocation_patterns",
           [](View& view) {
             return ask(view,
                        [](const MemoryProfiler& of) { return of.get_allocation_patterns(); });
           })
      .def("generate_report",
           [](View& view) {
             return ask(view, [](const MemoryProfiler& of) { return of.generate_report(); });
           })
      .def("clear_history",
           [](View& view) { ask(view, [](MemoryProfiler of) { return of.clear_history(); }); });
}

void bind_optimizer_values(nb::module_& module) {
  nb::enum_<AccessPattern>(module, "AccessPattern", "How uses of a type follow each other.")
      .value("UNKNOWN", AccessPattern::kUnknown)
      .value("SEQUENTIAL", AccessPattern::kSequential)
      .value("RANDOM", AccessPattern::kRandom)
      .value("CLUSTERED", AccessPattern::kClustered);
  nb::class_<AllocationPattern>(module, "AllocationPattern", "One type, or one kind of payload.")
      .def_ro("type", &AllocationPattern::type)
      .def_ro("average_size", &AllocationPattern::average_size)
      .def_ro("allocation_rate", &AllocationPattern::allocation_rate)
      .def_ro("survival_rate", &AllocationPattern::survival_rate)
      .def_ro("samples", &AllocationPattern::samples)
      .def_ro("access_pattern", &AllocationPattern::access_pattern)
      .def_ro("temporal_clustering", &AllocationPattern::temporal_clustering)
      .def_ro("spatial_clustering", &AllocationPattern::spatial_clustering)
      .def_prop_ro("optimization_hints",
                   [](const AllocationPattern& of) { return names_of(of.optimization_hints); });
  nb::class_<OptimizationStrategy>(module, "OptimizationStrategy", "What can be changed.")
      .def_ro("name", &OptimizationStrategy::name)
      .def_ro("description", &OptimizationStrategy::description)
      .def_ro("priority", &OptimizationStrategy::priority)
      .def_prop_ro("applicable_hints",
                   [](const OptimizationStrategy& of) { return names_of(of.applicable_hints); });
  nb::class_<OptimizationRecommendation>(module, "OptimizationRecommendation",
                                         "A change that the load asks for.")
      .def_ro("strategy", &OptimizationRecommendation::strategy)
      .def_ro("parameters", &OptimizationRecommendation::parameters)
      .def_ro("confidence", &OptimizationRecommendation::confidence)
      .def_ro("reasoning", &OptimizationRecommendation::reasoning)
      .def_ro("estimated_improvement", &OptimizationRecommendation::estimated_improvement)
      .def_prop_ro("is_measured", [](const OptimizationRecommendation& of) {
        return of.basis == ImprovementBasis::kMeasured;
      });
  nb::class_<OptimizationTrial>(module, "OptimizationTrial", "One change, and what was measured.")
      .def_ro("strategy", &OptimizationTrial::strategy)
      .def_ro("parameter", &OptimizationTrial::parameter)
      .def_ro("before", &OptimizationTrial::before)
      .def_ro("after", &OptimizationTrial::after)
      .def_prop_ro("state",
                   [](const OptimizationTrial& of) { return std::string(to_string(of.state)); })
      .def_ro("figure", &OptimizationTrial::figure)
      .def_ro("gain", &OptimizationTrial::gain)
      .def_ro("gain_error", &OptimizationTrial::gain_error)
      .def_ro("pairs", &OptimizationTrial::pairs)
      .def_ro("reasoning", &OptimizationTrial::reasoning)
      .def_ro("conclusion", &OptimizationTrial::conclusion);
  nb::class_<OptimizationReport>(module, "OptimizationReport", "All that was tried.")
      .def_ro("auto_optimize", &OptimizationReport::auto_optimize)
      .def_ro("min_confidence", &OptimizationReport::min_confidence)
      .def_ro("max_optimizations_per_cycle", &OptimizationReport::max_optimizations_per_cycle)
      .def_ro("trials", &OptimizationReport::trials)
      .def("__str__", &OptimizationReport::text);
}

void bind_optimizer(nb::module_& module) {
  bind_optimizer_values(module);
  using View = OptimizerView;
  nb::class_<View>(module, "MemoryOptimizer",
                   "What could be changed for the load, and what was. Each change is kept only "
                   "where it pays.")
      .def(
          "analyze_patterns",
          [](View& view) {
            return ask(view, [](const MemoryOptimizer& of) { return of.analyze_patterns(); });
          },
          "Raises ValueError below ProfilingLevel.DETAILED.")
      .def(
          "record_access",
          [](View& view, nb::handle object, const std::string& kind, std::uint64_t offset) {
            if (kind != "read" && kind != "write") {
              throw Failure({ErrorCode::kBadArgument,
                             "an access is \"read\" or \"write\", not \"" + kind + "\""});
            }
            const Handle<GcObject> handle = facade_handle(*view.collector, object);
            ask(view, [&](MemoryOptimizer of) {
              return of.record_access(
                  handle, kind == "read" ? AccessKind::kRead : AccessKind::kWrite, offset);
            });
          },
          nb::arg("object"), nb::arg("kind") = "read", nb::arg("offset") = 0,
          nb::sig("def record_access(self, object: GCObject, kind: str = \"read\", offset: int = "
                  "0) -> None"))
      .def("get_optimization_recommendations",
           [](View& view) {
             return ask(view, [](const MemoryOptimizer& of) {
               return of.get_optimization_recommendations();
             });
           })
      .def(
          "optimize",
          [](View& view) { return ask(view, [](MemoryOptimizer of) { return of.optimize(); }); },
          "Tries what is recommended; gives the names of the strategies.")
      .def(
          "revert",
          [](View& view, const std::string& name) {
            ask(view, [&](MemoryOptimizer of) { return of.revert(name); });
          },
          nb::arg("name"), "Raises ValueError where nothing of that name is in force or on trial.")
      .def("get_optimization_report",
           [](View& view) {
             return view.collector->ask([](GarbageCollector& facade) {
               return facade.memory_optimizer().get_optimization_report();
             });
           })
      .def(
          "set_auto_optimize",
          [](View& view, bool on) {
            ask(view, [&](MemoryOptimizer of) { return of.set_auto_optimize(on); });
          },
          nb::arg("on"))
      .def(
          "set_optimization_parameters",
          [](View& view, double confidence, std::uint64_t most) {
            ask(view, [&](MemoryOptimizer of) {
              return of.set_optimization_parameters(confidence, most);
            });
          },
          nb::arg("min_confidence") = 0.7, nb::arg("max_optimizations_per_cycle") = 3)
      .def("note_batch_boundary",
           [](View& view) {
             ask(view, [](MemoryOptimizer of) { return of.note_batch_boundary(); });
           })
      .def("clear_history",
           [](View& view) { ask(view, [](MemoryOptimizer of) { return of.clear_history(); }); });
}

}  // namespace

void bind_observers(nb::module_& module, nb::class_<Collector>& type) {
  bind_profiler(module);
  bind_optimizer(module);
  type.def_prop_ro(
          "memory_profiler", [](Collector& of) { return ProfilerView{&of}; },
          nb::keep_alive<0, 1>())
      .def_prop_ro(
          "memory_optimizer", [](Collector& of) { return OptimizerView{&of}; },
          nb::keep_alive<0, 1>());
}

}  // namespace tenure::python
