// The compiled half of the package: what is bound here, tenure/__init__.py gives its public names.
#include <nanobind/nanobind.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cctype>
#include <string>

#include "python/src/collector.hpp"
#include "python/src/wrappers.hpp"

namespace tenure::python {

namespace {

// Made in the module, used by the translator for as long as the process lives.
PyObject* out_of_memory = nullptr;
PyObject* closed = nullptr;

void bind_errors(nb::module_& module) {
  out_of_memory = PyErr_NewExceptionWithDoc(
      "tenure.OutOfMemory", "All was tried; the message says what is held, and by whom.",
      PyExc_MemoryError, nullptr);
  closed = PyErr_NewExceptionWithDoc("tenure.Closed", "The collector was shut down.",
                                     PyExc_RuntimeError, nullptr);
  module.attr("OutOfMemory") = nb::borrow(out_of_memory);
  module.attr("Closed") = nb::borrow(closed);
  nb::register_exception_translator([](const std::exception_ptr& thrown, void*) {
    try {
      std::rethrow_exception(thrown);
    } catch (const Failure& failure) {
      PyErr_SetString(exception_for(failure.code()), failure.what());
    }
  });
}

void bind_enumerations(nb::module_& module) {
  nb::enum_<GcMode>(module, "GCMode", nb::is_arithmetic(),
                    "Who starts collections, and how they are spread over time.")
      .value("MANUAL", GcMode::kManual, "The caller alone.")
      .value("AUTOMATIC", GcMode::kAutomatic, "Triggers; one stop, unless that takes too long.")
      .value("INCREMENTAL", GcMode::kIncremental, "The oldest generation is marked in slices.")
      .value("CONCURRENT", GcMode::kConcurrent, "A thread marks it beside the program.")
      .value("ADAPTIVE", GcMode::kAdaptive, "Whichever the measured rates favour.");
  nb::enum_<ProfilingLevel>(module, "ProfilingLevel", nb::is_arithmetic(), "How much is watched.")
      .value("NONE", ProfilingLevel::kNone, "Nothing, unless enable_profiling says BASIC.")
      .value("BASIC", ProfilingLevel::kBasic, "What is counted anyway, and events.")
      .value("DETAILED", ProfilingLevel::kDetailed, "Samples are followed to their deaths.")
      .value("COMPREHENSIVE", ProfilingLevel::kComprehensive, "Each object is an event, too.");
  nb::enum_<ObjectType> type(module, "ObjectType", nb::is_arithmetic(), "What an object is.");
  for (std::size_t kind = 0; kind < kObjectTypes; ++kind) {
    std::string name(to_string(static_cast<ObjectType>(kind)));
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char letter) { return static_cast<char>(std::toupper(letter)); });
    type.value(name.c_str(), static_cast<ObjectType>(kind));
  }
}

void bind_configuration(nb::module_& module) {
  nb::class_<GcConfiguration>(module, "Configuration")
      .def(nb::init<>())
      .def_rw("num_generations", &GcConfiguration::num_generations)
      .def_rw("young_gen_size_mb", &GcConfiguration::young_gen_size_mb)
      .def_rw("old_gen_size_mb", &GcConfiguration::old_gen_size_mb)
      .def_rw("large_object_threshold_kb", &GcConfiguration::large_object_threshold_kb)
      .def_rw("mode", &GcConfiguration::mode)
      .def_rw("max_pause_time_ms", &GcConfiguration::max_pause_time_ms)
      .def_rw("enable_incremental", &GcConfiguration::enable_incremental)
      .def_rw("enable_write_barriers", &GcConfiguration::enable_write_barriers)
      .def_rw("allocation_strategy", &GcConfiguration::allocation_strategy)
      .def_rw("enable_compaction", &GcConfiguration::enable_compaction)
      .def_rw("compaction_threshold", &GcConfiguration::compaction_threshold)
      .def_rw("optimize_allocation_patterns", &GcConfiguration::optimize_allocation_patterns)
      .def_rw("enable_profiling", &GcConfiguration::enable_profiling)
      .def_rw("track_allocation_sites", &GcConfiguration::track_allocation_sites)
      .def_rw("profiling_level", &GcConfiguration::profiling_level)
      .def_rw("sample_interval_bytes", &GcConfiguration::sample_interval_bytes)
      .def_rw("debug_mode", &GcConfiguration::debug_mode)
      .def_rw("heap_limit_mb", &GcConfiguration::heap_limit_mb)
      .def_rw("payload_budget_mb", &GcConfiguration::payload_budget_mb)
      .def_rw("permanent_size_mb", &GcConfiguration::permanent_size_mb)
      .def_rw("device", &GcConfiguration::device)
      .def_rw("seed", &GcConfiguration::seed)
      .def("set_collection_ratio", [](GcConfiguration& c, const std::vector<std::uint32_t>& ratio) {
        c.collection_ratio = PerGeneration(ratio);
      });
}

