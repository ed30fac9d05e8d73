// DLPack's C table of functions (`__dlpack_c_exchange_api__`), by which other libraries take tensors,
// give some, and ask for memory without a call of Python's.
//
// Invariant: nothing is thrown through it. What names no collector is the process's shared one's.
#include <memory>
#include <stdexcept>

#include "python/src/collector.hpp"
#include "python/src/wrappers.hpp"
#include "tenure/plugins/dlpack.hpp"

namespace tenure::python {

namespace {

namespace dl = tenure::dlpack;

constexpr const char* kCapsule = "dltensor_versioned";
constexpr const char* kTableCapsule = "dlpack_exchange_api";

// What others hold: a tensor of Python's, or a lease; and the heap stays open.
template <class Kept>
struct Lent {
  Lent(Collector& of, Kept what)
      : collector(nb::borrow(of.self())), visit(of), kept(std::move(what)) {
    managed.context = this;
    // Called with or without the interpreter's lock, and perhaps after the interpreter.
    managed.deleter = [](dl::ManagedTensor* self) {
      if (Py_IsInitialized() != 0) {
        const nb::gil_scoped_acquire lock;
        delete static_cast<Lent*>(self->context);
      }
    };
  }
  nb::object collector;
  Collector::Visit visit;
  Kept kept;
  dl::ManagedTensor managed;
};

// Its axes are the wrapper's own.
void describe_as(dl::TensorView& view, TensorObject& tensor) {
  static_assert(sizeof(std::size_t) == sizeof(std::int64_t));
  view.data = tensor.data;
  view.device = {static_cast<dl::DeviceType>(tensor.device), tensor.device_id};
  view.rank = static_cast<std::int32_t>(tensor.rank);
  view.type = {static_cast<dl::TypeCode>(tensor.type.code), tensor.type.bits, tensor.type.lanes};
  view.shape = reinterpret_cast<std::int64_t*>(tensor.shape.data());
  view.strides = tensor.strides.data();
}

TensorObject& tensor_of(void* object) {
  const nb::handle given(static_cast<PyObject*>(object));
  if (!nb::isinstance<TensorObject>(given)) {
    throw nb::type_error("the table is that of tenure.Tensor, and was given another object");
  }
  auto& tensor = wrapper_in<TensorObject>(given);
  require_bytes(tensor);
  return tensor;
}

Collector& shared_collector() {
  // Kept by its module.
  return nb::cast<Collector&>(nb::module_::import_("tenure").attr("shared_collector")());
}

// Runs `body`; what it throws is the interpreter's exception.
template <class Body>
int guarded(Body body) noexcept {
  try {
    body();
    return 0;
  } catch (const Failure& failure) {
    PyErr_SetString(exception_for(failure.code()), failure.what());
  } catch (nb::python_error& error) {
    error.restore();
  } catch (const nb::builtin_exception& error) {
    PyErr_SetString(PyExc_TypeError, error.what());
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_BufferError, error.what());
  }
  return -1;
}

int from_object(void* object, dl::ManagedTensor** out) noexcept {
  return guarded([&] {
    TensorObject& tensor = tensor_of(object);
    auto lent = std::make_unique<Lent<nb::object>>(tensor.collector(),
                                                   nb::borrow(static_cast<PyObject*>(object)));
    describe_as(lent->managed.tensor, tensor);
    *out = &lent.release()->managed;
  });
}

int view_object(void* object, dl::TensorView* out) noexcept {
  return guarded([&] {
    *out = {};
    describe_as(*out, tensor_of(object));
  });
}

// Ends what nobody took.
void end_capsule(PyObject* capsule) noexcept {
  if (PyCapsule_IsValid(capsule, kCapsule) != 0) {
    auto* const tensor = static_cast<dl::ManagedTensor*>(PyCapsule_GetPointer(capsule, kCapsule));
    if (tensor->deleter != nullptr) {
      tensor->deleter(tensor);
    }
  }
}

// Another's tensor while it is taken in. Why a shell: what is refused stays its giver's, who ends it.
struct Taken {
  explicit Taken(const dl::ManagedTensor& from) : managed(from) {
    managed.context = this;
    managed.deleter = [](dl::ManagedTensor* self) {
      const std::unique_ptr<Taken> ended(static_cast<Taken*>(self->context));
      if (ended->given != nullptr && ended->given->deleter != nullptr) {
        ended->given->deleter(ended->given);
      }
    };
  }
  dl::ManagedTensor managed;
  dl::ManagedTensor* given = nullptr;  // once it is ours
};

int to_object(dl::ManagedTensor* tensor, void** out) noexcept {
  return guarded([&] {
    if (tensor->version.major != dl::Version{}.major) {
      throw std::invalid_argument("the tensor is of another version of DLPack than 1");
    }
    auto taken = std::make_unique<Taken>(*tensor);
    const nb::object capsule = nb::steal(PyCapsule_New(&taken->managed, kCapsule, end_capsule));
    if (!capsule.is_valid()) {
      throw nb::python_error();
    }
    Taken* const shell = taken.release();
    nb::object made = take_foreign(shared_collector(), nb::cast<nb::ndarray<>>(capsule));
    shell->given = tensor;
    *out = made.release().ptr();
  });
}

const char* name_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kOutOfMemory:
    case ErrorCode::kOverBudget:
      return "MemoryError";
    case ErrorCode::kBadArgument:
      return "ValueError";
    case ErrorCode::kUnsupported:
      return "BufferError";
    default:
      return "RuntimeError";
  }
}

// A lease whose axes go with the managed tensor that `dlpack::lease` made for it.
struct EndManaged {
  void operator()(dl::ManagedTensor* tensor) const { tensor->deleter(tensor); }
};
using Managed = std::unique_ptr<dl::ManagedTensor, EndManaged>;

int allocate(dl::TensorView* prototype, dl::ManagedTensor** out, void* context,
             dl::SetError set_error) noexcept {
  if (Py_IsInitialized() == 0) {
    set_error(context, "RuntimeError", "the interpreter ended");
    return -1;
  }
  const nb::gil_scoped_acquire lock;
  try {
    Collector& collector = shared_collector();
    Managed leased(collector.ask([&](GarbageCollector& facade) {
      return value_or_throw(dl::lease(facade.runtime(), *prototype));
    }));
    const dl::TensorView view = leased->tensor;
    auto lent = std::make_unique<Lent<Managed>>(collector, std::move(leased));
    lent->managed.tensor = view;
    *out = &lent.release()->managed;
    return 0;
  } catch (const Failure& failure) {
    set_error(context, name_of(failure.code()), failure.what());
  } catch (const std::exception& error) {
    set_error(context, "RuntimeError", error.what());
  }
  return -1;
}

// Work of ours is on the default stream, and of a plain computer's memory there is none.
int current_stream(dl::DeviceType, std::int32_t, void** out) noexcept {
  *out = nullptr;
  return 0;
}

}  // namespace

nb::object exchange_table() {
  static dl::ExchangeTable table{.header = {},
                                 .allocate = allocate,
                                 .from_object = from_object,
                                 .to_object = to_object,
                                 .view_object = view_object,
                                 .current_stream = current_stream};
  return nb::steal(PyCapsule_New(&table, kTableCapsule, nullptr));
}

}  // namespace tenure::python
