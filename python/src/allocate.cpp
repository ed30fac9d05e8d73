// `Collector.allocate`: an object of the dynamic door, from Python.
#include <nanobind/nanobind.h>

#include <cstring>
#include <string>
#include <vector>

#include "python/src/collector.hpp"
#include "python/src/wrappers.hpp"

namespace tenure::python {

namespace {

[[noreturn]] void refuse(std::string sentence) {
  throw Failure({ErrorCode::kBadArgument, std::move(sentence)});
}

std::uint64_t fixed_size(ObjectType kind) {
  return kind == ObjectType::kScalar ? 8 : kind == ObjectType::kComplex ? 16 : 0;
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

Handle<AnyObject> make_quickly(Collector& collector, TypeId type, std::uint32_t references,
                               std::uint64_t size) {
  collector.require_open();
  SharedMutator::Use use(collector.mutator(), std::try_to_lock);
  if (!use.is_there()) {
    return {};
  }
  const ObjectIndex made = try_make(use.mutator(), type, object_bytes(references, size));
  if (made == ObjectIndex::kNull) {
    return {};
  }
  size_of(made, references) = size;
  Handle<AnyObject> handle = collector.take_spare();
  return handle.fill(made) ? std::move(handle) : collector.keep(use.mutator(), made);
}

Handle<AnyObject> make_slowly(Collector& collector, TypeId type, std::uint32_t references,
                              std::uint64_t size, bool has_payload) {
  return collector.use_slowly([&](Mutator& mutator) {
    Local<Tensor> payload(mutator);
    if (has_payload) {
      payload =
          value_or_throw(make_tensor(mutator, {static_cast<std::int64_t>(size)},
                                     {.element = ElementType::kUint8, .kind = MemoryKind::kHost}));
      std::memset(payload->data(), 0, size);
    }
    const ObjectIndex made = value_or_throw(
        allocate_object(mutator, type, Bytes{object_bytes(references, has_payload ? 0 : size)}));
    size_of(made, references) = size;
    detail::write_reference(mutator.core(), slots_of(made)[0], payload.index());
    return collector.keep(mutator, made);
  });
}

Object allocate(Collector& collector, ObjectType kind, std::uint64_t size,
                std::uint32_t references) {
  if (references > kMostReferences) {
    refuse("an object has 65536 references at most, not " + std::to_string(references));
  }
  if (const std::uint64_t fixed = fixed_size(kind); fixed != 0 && size != fixed) {
    refuse("a " + std::string(to_string(kind)) + " has " + std::to_string(fixed) + " bytes, not " +
           std::to_string(size));
  }
  const TypeId type = collector.type_of(kind, references);
  const bool has_payload = size >= collector.large_from();
  Handle<AnyObject> handle;
  if (!has_payload) {
    handle = make_quickly(collector, type, references, size);
  }
  if (!handle) {
    handle = make_slowly(collector, type, references, size, has_payload);
    collector.say_farewells_if_due();
  }
  return Object(collector, std::move(handle),
                {.kind = kind, .references = references, .size = size});
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
  const std::uint64_t fixed = fixed_size(kind);
  if (size < 0 || static_cast<std::uint64_t>(size) >= collector.large_from() ||
      (fixed != 0 && static_cast<std::uint64_t>(size) != fixed) || !collector.is_open()) {
    PyErr_Clear();
    return nullptr;
  }
  const auto bytes = static_cast<std::uint64_t>(size);
  Handle<AnyObject> handle = make_quickly(collector, collector.type_of(kind, 0), 0, bytes);
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
       "allocate($self, type, size, references=0)\n--\n\n"
       "A zeroed object of `size` bytes with so many slots for references. Bytes from the "
       "threshold\n"
       "on lie in a pool and never move. Raises OutOfMemory, a MemoryError."},
      {nullptr, nullptr, 0, nullptr},
  };
  static PyType_Slot slots[] = {{Py_tp_methods, methods}, {0, nullptr}};
  return slots;
}

void bind_allocation(nb::class_<Collector>& type) {
  type.def("_allocate", allocate, nb::arg("type"), nb::arg("size"), nb::arg("references") = 0);
}

}  // namespace tenure::python