nb::dict to_dict(const GcStats& stats) {
  nb::dict made;
  made["total_collections"] = stats.total_collections;
  made["collections_by_generation"] = stats.collections_by_generation;
  made["total_pause_time_ms"] = stats.total_pause_time_ms;
  made["average_pause_time_ms"] = stats.average_pause_time_ms;
  made["max_pause_time_ms"] = stats.max_pause_time_ms;
  made["p50_pause_time_ms"] = stats.p50_pause_time_ms;
  made["p99_pause_time_ms"] = stats.p99_pause_time_ms;
  made["pause_target_misses"] = stats.pause_target_misses;
  made["heap_size_bytes"] = stats.heap_size_bytes;
  made["used_bytes"] = stats.used_bytes;
  made["free_bytes"] = stats.free_bytes;
  made["fragmentation_ratio"] = stats.fragmentation_ratio;
  made["total_objects"] = stats.total_objects;
  made["permanent_objects"] = stats.permanent_objects;
  made["objects_by_type"] = stats.objects_by_type;
  made["objects_by_generation"] = stats.objects_by_generation;
  made["allocation_rate_mb_per_sec"] = stats.allocation_rate_mb_per_sec;
  made["collection_efficiency"] = stats.collection_efficiency;
  made["memory_pressure"] = stats.memory_pressure;
  return made;
}

nb::dict to_dict(const CollectionReport& report) {
  nb::dict made;
  made["generation"] = report.collected == CollectionReport::kNothing
                           ? nb::object(nb::none())
                           : nb::object(nb::int_(report.collected));
  made["full"] = report.full;
  made["trigger"] = to_string(report.trigger);
  made["pause_time_ms"] = static_cast<double>(report.pause_ns) / 1e6;
  made["objects_copied"] = report.objects_copied;
  made["objects_promoted"] = report.objects_promoted;
  made["bytes_promoted"] = report.bytes_promoted.count();
  made["objects_marked"] = report.objects_marked;
  made["bytes_freed"] = report.bytes_freed.count();
  made["payloads_retired"] = report.payloads_retired;
  made["payload_bytes_retired"] = report.payload_bytes_retired.count();
  made["generations"] = metrics_of(report);
  return made;
}

// Farewells follow each collection, as they follow each slow allocation.
nb::dict collect(Collector& collector, std::optional<std::uint32_t> generation) {
  const CollectionReport report = collector.ask([&](GarbageCollector& facade) {
    return value_or_throw(generation ? facade.collect(*generation)
                                     : facade.force_full_collection());
  });
  if (collector.is_open()) {
    collector.say_farewells();
  }
  return to_dict(report);
}

nb::list optimize(Collector& collector, const std::vector<std::string>& names) {
  const std::vector<std::string_view> views(names.begin(), names.end());
  nb::list made;
  const auto changes = collector.ask([&](GarbageCollector& facade) {
    return value_or_throw(facade.optimize_for_workload(std::span(views)));
  });
  for (const ConfigurationChange& change : changes) {
    made.append(nb::make_tuple(change.field, change.before, change.after));
  }
  return made;
}

nb::dict shut_down(Collector& collector) {
  const Ended ended = collector.shut_down();
  nb::dict made;
  made["objects_released"] = ended.objects;
  made["handles_outstanding"] = ended.handles;
  made["views_outstanding"] = ended.views;
  made["finalizers_run"] = ended.finalizers;
  return made;
}

}  // namespace

PyObject* exception_for(ErrorCode code) {
  switch (code) {
    case ErrorCode::kOutOfMemory:
    case ErrorCode::kOverBudget:
      return out_of_memory;
    case ErrorCode::kBadArgument:
    case ErrorCode::kBadConfig:
      return PyExc_ValueError;
    case ErrorCode::kFile:
      return PyExc_OSError;
    case ErrorCode::kClosed:
      return closed;
    default:
      return PyExc_RuntimeError;
  }
}

void bind_collector(nb::module_& module) {
  nb::class_<Collector> type(module, "Collector", nb::is_weak_referenceable(),
                             nb::type_slots(collector_slots()));
  bind_allocation(type);
  bind_plugins(module, type);
  bind_reports(type);
  bind_roots(type);
  bind_statistics(type);
  bind_views(module, type);
  type.def(nb::init<const GcConfiguration&>())
      .def("collect", collect, nb::arg("generation").none())
      .def("statistics",
           [](Collector& collector) {
             return to_dict(
                 collector.ask([](GarbageCollector& facade) { return facade.get_statistics(); }));
           })
      .def("heap_share",
           [](Collector& collector) {
             const Statistics found = collector.ask(
                 [](GarbageCollector& facade) { return facade.runtime().statistics(); });
             return static_cast<double>(found.heap_used.count()) /
                    static_cast<double>(found.heap_limit.count());
           })
      .def("optimize", optimize)
      .def("run_finalizers", &Collector::say_farewells)
      .def("shut_down", shut_down)
      .def_prop_ro("is_open", &Collector::is_open);
}

}  // namespace tenure::python

NB_MODULE(_native, module) {
  nanobind::set_leak_warnings(false);  // a program may end with collectors and views alive
  tenure::python::bind_errors(module);
  tenure::python::bind_enumerations(module);
  tenure::python::bind_configuration(module);
  tenure::python::bind_headers(module);
  tenure::python::bind_objects(module);
  tenure::python::bind_tensors(module);
  tenure::python::bind_collector(module);
  tenure::python::bind_weak_maps(module);
  module.attr("__version__") = TENURE_VERSION;
  module.def("note_fork", tenure::python::note_fork);
}
