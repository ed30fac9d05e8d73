// What is kept and who is told without an object of Python's: counted roots, and callbacks under
// pressure.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <string>

#include "python/src/collector.hpp"
#include "python/src/wrappers.hpp"

namespace tenure::python {

Handle<GcObject> facade_handle(Collector& collector, nb::handle object) {
  Wrapper* wrapper = nullptr;
  if (nb::isinstance<Object>(object)) {
    wrapper = &wrapper_in<Object>(object);
  } else if (nb::isinstance<TensorObject>(object)) {
    wrapper = &wrapper_in<TensorObject>(object);
  } else {
    throw nb::type_error("a GCObject or a Tensor is wanted");
  }
  if (&wrapper->collector() != &collector) {
    throw Failure({ErrorCode::kBadArgument, "the object is another collector's"});
  }
  return collector.use([&](Mutator& mutator) {
    return Handle<GcObject>(Local<GcObject>(mutator.core(), wrapper->index()));
  });
}

namespace {

void add_root(Collector& collector, nb::handle object) {
  const Handle<GcObject> handle = facade_handle(collector, object);
  collector.ask([&](GarbageCollector& facade) { value_or_throw(facade.add_root(handle)); });
}

void remove_root(Collector& collector, nb::handle object) {
  const Handle<GcObject> handle = facade_handle(collector, object);
  collector.ask([&](GarbageCollector& facade) { value_or_throw(facade.remove_root(handle)); });
}

std::uint64_t add_root_callback(Collector& collector, nb::callable callback) {
  return static_cast<std::uint64_t>(collector.add_root_callback(std::move(callback)));
}

bool remove_root_callback(Collector& collector, std::uint64_t id) {
  return collector.remove_root_callback(static_cast<RootCallbackId>(id));
}

std::uint64_t on_pressure(Collector& collector, nb::callable callback) {
  return static_cast<std::uint64_t>(collector.on_pressure(std::move(callback)));
}

bool remove_pressure_callback(Collector& collector, std::uint64_t id) {
  return collector.remove_pressure_callback(static_cast<PressureCallbackId>(id));
}

nb::dict pressure(Collector& collector) {
  const Pressure found = collector.ask([](GarbageCollector& facade) { return facade.pressure(); });
  nb::dict pools;
  for (const PoolPressure& pool : found.pools) {
    pools[nb::str(std::string(to_string(pool.kind)).c_str())] = pool.share;
  }
  nb::dict made;
  made["level"] = std::string(to_string(found.level));
  made["share"] = found.share;
  made["heap_share"] = found.heap_share;
  made["pool_shares"] = pools;
  made["system_share"] = found.system_share;
  made["system_stall"] = found.system_stall;
  made["system_available_bytes"] = found.system_available.count();
  made["system_total_bytes"] = found.system_total.count();
  made["reclaimable_bytes"] = found.reclaimable.count();
  return made;
}

}  // namespace

void bind_roots(nb::class_<Collector>& type) {
  type.def("add_root", add_root, nb::arg("object"))
      .def("remove_root", remove_root, nb::arg("object"))
      .def("add_root_callback", add_root_callback, nb::arg("callback"))
      .def("remove_root_callback", remove_root_callback, nb::arg("id"))
      .def("on_pressure", on_pressure, nb::arg("callback"))
      .def("remove_pressure_callback", remove_pressure_callback, nb::arg("id"))
      .def("pressure", pressure);
}

}  // namespace tenure::python
