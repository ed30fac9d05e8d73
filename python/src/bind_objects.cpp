// GCObject: made, read and written through Python's buffer protocol, linked, watched.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>

#include <cstring>
#include <memory>
#include <string>

#include "python/src/collector.hpp"
#include "python/src/wrappers.hpp"
#include "tenure/finalizer.hpp"

namespace tenure::python {

Wrapper::Wrapper(Collector& collector, Handle<AnyObject> handle)
    : collector_(&collector), owner_(collector.self()), handle_(std::move(handle)) {
  owner_.inc_ref();
}

Wrapper::~Wrapper() {
  if (collector_ != nullptr) {
    collector_->give_back(std::move(handle_));
    owner_.dec_ref();
  }
}

Object::~Object() {
  if (pins > 0 && pin.index() != ObjectIndex::kNull) {
    collector().drop(std::move(pin));
  }
}

WeakObject::WeakObject(Collector& of, Weak<AnyObject> object)
    : owner(nb::borrow(of.self())), collector(&of), target(std::move(object)) {}

WeakObject::~WeakObject() {
  if (owner.is_valid()) {
    collector->drop(std::move(target));
  }
}

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
    detail::write_header(made, type, granules);
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

// What a buffer that was handed out keeps: the object where it is, and the heap open.
struct Export {
  explicit Export(Collector& of) : collector(of), visit(of) {}
  ~Export() { collector.drop(std::move(pin)); }
  Export(const Export&) = delete;
  Export& operator=(const Export&) = delete;

  Collector& collector;
  Collector::Visit visit;
  Pinned<AnyObject> pin;
};

int get_buffer(PyObject* exporter, Py_buffer* view, int flags) {
  view->obj = nullptr;
  try {
    const Object* const object = &wrapper_in<Object>(exporter);
    auto kept = std::make_unique<Export>(object->collector());
    std::byte* data = nullptr;
    object->collector().use([&](Mutator& mutator) {
      kept->pin = Pinned<AnyObject>(mutator.core(), object->index());
      data = bytes_of(object->index(), object->references);
    });
    if (PyBuffer_FillInfo(view, exporter, data, static_cast<Py_ssize_t>(object->size), 0, flags) !=
        0) {
      return -1;
    }
    view->internal = kept.release();
    return 0;
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_BufferError, error.what());
    return -1;
  }
}

void release_buffer(PyObject*, Py_buffer* view) {
  delete static_cast<Export*>(view->internal);
  view->internal = nullptr;
}

ObjectIndex* slot_of(const Object& object, std::uint32_t slot) {
  return &slots_of(object.index())[slot + 1];
}

void require_slot(const Object& object, std::uint32_t slot) {
  if (slot >= object.references) {
    throw nb::index_error(("there is no reference " + std::to_string(slot) + "; the object has " +
                           std::to_string(object.references))
                              .c_str());
  }
}

const Wrapper* wrapper_of(nb::handle value) {
  if (value.is_none()) {
    return nullptr;
  }
  if (nb::isinstance<Object>(value)) {
    return &wrapper_in<Object>(value);
  }
  if (nb::isinstance<TensorObject>(value)) {
    return &wrapper_in<TensorObject>(value);
  }
  throw nb::type_error("a reference leads to a GCObject, a Tensor, or None");
}

void set_reference(Object& object, std::uint32_t slot, nb::handle value) {
  require_slot(object, slot);
  const Wrapper* const target = wrapper_of(value);
  if (target != nullptr && &target->collector() != &object.collector()) {
    refuse("a reference cannot lead to another collector's object");
  }
  object.collector().use([&](Mutator& mutator) {
    detail::write_reference(mutator.core(), *slot_of(object, slot),
                            target == nullptr ? ObjectIndex::kNull : target->index());
  });
}

nb::object get_reference(Object& object, std::uint32_t slot) {
  require_slot(object, slot);
  Collector& collector = object.collector();
  return wrap(collector, collector.use([&](Mutator& mutator) {
    return collector.keep(mutator, *slot_of(object, slot));
  }));
}

nb::list references(Object& object) {
  nb::list found;
  for (std::uint32_t slot = 0; slot < object.references; ++slot) {
    if (nb::object target = get_reference(object, slot); !target.is_none()) {
      found.append(target);
    }
  }
  return found;
}

// Notes the object's death under a number; what Python owes it is looked up when it is called.
void set_finalizer(Object& object, nb::object call) {
  Collector& collector = object.collector();
  collector.require_open();
  if (!PyCallable_Check(call.ptr())) {
    throw nb::type_error("a finalizer is something that can be called");
  }
  const FarewellId id = collector.farewells().add(
      {.call = std::move(call), .holds = {}, .target = {}, .dying = {}, .is_finalizer = true});
  const auto messenger = std::make_shared<Messenger>(collector.shared_farewells(), id);
  const Result<void> set = collector.use([&](Mutator& mutator) -> Result<void> {
    const Local<AnyObject> local(mutator.core(), object.index());
    collector.farewells().set_target(id, Weak<AnyObject>(local));
    return tenure::set_finalizer(mutator, local, [messenger](Local<AnyObject> dying) {
      messenger->tell(Handle<AnyObject>(dying));
    });
  });
  if (!set) {
    throw Failure(set.failure());
  }
}

