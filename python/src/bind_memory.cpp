// Where data lie: strategies, and pools by name with what is leased of them.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <string>
#include <utility>

#include "python/src/collector.hpp"
#include "python/src/views.hpp"
#include "python/src/wrappers.hpp"

namespace tenure::python {

namespace {

// Bytes of a pool. They go back with the object, or before.
struct PoolBlock {
  nb::object owner;  // the collector's
  PayloadLease lease;
};

struct PoolView {
  Collector* collector;
  MemoryPool pool;
};

int get_block(PyObject* exporter, Py_buffer* view, int flags) {
  auto& block = *nb::inst_ptr<PoolBlock>(exporter);
  if (block.lease.data() == nullptr) {
    PyErr_SetString(PyExc_BufferError, "the block was handed back");
    return -1;
  }
  return PyBuffer_FillInfo(view, exporter, block.lease.data(),
                           static_cast<Py_ssize_t>(block.lease.size().count()), 0, flags);
}

PyType_Slot block_slots[] = {{Py_bf_getbuffer, reinterpret_cast<void*>(get_block)}, {0, nullptr}};

template <class Call>
auto ask_pool(PoolView& view, Call call) {
  return view.collector->ask([&](GarbageCollector&) { return value_or_throw(call(view.pool)); });
}

nb::object allocate(PoolView& view, std::uint64_t size) {
  PayloadLease lease = ask_pool(view, [&](MemoryPool& pool) { return pool.allocate(Bytes{size}); });
  return nb::cast(PoolBlock{nb::borrow(view.collector->self()), std::move(lease)});
}

void bind_pools(nb::module_& module) {
  nb::class_<FreeBlock>(module, "FreeBlock", "Mapped bytes of a pool that nobody has.")
      .def_prop_ro("address",
                   [](const FreeBlock& of) { return reinterpret_cast<std::uintptr_t>(of.address); })
      .def_prop_ro("size", [](const FreeBlock& of) { return of.size.count(); })
      .def(
          "split", [](const FreeBlock& of, std::uint64_t lower) { return of.split(Bytes{lower}); },
          nb::arg("lower"), "Its first bytes and the rest; None where nothing is left of either.");
  nb::class_<PoolResize>(module, "PoolResize", "What a resize came to, in bytes.")
      .def_prop_ro("size", [](const PoolResize& of) { return of.size.count(); })
      .def_prop_ro("reserved", [](const PoolResize& of) { return of.reserved.count(); })
      .def_prop_ro("given_back", [](const PoolResize& of) { return of.given_back.count(); });
  nb::class_<PoolBlock>(module, "PoolBlock", nb::type_slots(block_slots),
                        "Bytes of a pool, with the buffer protocol. They go back with the object; "
                        "whoever looks at them keeps it.")
      .def_prop_ro(
          "address",
          [](const PoolBlock& of) { return reinterpret_cast<std::uintptr_t>(of.lease.data()); })
      .def_prop_ro("size", [](const PoolBlock& of) { return of.lease.size().count(); });
  using View = PoolView;
  nb::class_<View>(module, "MemoryPool", "One pool: of a kind of memory, or made by name.")
      .def_prop_ro("name", [](const View& view) { return view.pool.name(); })
      .def_prop_ro("alignment", [](const View& view) { return view.pool.alignment().count(); })
      .def("allocate", allocate, nb::arg("size"),
           nb::sig("def allocate(self, size: int) -> PoolBlock"),
           "Bytes of this pool. Raises OutOfMemory where it is full; nobody collects for it.")
      .def(
          "resize",
          [](View& view, std::uint64_t size) {
            return ask_pool(view, [&](MemoryPool& pool) { return pool.resize(Bytes{size}); });
          },
          nb::arg("size"), "As HeapManager.resize_pool.")
      .def(
          "free_blocks",
          [](View& view) {
            return ask_pool(view, [](MemoryPool& pool) { return pool.free_blocks(); });
          },
          "What is mapped and free, by address.")
      .def("get_statistics", [](View& view) {
        const PoolStatistics of =
            ask_pool(view, [](MemoryPool& pool) { return pool.statistics(); });
        nb::dict made;
        made["name"] = of.name;
        made["memory"] = std::string(to_string(of.kind));
        made["strategy"] = of.strategy;
        made["live_bytes"] = of.live.count();
        made["reserved_bytes"] = of.reserved.count();
        made["budget_bytes"] = of.budget.count();
        made["largest_free_bytes"] = of.largest_free.count();
        made["live_blocks"] = of.live_blocks;
        made["free_blocks"] = of.free_blocks;
        made["allocations"] = of.leases;
        made["deallocations"] = of.returns;
        made["refusals"] = of.refusals;
        made["fragmentation"] = of.fragmentation();
        return made;
      });
}

template <class Call>
auto ask_manager(HeapManagerView& view, Call call) {
  return view.collector->ask(
      [&](GarbageCollector& facade) { return value_or_throw(call(facade.heap_manager())); });
}

}  // namespace

void bind_strategies(nb::module_& module) {
  nb::enum_<AllocationStrategy>(module, "AllocationStrategy",
                                "Which free hole of a pool a request gets.")
      .value("BEST_FIT", AllocationStrategy::kBestFit, "The smallest that fits.")
      .value("FIRST_FIT", AllocationStrategy::kFirstFit, "The lowest address.")
      .value("NEXT_FIT", AllocationStrategy::kNextFit, "The first behind the last placement.")
      .value("WORST_FIT", AllocationStrategy::kWorstFit, "The largest.")
      .value("SEGREGATED_FIT", AllocationStrategy::kSegregatedFit, "Any of its size class.");
  nb::class_<StrategyChoice>(module, "StrategyChoice",
                             "What was found for one type of region, and is in force.")
      .def_ro("region_type", &StrategyChoice::type)
      .def_ro("before", &StrategyChoice::before)
      .def_ro("after", &StrategyChoice::after)
      .def_ro("reason", &StrategyChoice::reason);
  bind_pools(module);
}

void bind_memory_of(nb::class_<HeapManagerView>& type) {
  using View = HeapManagerView;
  type.def(
          "set_allocation_strategy",
          [](View& view, HeapRegionType region, AllocationStrategy strategy) {
            ask_manager(view, [&](HeapManager manager) {
              return manager.set_allocation_strategy(region, strategy);
            });
          },
          nb::arg("region_type"), nb::arg("strategy"),
          "From the next allocation on. Raises RuntimeError, with the reason, where that type of "
          "region has no choice.")
      .def(
          "get_allocation_strategy",
          [](View& view, HeapRegionType region) {
            return ask_manager(
                view, [&](HeapManager manager) { return manager.get_allocation_strategy(region); });
          },
          nb::arg("region_type"))
      .def(
          "optimize_allocation_strategy",
          [](View& view) {
            return ask_manager(
                view, [](HeapManager manager) { return manager.optimize_allocation_strategy(); });
          },
          "Tries each strategy on the last large requests and the holes there are, and takes the "
          "best.")
      .def(
          "create_specialized_pool",
          [](View& view, const std::string& name, std::uint64_t size, std::uint64_t alignment) {
            return PoolView{view.collector, ask_manager(view, [&](HeapManager manager) {
                              return manager.create_specialized_pool(name, size, alignment);
                            })};
          },
          nb::arg("name"), nb::arg("size"), nb::arg("alignment") = 64, nb::keep_alive<0, 1>(),
          "A pool of its own, of `size` bytes at the most. Raises ValueError for a name that is "
          "taken.")
      .def(
          "resize_pool",
          [](View& view, const std::string& name, std::uint64_t size) {
            return ask_manager(
                view, [&](HeapManager manager) { return manager.resize_pool(name, size); });
          },
          nb::arg("name"), nb::arg("size"),
          "Raises OutOfMemory below what is in use, ValueError where there is no such pool.")
      .def(
          "get_pool",
          [](View& view, const std::string& name) {
            std::optional<MemoryPool> pool = view.collector->ask(
                [&](GarbageCollector& facade) { return facade.heap_manager().get_pool(name); });
            return pool ? std::optional(PoolView{view.collector, *std::move(pool)}) : std::nullopt;
          },
          nb::arg("name"), nb::keep_alive<0, 1>(), "None where no pool is called so.")
      .def(
          "can_allocate",
          [](View& view, const HeapRegion& region, std::uint64_t size) {
            return ask_manager(
                view, [&](HeapManager manager) { return manager.can_allocate(region, size); });
          },
          nb::arg("region"), nb::arg("size"),
          "Whether an object with so many bytes could be made in the region as it is now.");
}

}  // namespace tenure::python
