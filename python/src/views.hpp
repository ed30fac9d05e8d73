// The collector's parts as Python holds them, and how their calls reach it.
#pragma once

#include <nanobind/nanobind.h>

#include "python/src/collector.hpp"

namespace tenure::python {

struct HeapManagerView {
  Collector* collector;
};

/// Strategies and pools: what the heap manager gives, before it, and its own calls for them.
void bind_strategies(nb::module_& module);
void bind_memory_of(nb::class_<HeapManagerView>& type);
/// Ages, edges between generations, barriers, walks, and places of objects that moved.
void bind_tracing(nb::module_& module, nb::class_<Collector>& type);
/// The profiler and the optimizer.
void bind_observers(nb::module_& module, nb::class_<Collector>& type);
/// Handles of the facade, as what Python holds; they end without the interpreter's lock.
[[nodiscard]] nb::list wrap_all(Collector& collector, std::vector<Handle<GcObject>> handles);

}  // namespace tenure::python
