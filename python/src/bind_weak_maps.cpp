// WeakMap: values that live as long as their keys, of objects of the heap.
#include <nanobind/nanobind.h>

#include <optional>

#include "python/src/collector.hpp"
#include "python/src/wrappers.hpp"
#include "tenure/weak_map.hpp"

namespace tenure::python {

namespace {

struct MapObject {
  explicit MapObject(Collector& of)
      : owner(nb::borrow(of.self())),
        collector(&of),
        map(of.use([](Mutator& mutator) { return WeakMap<AnyObject, AnyObject>(mutator); })) {}

  nb::object owner;  // the collector's
  Collector* collector;
  WeakMap<AnyObject, AnyObject> map;
};

const Wrapper& wrapper_of(const MapObject& map, nb::handle object) {
  const Wrapper* found = nullptr;
  if (nb::isinstance<Object>(object)) {
    found = &wrapper_in<Object>(object);
  } else if (nb::isinstance<TensorObject>(object)) {
    found = &wrapper_in<TensorObject>(object);
  } else {
    throw nb::type_error("a weak map holds GCObjects and Tensors");
  }
  if (&found->collector() != map.collector) {
    throw Failure({ErrorCode::kBadArgument, "the object is another collector's"});
  }
  return *found;
}

void set(MapObject& map, nb::handle key, nb::handle value) {
  const Wrapper& from = wrapper_of(map, key);
  const Wrapper& to = wrapper_of(map, value);
  map.collector->use([&](Mutator& mutator) {
    map.map.set(Local<AnyObject>(mutator.core(), from.index()),
                Local<AnyObject>(mutator.core(), to.index()));
  });
}

nb::object get(MapObject& map, nb::handle key) {
  const Wrapper& from = wrapper_of(map, key);
  Collector& collector = *map.collector;
  return wrap(collector, collector.use([&](Mutator& mutator) {
    const Local<AnyObject> local(mutator.core(), from.index());
    return collector.keep(mutator, map.map.find(mutator, local).index());
  }));
}

nb::object get_or_raise(MapObject& map, nb::handle key) {
  nb::object found = get(map, key);
  if (found.is_none()) {
    throw nb::key_error("the weak map has no value for that object");
  }
  return found;
}

bool has(MapObject& map, nb::handle key) {
  const Wrapper& from = wrapper_of(map, key);
  return map.collector->use([&](Mutator& mutator) {
    return map.map.has(Local<AnyObject>(mutator.core(), from.index()));
  });
}

void erase(MapObject& map, nb::handle key) {
  const Wrapper& from = wrapper_of(map, key);
  const bool erased = map.collector->use([&](Mutator& mutator) {
    return map.map.erase(Local<AnyObject>(mutator.core(), from.index()));
  });
  if (!erased) {
    throw nb::key_error("the weak map has no value for that object");
  }
}

}  // namespace

void bind_weak_maps(nb::module_& module) {
  nb::class_<MapObject>(
      module, "WeakMap",
      "A map by identity that keeps a value as long as its key lives, and no key.")
      .def(
          "__init__",
          [](MapObject* self, nb::handle collector) {
            if (!nb::isinstance<Collector>(collector)) {
              throw nb::type_error("a weak map is of a collector");
            }
            ::new (self) MapObject(*nb::inst_ptr<Collector>(collector));
          },
          nb::arg("collector"), nb::sig("def __init__(self, collector: Collector) -> None"))
      .def("__setitem__", set,
           nb::sig(
               "def __setitem__(self, key: GCObject | Tensor, value: GCObject | Tensor) -> None"))
      .def("__getitem__", get_or_raise,
           nb::sig("def __getitem__(self, key: GCObject | Tensor) -> GCObject | Tensor"))
      .def("get", get, nb::sig("def get(self, key: GCObject | Tensor) -> GCObject | Tensor | None"))
      .def("__delitem__", erase, nb::sig("def __delitem__(self, key: GCObject | Tensor) -> None"))
      .def("__contains__", has, nb::sig("def __contains__(self, key: GCObject | Tensor) -> bool"))
      .def(
          "__len__",
          [](MapObject& map) {
            return map.collector->use([&](Mutator&) { return map.map.size(); });
          },
          "Entries; those of dead keys that no collection found included.");
}

}  // namespace tenure::python
