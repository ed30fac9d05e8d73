// Ages, edges between generations and the barrier that notes them; walks over references, and places of
// objects that moved.
#include <nanobind/nanobind.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <memory>
#include <optional>
#include <utility>

#include "python/src/collector.hpp"
#include "python/src/views.hpp"
#include "python/src/wrappers.hpp"

namespace tenure::python {

namespace {

// A part of the facade that has no state of its own.
template <class Part>
struct PartView {
  Collector* collector;
};

// One with a root callback, whose end waits for a stop: never with the interpreter's lock.
template <class Part>
struct OwnedPart {
  OwnedPart(Collector& of, Part made)
      : owner(nb::borrow(of.self())),
        collector(&of),
        part(std::make_unique<Part>(std::move(made))) {}
  OwnedPart(OwnedPart&&) noexcept = default;
  OwnedPart& operator=(OwnedPart&&) noexcept = default;
  ~OwnedPart() {
    if (part != nullptr) {
      const nb::gil_scoped_release release;
      part.reset();
    }
  }

  nb::object owner;
  Collector* collector;
  std::unique_ptr<Part> part;
};

template <class Part, class Call>
auto ask_part(PartView<Part>& view, Call call) {
  return view.collector->ask([&](GarbageCollector& facade) {
    if constexpr (std::is_same_v<Part, AgeTracker>) {
      return value_or_throw(call(facade.age_tracker()));
    } else if constexpr (std::is_same_v<Part, RememberedSet>) {
      return value_or_throw(call(facade.remembered_set()));
    } else {
      return value_or_throw(call(facade.write_barrier()));
    }
  });
}

template <class Part, class Call>
auto ask_owned(OwnedPart<Part>& view, Call call) {
  return view.collector->ask([&](GarbageCollector&) { return value_or_throw(call(*view.part)); });
}

void bind_age_tracker(nb::module_& module) {
  using View = PartView<AgeTracker>;
  nb::class_<View>(module, "AgeTracker", "Ages, read from headers.")
      .def(
          "get_age",
          [](View& view, nb::handle object) {
            const Handle<GcObject> handle = facade_handle(*view.collector, object);
            return ask_part(view, [&](AgeTracker ages) { return ages.get_age(handle); });
          },
          nb::arg("object"), nb::sig("def get_age(self, object: GCObject) -> int"),
          "Collections that it survived in its generation.")
      .def(
          "should_promote",
          [](View& view, nb::handle object) {
            const Handle<GcObject> handle = facade_handle(*view.collector, object);
            return ask_part(view, [&](AgeTracker ages) { return ages.should_promote(handle); });
          },
          nb::arg("object"), nb::sig("def should_promote(self, object: GCObject) -> bool"))
      .def(
          "get_age_distribution",
          [](View& view, std::uint32_t generation) {
            return ask_part(view,
                            [&](AgeTracker ages) { return ages.get_age_distribution(generation); });
          },
          nb::arg("generation"), "Objects by collections survived. Stops the heap for a walk.");
}

void bind_remembered_set(nb::module_& module) {
  using View = PartView<RememberedSet>;
  const auto with_two = [](auto call) {
    return [call](View& view, nb::handle from, nb::handle to) {
      const Handle<GcObject> owner = facade_handle(*view.collector, from);
      const Handle<GcObject> target = facade_handle(*view.collector, to);
      return ask_part(view, [&](RememberedSet set) { return (set.*call)(owner, target); });
    };
  };
  nb::class_<View>(module, "RememberedSet",
                   "Objects that name something younger. Such an object is in it for as long as it "
                   "does.")
      .def("record_reference", with_two(&RememberedSet::record_reference), nb::arg("owner"),
           nb::arg("target"),
           nb::sig("def record_reference(self, owner: GCObject, target: GCObject) -> None"),
           "Notes a reference that is there, as its store did.")
      .def("remove_reference", with_two(&RememberedSet::remove_reference), nb::arg("owner"),
           nb::arg("target"),
           nb::sig("def remove_reference(self, owner: GCObject, target: GCObject) -> bool"),
           "Forgets one that is there no more. Raises ValueError while it is.")
      .def(
          "get_dirty_objects",
          [](View& view) {
            return wrap_all(*view.collector, ask_part(view, [](RememberedSet set) {
              return set.get_dirty_objects();
            }));
          },
          nb::sig("def get_dirty_objects(self) -> list[GCObject]"))
      .def(
          "clear_dirty_objects",
          [](View& view) {
            return ask_part(view, [](RememberedSet set) { return set.clear_dirty_objects(); });
          },
          "Forgets all that is no longer so. Gives the cards that stay.");
}

void bind_write_barrier(nb::module_& module) {
  using View = PartView<WriteBarrier>;
  nb::class_<View>(module, "WriteBarrier", "The barrier in every store of a reference.")
      .def(
          "record_write",
          [](View& view, nb::handle from, std::uint32_t slot) {
            const Handle<GcObject> owner = facade_handle(*view.collector, from);
            ask_part(view, [&](WriteBarrier barrier) { return barrier.record_write(owner, slot); });
          },
          nb::arg("owner"), nb::arg("slot"),
          nb::sig("def record_write(self, owner: GCObject, slot: int) -> None"))
      .def(
          "enable",
          [](View& view) { ask_part(view, [](WriteBarrier barrier) { return barrier.enable(); }); })
      .def(
          "disable",
          [](View& view) {
            ask_part(view, [](WriteBarrier barrier) { return barrier.disable(); });
          },
          "Young collections look at all that is older from now on. Raises RuntimeError where "
          "something marks beside the program.")
      .def_prop_ro("is_enabled", [](View& view) {
        return view.collector->ask(
            [](GarbageCollector& facade) { return facade.write_barrier().is_enabled(); });
      });
}

void bind_tracer(nb::module_& module) {
  using View = OwnedPart<ReferenceTracer>;
  nb::class_<View>(module, "ReferenceTracer",
                   "A walk over what objects lead to, in pieces. What it reached lives until it "
                   "ends.")
      .def(
          "trace_object",
          [](View& view, nb::handle object) {
            const Handle<GcObject> handle = facade_handle(*view.collector, object);
            return ask_owned(view,
                             [&](ReferenceTracer& tracer) { return tracer.trace_object(handle); });
          },
          nb::arg("object"), nb::sig("def trace_object(self, object: GCObject) -> bool"),
          "Puts it on the work stack. False where it was reached before.")
      .def(
          "trace_array",
          [](View& view, nb::handle object, std::uint32_t first, std::uint32_t count) {
            const Handle<GcObject> handle = facade_handle(*view.collector, object);
            return ask_owned(view, [&](ReferenceTracer& tracer) {
              return tracer.trace_array(handle, first, count);
            });
          },
          nb::arg("array"), nb::arg("first"), nb::arg("count"),
          nb::sig("def trace_array(self, array: GCObject, first: int, count: int) -> int"),
          "The same of what its slots name. Gives how many were put there.")
      .def(
          "process_work_stack",
          [](View& view, std::uint64_t budget) {
            return ask_owned(
                view, [&](ReferenceTracer& tracer) { return tracer.process_work_stack(budget); });
          },
          nb::arg("budget"), "Reads so many objects at the most. True once the stack is empty.")
      .def(
          "has_reached",
          [](View& view, nb::handle object) {
            const Handle<GcObject> handle = facade_handle(*view.collector, object);
            return ask_owned(view,
                             [&](ReferenceTracer& tracer) { return tracer.has_reached(handle); });
          },
          nb::arg("object"), nb::sig("def has_reached(self, object: GCObject) -> bool"))
      .def_prop_ro("reached", [](View& view) { return view.part->reached(); })
      .def_prop_ro("pending", [](View& view) { return view.part->pending(); })
      .def_prop_ro("bytes", [](View& view) { return view.part->bytes().count(); });
}

void bind_relocator(nb::module_& module) {
  using View = OwnedPart<ObjectRelocator>;
  const auto as_address = [](const void* data) -> std::optional<std::uintptr_t> {
    return data == nullptr ? std::nullopt : std::optional(reinterpret_cast<std::uintptr_t>(data));
  };
  nb::class_<View>(module, "ObjectRelocator",
                   "Where objects are now that were registered at an address. They live until it "
                   "ends.")
      .def(
          "add_forwarding",
          [as_address](View& view, nb::handle object) {
            const Handle<GcObject> handle = facade_handle(*view.collector, object);
            return as_address(ask_owned(
                view, [&](ObjectRelocator& places) { return places.add_forwarding(handle); }));
          },
          nb::arg("object"), nb::sig("def add_forwarding(self, object: GCObject) -> int"),
          "Registers it under the address that it has now, which is given.")
      .def(
          "relocate_reference",
          [as_address](View& view, std::uintptr_t old) {
            return as_address(ask_owned(view, [&](ObjectRelocator& places) {
              return places.relocate_reference(reinterpret_cast<const void*>(old));
            }));
          },
          nb::arg("old"), "None where nothing was registered there.")
      .def(
          "remove_forwarding",
          [](View& view, std::uintptr_t old) {
            return ask_owned(view, [&](ObjectRelocator& places) {
              return places.remove_forwarding(reinterpret_cast<const void*>(old));
            });
          },
          nb::arg("old"))
      .def(
          "rebase",
          [](View& view) {
            ask_owned(view, [](ObjectRelocator& places) { return places.rebase(); });
          },
          "Registers all under the addresses that they have now.")
      .def_prop_ro("count", [](View& view) { return view.part->count(); })
      .def_prop_ro("moved", [](View& view) {
        return ask_owned(view, [](ObjectRelocator& places) { return places.moved(); });
      });
}

}  // namespace

void bind_tracing(nb::module_& module, nb::class_<Collector>& type) {
  bind_age_tracker(module);
  bind_remembered_set(module);
  bind_write_barrier(module);
  bind_tracer(module);
  bind_relocator(module);
  type.def_prop_ro(
          "age_tracker", [](Collector& of) { return PartView<AgeTracker>{&of}; },
          nb::keep_alive<0, 1>())
      .def_prop_ro(
          "remembered_set", [](Collector& of) { return PartView<RememberedSet>{&of}; },
          nb::keep_alive<0, 1>())
      .def_prop_ro(
          "write_barrier", [](Collector& of) { return PartView<WriteBarrier>{&of}; },
          nb::keep_alive<0, 1>())
      .def("open_tracer",
           [](Collector& of) {
             return OwnedPart<ReferenceTracer>(of, of.ask([](GarbageCollector& facade) {
               return value_or_throw(facade.open_tracer());
             }));
           })
      .def("open_relocator", [](Collector& of) {
        return OwnedPart<ObjectRelocator>(of, of.ask([](GarbageCollector& facade) {
          return value_or_throw(facade.open_relocator());
        }));
      });
}

}  // namespace tenure::python