WeakObject make_weak(Object& object, std::optional<nb::object> on_death) {
  Collector& collector = object.collector();
  collector.require_open();
  std::function<void()> tell;
  if (on_death.has_value()) {
    if (!PyCallable_Check(on_death->ptr())) {
      throw nb::type_error("a callback is something that can be called");
    }
    const FarewellId id = collector.farewells().add(
        {.call = std::move(*on_death), .holds = {}, .target = {}, .dying = {}});
    tell = [messenger = std::make_shared<Messenger>(collector.shared_farewells(), id)] {
      messenger->tell({});
    };
  }
  return WeakObject(collector, collector.use([&](Mutator& mutator) {
    return Weak<AnyObject>(Local<AnyObject>(mutator.core(), object.index()), std::move(tell));
  }));
}

nb::object follow(WeakObject& weak) {
  Collector& collector = *weak.collector;
  return wrap(collector, collector.use([&](Mutator& mutator) {
    return collector.keep(mutator, weak.target.lock(mutator).index());
  }));
}

void pin(Object& object) {
  object.collector().use([&](Mutator& mutator) {
    if (object.pins == 0) {
      object.pin = Pinned<AnyObject>(mutator.core(), object.index());
    }
  });
  ++object.pins;
}

void unpin(Object& object) {
  if (object.pins == 0) {
    refuse("an object was unpinned more often than it was pinned");
  }
  if (--object.pins == 0) {
    object.collector().drop(std::move(object.pin));
  }
}

std::uintptr_t address_of(Object& object) {
  bool stays = object.pins > 0;
  std::byte* data = nullptr;
  object.collector().use([&](Mutator&) {
    stays = stays || slots_of(object.index())[0] != ObjectIndex::kNull;
    data = bytes_of(object.index(), object.references);
  });
  if (!stays) {
    refuse("the object's bytes lie in the object, and move; pin it first");
  }
  return reinterpret_cast<std::uintptr_t>(data);
}

bool is_alive(Object& object) {
  return object.collector().is_open() &&
         object.collector().use([&](Mutator&) { return object.index() != ObjectIndex::kNull; });
}

std::string describe(const Object& object) {
  return "<GCObject " + std::string(to_string(object.kind)) + ", " + std::to_string(object.size) +
         " bytes, " + std::to_string(object.references) + " references>";
}

}  // namespace

void bind_allocation(nb::class_<Collector>& type) {
  type.def("allocate", allocate, nb::arg("type"), nb::arg("size"), nb::arg("references") = 0,
           "A zeroed object of `size` bytes with so many slots for references. Bytes from the "
           "threshold on lie in a pool and never move. Raises OutOfMemory, a MemoryError.");
}

void bind_objects(nb::module_& module) {
  static PyType_Slot slots[] = {
      {Py_bf_getbuffer, reinterpret_cast<void*>(get_buffer)},
      {Py_bf_releasebuffer, reinterpret_cast<void*>(release_buffer)},
      {0, nullptr},
  };
  nb::class_<Object>(module, "GCObject", nb::type_slots(slots),
                     "An object of the heap, kept as long as this is. Its bytes are a buffer.")
      .def_prop_ro("type", [](const Object& object) { return object.kind; })
      .def_prop_ro(
          "size", [](const Object& object) { return object.size; }, "Bytes of data.")
      .def_prop_ro(
          "reference_count", [](const Object& object) { return object.references; },
          "Slots for references; they may be empty.")
      .def_prop_ro("is_alive", is_alive, "False once its collector was shut down.")
      .def_prop_ro("address", address_of,
                   "Of its bytes; for objects that are pinned, or large enough not to move.")
      .def("get_reference", get_reference, nb::arg("slot"),
           nb::sig("def get_reference(self, slot: int) -> GCObject | Tensor | None"))
      .def("set_reference", set_reference, nb::arg("slot"), nb::arg("value").none(),
           nb::sig("def set_reference(self, slot: int, value: GCObject | Tensor | None) -> None"))
      .def("references", references, nb::sig("def references(self) -> list[GCObject | Tensor]"),
           "What it refers to, in slot order, without the empty slots.")
      .def("set_finalizer", set_finalizer, nb::arg("call"),
           nb::sig("def set_finalizer(self, call: collections.abc.Callable[[GCObject], object]) -> "
                   "None"),
           "Has call(object) called once, after the object died or when the collector ends.")
      .def(
          "weak", make_weak, nb::arg("on_death") = nb::none(),
          nb::sig("def weak(self, on_death: collections.abc.Callable[[], object] | None = None) -> "
                  "WeakReference"),
          "A reference that does not keep the object; on_death() is called once it died.")
      .def("pin", pin, "It does not move until it was unpinned as often.")
      .def("unpin", unpin)
      .def(
          "is_same", [](const Object& a, const Object& b) { return a.is_same(b); },
          nb::arg("other"), "Whether both stand for one object.")
      .def("__len__", [](const Object& object) { return object.size; })
      .def("__bool__", [](const Object&) { return true; })
      .def("__repr__", describe);
  nb::class_<WeakObject>(module, "WeakReference", "A reference that keeps nothing.")
      .def("__call__", follow, nb::sig("def __call__(self) -> GCObject | Tensor | None"),
           "The object, or None once it died.");
}

}  // namespace tenure::python
