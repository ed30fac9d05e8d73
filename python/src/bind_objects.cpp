// GCObject: made, read and written through Python's buffer protocol, linked, watched.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <array>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "python/src/collector.hpp"
#include "python/src/wrappers.hpp"
#include "tenure/finalizer.hpp"
#include "tenure/object_facts.hpp"

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

bool is_sealed(ObjectIndex object) { return detail::header_of(object).has(ObjectFlag::kSealed); }

const GcObject& dynamic_at(ObjectIndex object) {
  return *reinterpret_cast<const GcObject*>(detail::data_of(object));
}

// Whether the host can read the bytes.
bool is_in_reach(ObjectIndex object) { return dynamic_at(object).bytes().data() != nullptr; }

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
    bool sealed = false;
    bool reaches = true;
    object->collector().use([&](Mutator& mutator) {
      kept->pin = Pinned<AnyObject>(mutator.core(), object->index());
      data = detail::bytes_place(object->index(), object->references);
      sealed = is_sealed(object->index());
      reaches = is_in_reach(object->index());
    });
    if (!reaches && object->size > 0) {
      refuse("the object's bytes lie in a device's memory, or were handed back");
    }
    if (PyBuffer_FillInfo(view, exporter, data, static_cast<Py_ssize_t>(object->size),
                          sealed ? 1 : 0, flags) != 0) {
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
  return &detail::places_of(object.index())[slot + 1];
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
  const bool stored = object.collector().use([&](Mutator& mutator) {
    if (is_sealed(object.index())) {
      return false;
    }
    detail::write_reference(mutator.core(), *slot_of(object, slot),
                            target == nullptr ? ObjectIndex::kNull : target->index());
    return true;
  });
  if (!stored) {
    refuse("a reference was to be stored in an object that is sealed");
  }
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
    stays = stays || detail::places_of(object.index())[0] != ObjectIndex::kNull;
    data = detail::bytes_place(object.index(), object.references);
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

GcHeader header_of(Object& object) {
  Collector& collector = object.collector();
  const Handle<GcObject> handle = facade_handle(collector, nb::find(object));
  return collector.ask(
      [&](GarbageCollector& facade) { return value_or_throw(facade.header(handle)); });
}

std::string text_of(Object& object) {
  if (object.kind != ObjectType::kString) {
    throw nb::attribute_error("only a STRING has text");
  }
  return object.collector().use([&](Mutator&) {
    const std::span<const std::byte> bytes = dynamic_at(object.index()).bytes();
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  });
}

nb::object value_of(Object& object) {
  std::array<double, 2> parts{};
  const std::size_t bytes = object.size;
  if (object.kind != ObjectType::kScalar && object.kind != ObjectType::kComplex) {
    throw nb::attribute_error("only a SCALAR and a COMPLEX have a value");
  }
  object.collector().use([&](Mutator&) {
    std::memcpy(parts.data(), dynamic_at(object.index()).bytes().data(), bytes);
  });
  return object.kind == ObjectType::kScalar ? nb::object(nb::float_(parts[0]))
                                            : nb::steal(PyComplex_FromDoubles(parts[0], parts[1]));
}

void set_value(Object& object, nb::object value) {
  const Py_complex parts = PyComplex_AsCComplex(value.ptr());
  if (PyErr_Occurred() != nullptr) {
    throw nb::python_error();
  }
  const bool is_scalar = object.kind == ObjectType::kScalar;
  if (!is_scalar && object.kind != ObjectType::kComplex) {
    throw nb::attribute_error("only a SCALAR and a COMPLEX have a value");
  }
  if (is_scalar && PyComplex_Check(value.ptr())) {
    throw nb::type_error("a SCALAR has no imaginary part");
  }
  const std::array<double, 2> both{parts.real, parts.imag};
  const bool stored = object.collector().use([&](Mutator&) {
    if (is_sealed(object.index())) {
      return false;
    }
    std::memcpy(detail::bytes_place(object.index(), object.references), both.data(), object.size);
    return true;
  });
  if (!stored) {
    refuse("a value was to be stored in an object that is sealed");
  }
}

void seal_object(Object& object) {
  object.collector().use([&](Mutator& mutator) { seal(mutator, object.index()); });
}

bool finalize_object(Object& object) {
  Collector& collector = object.collector();
  const bool found = collector.use_slowly(
      [&](Mutator& mutator) { return detail::finalize(mutator, object.index()); });
  collector.say_farewells_if_due();
  return found;
}

std::uint64_t clear_weak(Object& object) {
  return object.collector().use(
      [&](Mutator& mutator) { return clear_weak_references(mutator, object.index()); });
}

using SlotRow = std::tuple<std::string, std::uint32_t>;
using FieldRow = std::tuple<std::string, std::string, std::uint64_t, std::uint64_t>;

void make_layout(StructLayout* self, std::string name, std::uint64_t size, std::uint32_t references,
                 const std::vector<SlotRow>& slots, const std::vector<FieldRow>& fields) {
  std::vector<StructSlot> made_slots;
  for (const auto& [called, slot] : slots) {
    made_slots.push_back({called, slot});
  }
  std::vector<StructField> made_fields;
  for (const auto& [called, element, offset, count] : fields) {
    made_fields.push_back({called, element_of(element), offset, count});
  }
  ::new (self) StructLayout(value_or_throw(
      StructLayout::declare(std::move(name), {.size = size, .references = references},
                            std::move(made_slots), std::move(made_fields))));
}

void require_layout(const StructLayout& layout, Object& object) {
  const bool has_it = object.collector().use(
      [&](Mutator&) { return detail::header_of(object.index()).type() == layout.type(); });
  if (!has_it) {
    refuse("the object has another layout than " + layout.name());
  }
}

std::string describe(const Object& object) {
  return "<GCObject " + std::string(to_string(object.kind)) + ", " + std::to_string(object.size) +
         " bytes, " + std::to_string(object.references) + " references>";
}

}  // namespace

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
      .def_prop_ro("header", header_of, "What is known of it beside its data; a copy.")
      .def_prop_ro("text", text_of, "Of a STRING.")
      .def_prop_rw("value", value_of, set_value, nb::sig("def value(self) -> float | complex"),
                   "Of a SCALAR, or a COMPLEX.")
      .def("seal", seal_object, "Refuses stores from now on; what it refers to may change.")
      .def("finalize", finalize_object,
           "Calls its finalizer now. False where there is none, or it was called.")
      .def("clear_weak_refs", clear_weak,
           "Clears all weak references to it, and tells nobody; how many there were.")
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
      .def("trace_references", references,
           nb::sig("def trace_references(self) -> list[GCObject | Tensor]"), "As `references`.")
      .def("__bool__", [](const Object&) { return true; })
      .def("__repr__", describe);
  nb::class_<StructLayout>(module, "StructLayout", "What layouts.StructLayout stands on.")
      .def("__init__", make_layout)
      .def_prop_ro("name", &StructLayout::name)
      .def_prop_ro("size", &StructLayout::size)
      .def("require", require_layout);
  nb::class_<WeakObject>(module, "WeakReference", "A reference that keeps nothing.")
      .def("__call__", follow, nb::sig("def __call__(self) -> GCObject | Tensor | None"),
           "The object, or None once it died.");
}

}  // namespace tenure::python
