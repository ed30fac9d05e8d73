// Tensors, and memory that goes to others and comes from them: the buffer protocol and DLPack, both
// ways without a copy.
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>

#include "python/src/collector.hpp"
#include "python/src/wrappers.hpp"
#include "tenure/finalizer.hpp"

namespace tenure::python {

namespace {

// One element as NumPy, DLPack and Python's buffers call it. No format: none has bfloat16.
struct ElementRow {
  ElementType type;
  nb::dlpack::dtype_code code;
  std::uint8_t bits;
  const char* format;
};
constexpr std::array kElements{
    ElementRow{ElementType::kBool, nb::dlpack::dtype_code::Bool, 8, "?"},
    ElementRow{ElementType::kInt8, nb::dlpack::dtype_code::Int, 8, "b"},
    ElementRow{ElementType::kUint8, nb::dlpack::dtype_code::UInt, 8, "B"},
    ElementRow{ElementType::kInt16, nb::dlpack::dtype_code::Int, 16, "h"},
    ElementRow{ElementType::kInt32, nb::dlpack::dtype_code::Int, 32, "i"},
    ElementRow{ElementType::kInt64, nb::dlpack::dtype_code::Int, 64, "q"},
    ElementRow{ElementType::kFloat16, nb::dlpack::dtype_code::Float, 16, "e"},
    ElementRow{ElementType::kBfloat16, nb::dlpack::dtype_code::Bfloat, 16, nullptr},
    ElementRow{ElementType::kFloat32, nb::dlpack::dtype_code::Float, 32, "f"},
    ElementRow{ElementType::kFloat64, nb::dlpack::dtype_code::Float, 64, "d"},
    ElementRow{ElementType::kComplex64, nb::dlpack::dtype_code::Complex, 64, "Zf"},
    ElementRow{ElementType::kComplex128, nb::dlpack::dtype_code::Complex, 128, "Zd"},
};

constexpr std::array kKinds{MemoryKind::kHost, MemoryKind::kPinned, MemoryKind::kUnified,
                            MemoryKind::kDevice};

// An array as an object of Python's, that can be asked for its memory more than once.
using Shared = nb::ndarray<nb::array_api>;

[[noreturn]] void refuse(std::string sentence) {
  throw Failure({ErrorCode::kBadArgument, std::move(sentence)});
}

const ElementRow& row_of(std::string_view name) {
  const auto found = std::find_if(kElements.begin(), kElements.end(), [&](const ElementRow& row) {
    return to_string(row.type) == name;
  });
  if (found == kElements.end()) {
    refuse("there is no element type \"" + std::string(name) + "\"");
  }
  return *found;
}

// Null for what only others have, such as 4-bit numbers and several lanes.
const ElementRow* row_of(const nb::dlpack::dtype& type) {
  const auto found = std::find_if(kElements.begin(), kElements.end(), [&](const ElementRow& row) {
    return static_cast<std::uint8_t>(row.code) == type.code && row.bits == type.bits &&
           type.lanes == 1;
  });
  return found == kElements.end() ? nullptr : &*found;
}

// A simulated device's memory, and what a host gives instead of a device's, is the computer's.
int device_type(Collector& collector, MemoryKind kind) {
  const Statistics statistics =
      collector.ask([](GarbageCollector& facade) { return facade.runtime().statistics(); });
  for (const PoolStatistics& pool : statistics.pools) {
    if (pool.kind == kind && pool.backend.starts_with("cuda")) {
      switch (kind) {
        case MemoryKind::kHost:
          return nb::device::cpu::value;
        case MemoryKind::kPinned:
          return nb::device::cuda_host::value;
        case MemoryKind::kUnified:
          return nb::device::cuda_managed::value;
        case MemoryKind::kDevice:
          return nb::device::cuda::value;
      }
    }
  }
  return nb::device::cpu::value;
}

void describe_as(TensorObject& wrapper, const Tensor& tensor) {
  const ElementRow& row = kElements[static_cast<std::size_t>(tensor.element_type())];
  wrapper.type = {static_cast<std::uint8_t>(row.code), row.bits, 1};
  wrapper.data = tensor.data();
  wrapper.rank = tensor.rank();
  std::copy_n(tensor.shape().data(), wrapper.rank, wrapper.shape.begin());
  std::copy_n(tensor.strides().data(), wrapper.rank, wrapper.strides.begin());
}

void describe_as(TensorObject& wrapper, const nb::ndarray<>& array) {
  wrapper.is_foreign = true;
  wrapper.type = array.dtype();
  wrapper.data = static_cast<std::byte*>(array.data());
  wrapper.device = array.device_type();
  wrapper.device_id = array.device_id();
  wrapper.rank = array.ndim();
  for (std::size_t axis = 0; axis < wrapper.rank; ++axis) {
    wrapper.shape[axis] = array.shape(axis);
    wrapper.strides[axis] = array.stride(axis);
  }
}

TensorObject wrap_tensor(Collector& collector, Handle<AnyObject> handle) {
  TensorObject wrapper(collector, std::move(handle));
  MemoryKind kind{};
  collector.use([&](Mutator&) {
    const auto& tensor = *reinterpret_cast<const Tensor*>(detail::data_of(wrapper.index()));
    describe_as(wrapper, tensor);
    kind = tensor.kind();
  });
  wrapper.device = device_type(collector, kind);
  return wrapper;
}

TensorObject make(Collector& collector, const std::vector<std::int64_t>& shape,
                  std::string_view element, std::string_view memory) {
  const TensorOptions options{.element = row_of(element).type, .kind = kind_of(memory)};
  Handle<AnyObject> handle = collector.use_slowly([&](Mutator& mutator) {
    const Local<Tensor> made =
        value_or_throw(make_tensor(mutator, Shape(std::span(shape)), options));
    return collector.keep(mutator, made.index());
  });
  collector.say_farewells_if_due();
  return wrap_tensor(collector, std::move(handle));
}

// Others' memory, kept by an object of the heap: it is let go of when that is found dead.
TensorObject keep_foreign(Collector& collector, nb::ndarray<> array) {
  if (array.ndim() > kMaxRank) {
    refuse("a tensor has 8 axes at most, not " + std::to_string(array.ndim()));
  }
  collector.require_open();
  const FarewellId id =
      collector.farewells().add({.call = {},
                                 .holds = nb::cast(Shared(array), nb::rv_policy::reference),
                                 .target = {},
                                 .dying = {}});
  const auto messenger = std::make_shared<Messenger>(collector.shared_farewells(), id);
  Handle<AnyObject> handle = collector.use_slowly([&](Mutator& mutator) {
    const Local<AnyObject> made(
        mutator.core(),
        value_or_throw(allocate_object(mutator, foreign_type(), Bytes{sizeof(std::uint64_t)})));
    *reinterpret_cast<std::uint64_t*>(detail::data_of(made.index())) =
        static_cast<std::uint64_t>(id);
    value_or_throw(tenure::set_finalizer(
        mutator, made, [messenger](const Local<AnyObject>&) { messenger->tell({}); }));
    return collector.keep(mutator, made.index());
  });
  collector.say_farewells_if_due();
  TensorObject wrapper(collector, std::move(handle));
  describe_as(wrapper, array);
  return wrapper;
}

TensorObject wrap_foreign(Collector& collector, Handle<AnyObject> handle, std::uint64_t number) {
  TensorObject wrapper(collector, std::move(handle));
  const nb::object owner = collector.farewells().held_by(static_cast<FarewellId>(number));
  wrapper.is_foreign = true;
  wrapper.is_released = !owner.is_valid();  // found dead, and brought back by a finalizer
  if (owner.is_valid()) {
    describe_as(wrapper, nb::cast<nb::ndarray<>>(owner));
  }
  return wrapper;
}

// What looks at a tensor's bytes keeps: its wrapper, so the bytes; and the heap open.
struct Export {
  Export(Collector& collector, nb::object of) : tensor(std::move(of)), visit(collector) {}
  nb::object tensor;
  Collector::Visit visit;
  std::array<Py_ssize_t, kMaxRank> shape{};
  std::array<Py_ssize_t, kMaxRank> strides{};
};

int get_buffer(PyObject* exporter, Py_buffer* view, int flags) {
  view->obj = nullptr;
  try {
    TensorObject& tensor = wrapper_in<TensorObject>(exporter);
    require_bytes(tensor);
    const ElementRow* const row = row_of(tensor.type);
    if (row == nullptr || row->format == nullptr) {
      refuse("Python's buffers have no such element type; DLPack may");
    }
    if (tensor.device == nb::device::cuda::value) {
      refuse("the tensor lies on a device; a buffer is the computer's memory");
    }
    auto kept = std::make_unique<Export>(tensor.collector(), nb::borrow(exporter));
    const Py_ssize_t item = row->bits / 8;
    Py_ssize_t bytes = item;
    bool is_row_major = true;
    for (std::size_t axis = tensor.rank; axis-- > 0;) {
      kept->shape[axis] = static_cast<Py_ssize_t>(tensor.shape[axis]);
      kept->strides[axis] = static_cast<Py_ssize_t>(tensor.strides[axis]) * item;
      is_row_major = is_row_major && (kept->shape[axis] <= 1 || kept->strides[axis] == bytes);
      bytes *= kept->shape[axis];
    }
    if (!is_row_major && (flags & PyBUF_STRIDES) != PyBUF_STRIDES) {
      refuse("the tensor is not contiguous, and a buffer without strides was asked for");
    }
    *view = Py_buffer{};
    view->buf = tensor.data;
    view->obj = Py_NewRef(exporter);
    view->len = bytes;
    view->itemsize = item;
    view->ndim = static_cast<int>(tensor.rank);
    view->format = (flags & PyBUF_FORMAT) != 0 ? const_cast<char*>(row->format) : nullptr;
    view->shape = (flags & PyBUF_ND) != 0 ? kept->shape.data() : nullptr;
    view->strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? kept->strides.data() : nullptr;
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

nb::object to_dlpack(nb::handle self, nb::kwargs options) {
  TensorObject& tensor = wrapper_in<TensorObject>(self);
  require_bytes(tensor);
  auto kept = std::make_unique<Export>(tensor.collector(), nb::borrow(self));
  const nb::capsule owner(kept.release(),
                          [](void* held) noexcept { delete static_cast<Export*>(held); });
  const Shared array(tensor.data, tensor.rank, tensor.shape.data(), owner, tensor.strides.data(),
                     tensor.type, tensor.device, tensor.device_id);
  return nb::cast(array).attr("__dlpack__")(**options);
}

nb::tuple integers(const TensorObject& tensor, const auto& values) {
  nb::list list;
  for (std::size_t axis = 0; axis < tensor.rank; ++axis) {
    list.append(values[axis]);
  }
  return nb::tuple(list);
}

std::string element_name(const TensorObject& tensor) {
  const ElementRow* const row = row_of(tensor.type);
  return row == nullptr ? "foreign" : std::string(to_string(row->type));
}

}  // namespace

void require_bytes(TensorObject& tensor) {
  tensor.collector().require_open();
  if (tensor.is_released) {
    refuse("the tensor's memory was others', and was given back when it was found dead");
  }
}

nb::object take_foreign(Collector& collector, nb::ndarray<> array) {
  return nb::cast(keep_foreign(collector, std::move(array)));
}

ElementType element_of(std::string_view name) { return row_of(name).type; }

MemoryKind kind_of(std::string_view name) {
  const auto found = std::find_if(kKinds.begin(), kKinds.end(),
                                  [&](MemoryKind kind) { return to_string(kind) == name; });
  if (found == kKinds.end()) {
    refuse("there is no kind of memory \"" + std::string(name) +
           "\"; there are host, pinned, unified and device");
  }
  return *found;
}

nb::object wrap(Collector& collector, Handle<AnyObject> handle) {
  if (!handle) {
    return nb::none();
  }
  const Described of = collector.use([&](Mutator&) { return describe_object(handle.index()); });
  switch (of.form) {
    case Described::Form::kTensor:
      return nb::cast(wrap_tensor(collector, std::move(handle)));
    case Described::Form::kForeign:
      return nb::cast(wrap_foreign(collector, std::move(handle), of.size));
    case Described::Form::kObject:
      break;
  }
  return nb::cast(Object(collector, std::move(handle), of));
}

void bind_tensors(nb::module_& module) {
  static PyType_Slot slots[] = {
      {Py_bf_getbuffer, reinterpret_cast<void*>(get_buffer)},
      {Py_bf_releasebuffer, reinterpret_cast<void*>(release_buffer)},
      {0, nullptr},
  };
  nb::class_<TensorObject> type(module, "Tensor", nb::type_slots(slots),
                                "Elements in a pool, or others' memory that the heap keeps.");
  type.attr("__dlpack_c_exchange_api__") = exchange_table();
  type.def_prop_ro(
          "shape", [](const TensorObject& t) { return integers(t, t.shape); },
          nb::sig("def shape(self) -> tuple[int, ...]"))
      .def_prop_ro(
          "strides", [](const TensorObject& t) { return integers(t, t.strides); },
          nb::sig("def strides(self) -> tuple[int, ...]"), "In elements.")
      .def_prop_ro("dtype", element_name, "As NumPy calls it: \"float32\".")
      .def_prop_ro(
          "is_foreign", [](const TensorObject& t) { return t.is_foreign; },
          "Whether its memory came from others by DLPack.")
      .def_prop_ro("address",
                   [](TensorObject& t) {
                     require_bytes(t);
                     return reinterpret_cast<std::uintptr_t>(t.data);
                   })
      .def(
          "is_same", [](const TensorObject& a, const TensorObject& b) { return a.is_same(b); },
          nb::arg("other"))
      .def("__dlpack__", to_dlpack, nb::sig("def __dlpack__(self, **options: object) -> object"))
      .def(
          "__dlpack_device__",
          [](const TensorObject& t) { return nb::make_tuple(t.device, t.device_id); },
          nb::sig("def __dlpack_device__(self) -> tuple[int, int]"))
      .def("__repr__", [](const TensorObject& t) {
        return "<Tensor " + element_name(t) + " of rank " + std::to_string(t.rank) + ">";
      });
  module.def("_tensor", make);
  module.def("_from_dlpack", take_foreign);
}

}  // namespace tenure::python
