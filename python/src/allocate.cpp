// `Collector.allocate`: an object of the dynamic door, from Python.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "python/src/collector.hpp"
#include "python/src/wrappers.hpp"

namespace tenure::python {

namespace {

[[noreturn]] void refuse(std::string sentence) {
  throw Failure({ErrorCode::kBadArgument, std::move(sentence)});
}

// Where the nursery has room nothing is waited for, and the interpreter's lock is kept.
ObjectIndex try_make(Mutator& mutator, TypeId type, std::uint64_t bytes) {
  const auto granules = static_cast<std::uint32_t>(1 + granules_for(bytes));
  const ObjectIndex made = mutator.core().buffer.try_take(granules);
  if (made != ObjectIndex::kNull) {
    detail::write_zeroed(made, type, granules);
  }
  return made;
}

Handle<AnyObject> make_quickly(Collector& collector, ObjectType kind, TypeId type,
                               std::uint32_t references, std::uint64_t size) {
  collector.require_open();
  SharedMutator::Use use(collector.mutator(), std::try_to_lock);
  if (!use.is_there()) {
    return {};
  }
  const ObjectIndex made = try_make(use.mutator(), type, detail::dynamic_bytes(references, size));
  if (made == ObjectIndex::kNull) {
    return {};
  }
  detail::size_place(made, references) = size;
  collector.facade().note_allocation(kind, size);
  Handle<AnyObject> handle = collector.take_spare();
  return handle.fill(made) ? std::move(handle) : collector.keep(use.mutator(), made);
}

// Whether an object of that kind and size has nothing to be checked, and its data lie in it.
bool is_plain(Collector& collector, ObjectType kind, std::uint64_t size) {
  switch (kind) {
    case ObjectType::kScalar:
      return size == 8;
    case ObjectType::kComplex:
      return size == 16;
    case ObjectType::kString:
    case ObjectType::kUnitValue:
    case ObjectType::kFunction:
    case ObjectType::kClosure:
      return false;  // they are sealed, or made in another way
    default:
      return size < collector.large_from();
  }
}

// What the facade makes, as a GCObject.
template <class Make>
Object make_by_facade(Collector& collector, Make make) {
  auto [handle, of] = collector.ask([&](GarbageCollector& facade) {
    const Handle<GcObject> made = value_or_throw(make(facade));
    SharedMutator::Use use(facade.mutator());
    return std::pair(collector.keep(use.mutator(), made.index()), describe_object(made.index()));
  });
  collector.say_farewells_if_due();
  return Object(collector, std::move(handle), of);
}

Object allocate(Collector& collector, ObjectType kind, std::uint64_t size, std::uint32_t references,
                std::string_view memory, std::string_view element,
                const std::optional<std::vector<std::int64_t>>& shape, bool permanent) {
  const bool is_usual = memory == to_string(MemoryKind::kHost) &&
                        element == to_string(ElementType::kUint8) && !shape.has_value() &&
                        !permanent;
  if (is_usual && references <= kMostReferences && is_plain(collector, kind, size)) {
    Handle<AnyObject> handle =
        make_quickly(collector, kind, collector.type_of(kind, references), references, size);
    if (handle) {
      return Object(collector, std::move(handle),
                    {.kind = kind, .references = references, .size = size});
    }
  }
  AllocateOptions options{
      .references = references, .memory = kind_of(memory), .element = element_of(element)};
  options.permanent = permanent;
  if (shape.has_value()) {
    options.shape = Shape(std::span<const std::int64_t>(*shape));
  }
  return make_by_facade(
      collector, [&](GarbageCollector& facade) { return facade.allocate(kind, size, options); });
}

Object make_string(Collector& collector, std::string_view text) {
  return make_by_facade(collector,
                        [&](GarbageCollector& facade) { return facade.allocate_string(text); });
}

Object make_closure(Collector& collector, std::string_view name, std::uintptr_t code,
                    const std::vector<const Object*>& captures) {
  for (const Object* const capture : captures) {
    if (&capture->collector() != &collector) {
      refuse("a closure cannot capture another collector's object");
    }
  }
  return make_by_facade(collector, [&](GarbageCollector& facade) {
    const auto* const address = reinterpret_cast<const void*>(code);
    if (captures.empty()) {
      return facade.allocate_function(name, address);
    }
    std::vector<Handle<GcObject>> handles;
    {
      SharedMutator::Use use(facade.mutator());
      for (const Object* const capture : captures) {
        handles.emplace_back(use.mutator().core(), capture->index());
      }
    }
    return facade.allocate_closure(name, address, handles);
  });
}

// `Collector.allocate`, which programs call by the million: the usual form, where nothing is waited for
// and nothing goes wrong, past nanobind's general ways of finding types and names. All other calls
// are `_allocate`'s. What is thrown ends in `allocate_at_all`: nobody but the interpreter is above it.
// Measured (bench/python/allocate.py): 126 to 155 ns, not 143 to 171; a bytearray 85.
PyObject* allocate_usually(PyObject* self, PyObject* const* arguments, Py_ssize_t count,
                           PyObject* names) {
  static PyObject* const kinds = nb::type<ObjectType>().ptr();
  static const nb::handle objects = nb::type<Object>();
  if (names != nullptr || count != 2 || !Py_IS_TYPE(arguments[0], (PyTypeObject*)kinds) ||
      !PyLong_CheckExact(arguments[1]) || !nb::inst_ready(self)) {
    return nullptr;
  }
  Collector& collector = *nb::inst_ptr<Collector>(self);
  const auto kind = static_cast<ObjectType>(PyLong_AsLong(arguments[0]));
  const long long size = PyLong_AsLongLong(arguments[1]);
  if (size < 0 || !is_plain(collector, kind, static_cast<std::uint64_t>(size)) ||
      !collector.is_open()) {
    PyErr_Clear();
    return nullptr;
  }
  const auto bytes = static_cast<std::uint64_t>(size);
  Handle<AnyObject> handle = make_quickly(collector, kind, collector.type_of(kind, 0), 0, bytes);
  if (!handle) {
    return nullptr;
  }
  nb::object wrapper = nb::inst_alloc(objects);
  ::new (nb::inst_ptr<Object>(wrapper))
      Object(collector, std::move(handle), {.kind = kind, .references = 0, .size = bytes});
  nb::inst_mark_ready(wrapper);
  return wrapper.release().ptr();
}

PyObject* allocate_at_all(PyObject* self, PyObject* const* arguments, Py_ssize_t count,
                          PyObject* names) {
  try {
    if (PyObject* const made = allocate_usually(self, arguments, count, names); made != nullptr) {
      return made;
    }
    std::vector<PyObject*> all{self};
    const Py_ssize_t named = names == nullptr ? 0 : PyTuple_GET_SIZE(names);
    all.insert(all.end(), arguments, arguments + count + named);
    static PyObject* const general = nb::type<Collector>().attr("_allocate").ptr();
    return PyObject_Vectorcall(general, all.data(), static_cast<std::size_t>(count + 1), names);
  } catch (const Failure& failure) {
    PyErr_SetString(exception_for(failure.code()), failure.what());
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
  return nullptr;
}

}  // namespace

PyType_Slot* collector_slots() {
  static PyMethodDef methods[] = {
      {"allocate", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(allocate_at_all)),
       METH_FASTCALL | METH_KEYWORDS,
       "allocate($self, type, size, references=0, memory='host', element='uint8', "
       "shape=None)\n--\n\n"
       "A zeroed object of `size` bytes with so many slots for references. Bytes from the "
       "threshold\n"
       "on lie in a pool and never move, as all do with a memory, an element type or a shape; "
       "memory\n"
       "of a device is zeroed in its own time. A permanent object is never collected. Raises "
       "OutOfMemory,\n"
       "a MemoryError."},
      {nullptr, nullptr, 0, nullptr},
  };
  static PyType_Slot slots[] = {{Py_tp_methods, methods}, {0, nullptr}};
  return slots;
}

void bind_allocation(nb::class_<Collector>& type) {
  type.def("_allocate", allocate, nb::arg("type"), nb::arg("size"), nb::arg("references") = 0,
           nb::arg("memory") = "host", nb::arg("element") = "uint8", nb::arg("shape") = nb::none(),
           nb::arg("permanent") = false)
      .def("make_string", make_string)
      .def("make_closure", make_closure)
      .def("make_struct", [](Collector& collector, const StructLayout& layout) {
        return make_by_facade(
            collector, [&](GarbageCollector& facade) { return facade.allocate_struct(layout); });
      });
}

}  // namespace tenure::python
