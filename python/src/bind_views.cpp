// The collector's parts by name: generations, memory, references; and what they tell.
#include <nanobind/nanobind.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <type_traits>

#include "python/src/collector.hpp"
#include "python/src/views.hpp"
#include "python/src/wrappers.hpp"
#include "tenure/facade/system_monitor.hpp"

namespace tenure::python {

namespace {

// What a view's calls are asked of.
struct GenerationalView {
  Collector* collector;
};
struct ReferenceView {
  Collector* collector;
};

// The answer of `call(facade)`, a Result, without the interpreter's lock.
template <class View, class Call>
auto ask(View& view, Call call) {
  return view.collector->ask(
      [&](GarbageCollector& facade) { return value_or_throw(call(facade)); });
}

template <class Of>
auto count_of(Bytes Of::*member) {
  return [member](const Of& of) { return (of.*member).count(); };
}

void bind_metrics(nb::module_& module) {
  nb::class_<GcMetrics>(
      module, "GCMetrics",
      "One generation's part in one collection. Times are milliseconds of a clock "
      "that never goes back.")
      .def_ro("generation", &GcMetrics::generation)
      .def_prop_ro("trigger_reason",
                   [](const GcMetrics& of) { return std::string(to_string(of.trigger_reason)); })
      .def_ro("start_time", &GcMetrics::start_time)
      .def_ro("end_time", &GcMetrics::end_time)
      .def_prop_ro("bytes_before", count_of(&GcMetrics::bytes_before))
      .def_prop_ro("bytes_collected", count_of(&GcMetrics::bytes_collected))
      .def_prop_ro("bytes_survived", count_of(&GcMetrics::bytes_survived))
      .def_ro("objects_promoted", &GcMetrics::objects_promoted, "Out of it.")
      .def_prop_ro("bytes_promoted", count_of(&GcMetrics::bytes_promoted))
      .def_ro("objects_scanned", &GcMetrics::objects_scanned,
              "By the collection, in all of its generations.")
      .def_ro("pause_time_ms", &GcMetrics::pause_time_ms)
      .def_ro("duration_ms", &GcMetrics::duration_ms);
  nb::class_<GcGeneration>(module, "GCGeneration", "One generation at one moment.")
      .def_ro("number", &GcGeneration::number)
      .def_ro("promotion_threshold", &GcGeneration::promotion_threshold,
              "Survivals before an object goes up; 0 for the oldest.")
      .def_prop_ro("size_limit", count_of(&GcGeneration::size_limit), "Past which it is due.")
      .def_ro("allocation_count", &GcGeneration::allocation_count,
              "Objects that ever came: made here by the dynamic door, or promoted.")
      .def_ro("collection_count", &GcGeneration::collection_count)
      .def_ro("object_count", &GcGeneration::object_count)
      .def_prop_ro("total_size", count_of(&GcGeneration::total_size))
      .def_ro("age_distribution", &GcGeneration::age_distribution,
              "Objects by collections survived in it.")
      .def_prop_ro("should_collect", &GcGeneration::should_collect);
  nb::class_<GcCollectionStatistics>(module, "GCCollectionStatistics",
                                     "Everything about collections at one moment.")
      .def_ro("total_collections", &GcCollectionStatistics::total_collections)
      .def_ro("total_pause_time_ms", &GcCollectionStatistics::total_pause_time_ms)
      .def_ro("collection_in_progress", &GcCollectionStatistics::collection_in_progress)
      .def_ro("generations", &GcCollectionStatistics::generations)
      .def_ro("recent_collections", &GcCollectionStatistics::recent_collections);
}

void bind_memory(nb::module_& module) {
  nb::enum_<HeapRegionType>(module, "HeapRegionType", "What lies in a region.")
      .value("YOUNG_GENERATION", HeapRegionType::kYoungGeneration)
      .value("OLD_GENERATION", HeapRegionType::kOldGeneration)
      .value("LARGE_OBJECT", HeapRegionType::kLargeObject)
      .value("PERMANENT", HeapRegionType::kPermanent);
  nb::class_<HeapRegion>(module, "HeapRegion", "A region, or the run of them that one object has.")
      .def_prop_ro(
          "address",
          [](const HeapRegion& of) { return reinterpret_cast<std::uintptr_t>(of.address); })
      .def_prop_ro("size", count_of(&HeapRegion::size))
      .def_ro("type", &HeapRegion::type)
      .def_ro("generation", &HeapRegion::generation)
      .def("contains_address",
           [](const HeapRegion& of, std::uintptr_t address) {
             return of.contains_address(reinterpret_cast<const void*>(address));
           })
      .def("__eq__", [](const HeapRegion& a, const HeapRegion& b) { return a == b; });
  nb::class_<HeapRegionUse>(module, "HeapRegionUse",
                            "What is in a region. Used, free and metadata together are its size.")
      .def_ro("region", &HeapRegionUse::region)
      .def_ro("objects", &HeapRegionUse::objects)
      .def_prop_ro("used_bytes", count_of(&HeapRegionUse::used_bytes))
      .def_prop_ro("free_bytes", count_of(&HeapRegionUse::free_bytes))
      .def_prop_ro("metadata", count_of(&HeapRegionUse::metadata))
      .def_prop_ro("utilization", &HeapRegionUse::utilization);
  nb::class_<MemoryPoolStatistics>(module, "MemoryPoolStatistics",
                                   "One kind of region, or one pool of payloads, added up.")
      .def_ro("name", &MemoryPoolStatistics::name)
      .def_ro("region_type", &MemoryPoolStatistics::region_type)
      .def_prop_ro("total_size", count_of(&MemoryPoolStatistics::total_size))
      .def_prop_ro("total_used", count_of(&MemoryPoolStatistics::total_used))
      .def_prop_ro("total_free", count_of(&MemoryPoolStatistics::total_free))
      .def_ro("utilization", &MemoryPoolStatistics::utilization)
      .def_ro("regions_count", &MemoryPoolStatistics::regions_count)
      .def_ro("allocations", &MemoryPoolStatistics::allocations)
      .def_ro("deallocations", &MemoryPoolStatistics::deallocations)
      .def_ro("free_blocks", &MemoryPoolStatistics::free_blocks)
      .def_ro("fragmentation", &MemoryPoolStatistics::fragmentation);
  nb::class_<HeapStatistics>(module, "HeapStatistics",
                             "Totals since the collector was opened, or its statistics reset.")
      .def_ro("total_allocations", &HeapStatistics::total_allocations)
      .def_ro("total_deallocations", &HeapStatistics::total_deallocations)
      .def_prop_ro("bytes_allocated", count_of(&HeapStatistics::bytes_allocated))
      .def_prop_ro("bytes_freed", count_of(&HeapStatistics::bytes_freed))
      .def_ro("net_bytes", &HeapStatistics::net_bytes)
      .def_ro("memory_pressure", &HeapStatistics::memory_pressure)
      .def_ro("pools", &HeapStatistics::pools);
}

void bind_heap_manager(nb::module_& module) {
  using View = HeapManagerView;
  nb::class_<View> manager(module, "HeapManager", "Memory: regions by address, and totals.");
  bind_memory_of(manager);
  manager
      .def(
          "regions",
          [](View& view) {
            return view.collector->ask(
                [](GarbageCollector& facade) { return facade.heap_manager().regions(); });
          },
          "All regions in use, by address. Stops the heap for a walk over it.")
      .def(
          "get_region_for_address",
          [](View& view, std::uintptr_t address) {
            return view.collector->ask([&](GarbageCollector& facade) {
              return facade.heap_manager().get_region_for_address(
                  reinterpret_cast<const void*>(address));
            });
          },
          nb::arg("address"), "None where it lies nowhere in this heap.")
      .def(
          "deallocate_object",
          [](View& view, nb::handle object) {
            const Handle<GcObject> handle = facade_handle(*view.collector, object);
            ask(view, [&](GarbageCollector& facade) {
              return facade.heap_manager().deallocate_object(handle);
            });
          },
          nb::arg("object"), nb::sig("def deallocate_object(self, object: GCObject) -> None"),
          "Hands the bytes of its payload back now. Raises ValueError where they were before, or "
          "lie in "
          "the object.")
      .def(
          "set_large_object_threshold",
          [](View& view, std::uint32_t kb) {
            ask(view, [&](GarbageCollector& facade) {
              return facade.heap_manager().set_large_object_threshold(kb);
            });
          },
          nb::arg("kb"), "Data of objects made from now on lie in a pool from so many KiB on.")
      .def(
          "compact_heap",
          [](View& view, HeapRegionType type) {
            ask(view,
                [&](GarbageCollector& facade) { return facade.heap_manager().compact_heap(type); });
          },
          nb::arg("region_type") = HeapRegionType::kOldGeneration,
          "Packs what a kind of region holds.")
      .def("get_memory_pressure",
           [](View& view) {
             return view.collector->ask([](GarbageCollector& facade) {
               return facade.heap_manager().get_memory_pressure();
             });
           })
      .def("should_trigger_gc",
           [](View& view) {
             return view.collector->ask([](GarbageCollector& facade) {
               return facade.heap_manager().should_trigger_gc();
             });
           })
      .def("get_heap_statistics", [](View& view) {
        return ask(view, [](GarbageCollector& facade) {
          return facade.heap_manager().get_heap_statistics();
        });
      });
}

void bind_generational_gc(nb::module_& module) {
  using View = GenerationalView;
  const auto collect = [](auto how) {
    return [how](View& view, std::uint32_t generation) {
      const auto metrics = ask(view, [&](GarbageCollector& facade) {
        return (facade.generational_gc().*how)(generation);
      });
      if (view.collector->is_open()) {
        view.collector->say_farewells();
      }
      return metrics;
    };
  };
  nb::class_<View>(module, "GenerationalGC", "Generations, and collections of them.")
      .def("collect_generation", collect(&GenerationalGc::collect_generation),
           nb::arg("generation"), "Collects generations 0 to this one; a row for each.")
      .def("request_collection", collect(&GenerationalGc::request_collection),
           nb::arg("generation") = 0,
           "The same; threads that ask at once, and for no more, share one collection.")
      .def("collect_all_generations",
           [](View& view) {
             const auto metrics = ask(view, [](GarbageCollector& facade) {
               return facade.generational_gc().collect_all_generations();
             });
             if (view.collector->is_open()) {
               view.collector->say_farewells();
             }
             return metrics;
           })
      .def_prop_ro("generations",
                   [](View& view) {
                     return ask(view, [](GarbageCollector& facade) {
                       return facade.generational_gc().generations();
                     });
                   })
      .def("get_gc_statistics",
           [](View& view) {
             return ask(view, [](GarbageCollector& facade) {
               return facade.generational_gc().get_gc_statistics();
             });
           })
      .def(
          "get_age",
          [](View& view, nb::handle object) {
            const Handle<GcObject> handle = facade_handle(*view.collector, object);
            return ask(view, [&](GarbageCollector& facade) {
              return facade.generational_gc().get_age(handle);
            });
          },
          nb::arg("object"), nb::sig("def get_age(self, object: GCObject) -> int"))
      .def(
          "should_promote",
          [](View& view, nb::handle object) {
            const Handle<GcObject> handle = facade_handle(*view.collector, object);
            return ask(view, [&](GarbageCollector& facade) {
              return facade.generational_gc().should_promote(handle);
            });
          },
          nb::arg("object"), nb::sig("def should_promote(self, object: GCObject) -> bool"));
}

std::map<std::string, std::uint64_t> counts(const std::map<std::string, Bytes>& bytes) {
  std::map<std::string, std::uint64_t> made;
  for (const auto& [name, size] : bytes) {
    made[name] = size.count();
  }
  return made;
}

void bind_reference_tracker(nb::module_& module) {
  using View = ReferenceView;
  nb::class_<ReferenceCycle>(module, "ReferenceCycle",
                             "Objects each of which leads to each, or one that refers to itself.")
      .def_ro("objects", &ReferenceCycle::objects)
      .def_prop_ro("bytes", count_of(&ReferenceCycle::bytes))
      .def_ro("types", &ReferenceCycle::types);
  nb::class_<ReferenceStatistics>(module, "ReferenceStatistics", "What is alive, and how it hangs.")
      .def_prop_ro(
          "memory_usage_by_type",
          [](const ReferenceStatistics& of) { return counts(of.memory_usage_by_type); },
          "Bytes, payloads included.")
      .def_ro("reference_cycles_detected", &ReferenceStatistics::reference_cycles_detected)
      .def_ro("largest_cycle_size", &ReferenceStatistics::largest_cycle_size);
  nb::class_<View>(module, "ReferenceTracker", "What refers to what, asked of the heap itself.")
      .def(
          "add_reference",
          [](View& view, nb::handle from, std::uint32_t slot, nb::handle to) {
            const Handle<GcObject> owner = facade_handle(*view.collector, from);
            const Handle<GcObject> target = facade_handle(*view.collector, to);
            ask(view, [&](GarbageCollector& facade) {
              return facade.reference_tracker().add_reference(owner, slot, target);
            });
          },
          nb::arg("object"), nb::arg("slot"), nb::arg("to"),
          nb::sig("def add_reference(self, object: GCObject, slot: int, to: GCObject | Tensor) -> "
                  "None"))
      .def(
          "remove_reference",
          [](View& view, nb::handle from, std::uint32_t slot) {
            const Handle<GcObject> owner = facade_handle(*view.collector, from);
            ask(view, [&](GarbageCollector& facade) {
              return facade.reference_tracker().remove_reference(owner, slot);
            });
          },
          nb::arg("object"), nb::arg("slot"),
          nb::sig("def remove_reference(self, object: GCObject, slot: int) -> None"))
      .def(
          "get_reachable_objects",
          [](View& view, nb::handle from) {
            const Handle<GcObject> handle = facade_handle(*view.collector, from);
            return wrap_all(*view.collector, ask(view, [&](GarbageCollector& facade) {
              return facade.reference_tracker().get_reachable_objects(handle);
            }));
          },
          nb::arg("object"),
          nb::sig("def get_reachable_objects(self, object: GCObject) -> list[GCObject]"),
          "All that it leads to, itself first, nearest first.")
      .def("find_cycles",
           [](View& view) {
             return ask(view, [](GarbageCollector& facade) {
               return facade.reference_tracker().find_cycles();
             });
           })
      .def("get_memory_usage_by_type",
           [](View& view) {
             return counts(ask(view, [](GarbageCollector& facade) {
               return facade.reference_tracker().get_memory_usage_by_type();
             }));
           })
      .def("reference_stats", [](View& view) {
        return ask(view, [](GarbageCollector& facade) {
          return facade.reference_tracker().reference_stats();
        });
      });
}

}  // namespace

nb::list wrap_all(Collector& collector, std::vector<Handle<GcObject>> handles) {
  std::vector<Handle<AnyObject>> kept = collector.ask([&](GarbageCollector& facade) {
    SharedMutator::Use use(facade.mutator());
    std::vector<Handle<AnyObject>> made;
    for (const Handle<GcObject>& handle : std::exchange(handles, {})) {
      made.push_back(collector.keep(use.mutator(), handle.index()));
    }
    return made;
  });
  nb::list found;
  for (Handle<AnyObject>& handle : kept) {
    found.append(wrap(collector, std::move(handle)));
  }
  return found;
}

void bind_headers(nb::module_& module) {
  nb::enum_<GcFlags>(module, "GCFlags", nb::is_arithmetic(), nb::is_flag(), "Facts of an object.")
      .value("NONE", GcFlags::kNone)
      .value("MARKED", GcFlags::kMarked, "The last marking of the oldest generation reached it.")
      .value("REMEMBERED", GcFlags::kRemembered, "A card of its references is in a log.")
      .value("PINNED", GcFlags::kPinned, "It does not move.")
      .value("FINALIZER", GcFlags::kFinalizer, "One is set, and was not called.")
      .value("WEAK_REFS", GcFlags::kWeakRefs, "A weak reference names it.")
      .value("IMMUTABLE", GcFlags::kImmutable, "Stores are refused.")
      .value("LARGE_OBJECT", GcFlags::kLargeObject, "Its data lie in memory of their own.")
      .value("CONCURRENT_SAFE", GcFlags::kConcurrentSafe,
             "Markers may read it beside the program.");
  nb::class_<GcHeader>(module, "ObjectHeader", "What is known of an object beside its data.")
      .def_ro("size", &GcHeader::size)
      .def_prop_ro("type_id",
                   [](const GcHeader& of) { return static_cast<std::uint32_t>(of.type_id); })
      .def_ro("references", &GcHeader::references)
      .def_ro("generation", &GcHeader::generation)
      .def_ro("age", &GcHeader::age)
      .def_ro("flags", &GcHeader::flags)
      .def_prop_ro("is_marked", &GcHeader::is_marked)
      .def_prop_ro("is_pinned", &GcHeader::is_pinned)
      .def_prop_ro("has_finalizer", &GcHeader::has_finalizer);
  bind_metrics(module);
  bind_memory(module);
  bind_strategies(module);
}

void bind_views(nb::module_& module, nb::class_<Collector>& type) {
  bind_heap_manager(module);
  bind_generational_gc(module);
  bind_reference_tracker(module);
  bind_tracing(module, type);
  bind_observers(module, type);
  nb::class_<SystemStatistics>(module, "SystemStatistics",
                               "Machine and process at one moment; bytes.")
      .def_ro("system_memory_total", &SystemStatistics::system_memory_total)
      .def_ro("system_memory_available", &SystemStatistics::system_memory_available)
      .def_ro("system_memory_percent", &SystemStatistics::system_memory_percent)
      .def_ro("process_memory_rss", &SystemStatistics::process_memory_rss)
      .def_ro("process_memory_vms", &SystemStatistics::process_memory_vms)
      .def_ro("cpu_percent", &SystemStatistics::cpu_percent)
      .def_ro("cpu_count", &SystemStatistics::cpu_count);
  nb::class_<SystemMonitor>(module, "SystemMonitor", "Reads the system, again and again.")
      .def(nb::init<>())
      .def("read", &SystemMonitor::read, "cpu_percent is since the last reading.");
  nb::class_<RecentAllocation>(module, "RecentAllocation", "One object that was made.")
      .def_ro("type", &RecentAllocation::type)
      .def_ro("size", &RecentAllocation::size);
  nb::class_<AllocationTracker>(module, "AllocationTracker", "Allocations, put together.")
      .def_prop_ro("total_bytes_allocated", count_of(&AllocationTracker::total_bytes_allocated))
      .def_ro("average_allocation_size", &AllocationTracker::average_allocation_size)
      .def_ro("allocation_rate_bytes_per_sec", &AllocationTracker::allocation_rate_bytes_per_sec)
      .def_ro("allocations_by_type", &AllocationTracker::allocations_by_type)
      .def_ro("recent_allocations", &AllocationTracker::recent_allocations);
  type.def("get_allocation_tracker", [](Collector& of) {
    return of.ask(
        [](GarbageCollector& facade) { return value_or_throw(facade.get_allocation_tracker()); });
  });
  type.def_prop_ro(
          "heap_manager", [](Collector& of) { return HeapManagerView{&of}; },
          nb::keep_alive<0, 1>())
      .def_prop_ro(
          "generational_gc", [](Collector& of) { return GenerationalView{&of}; },
          nb::keep_alive<0, 1>())
      .def_prop_ro(
          "reference_tracker", [](Collector& of) { return ReferenceView{&of}; },
          nb::keep_alive<0, 1>())
      .def("reset_statistics", [](Collector& of) {
        of.ask([](GarbageCollector& facade) { value_or_throw(facade.reset_statistics()); });
      });
}

}  // namespace tenure::python
