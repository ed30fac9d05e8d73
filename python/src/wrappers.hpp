// What Python holds: objects and tensors, by handles, and weak references.
//
// Invariant: a wrapper keeps its collector's Python object, and nothing that leads back to itself; so
// they need no visit by Python's own collector.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <array>
#include <cstdint>

#include "python/src/objects.hpp"
#include "tenure/pinned.hpp"
#include "tenure/roots.hpp"

namespace tenure::python {

namespace nb = nanobind;

class Collector;

/// A root of a Python object that stands for one of the heap.
class Wrapper {
 public:
  Wrapper(Collector& collector, Handle<AnyObject> handle);
  Wrapper(Wrapper&& from) noexcept
      : collector_(std::exchange(from.collector_, nullptr)),
        owner_(from.owner_),
        handle_(std::move(from.handle_)) {}
  Wrapper(const Wrapper&) = delete;
  Wrapper& operator=(const Wrapper&) = delete;
  ~Wrapper();

  [[nodiscard]] Collector& collector() const { return *collector_; }
  /// The object's place, in a body that `Collector::use` calls.
  [[nodiscard]] ObjectIndex index() const { return handle_.index(); }
  [[nodiscard]] bool is_same(const Wrapper& other) const {
    return handle_.index() == other.handle_.index();
  }

 private:
  Collector* collector_;
  nb::handle owner_;  // the collector's Python object, counted
  Handle<AnyObject> handle_;
};

/// GCObject.
struct Object : Wrapper {
  Object(Collector& collector, Handle<AnyObject> handle, const Described& of)
      : Wrapper(collector, std::move(handle)),
        kind(of.kind),
        references(of.references),
        size(of.size) {}
  Object(Object&&) noexcept = default;
  ~Object();

  ObjectType kind;
  std::uint32_t references;
  std::uint64_t size;
  Pinned<AnyObject> pin{};
  std::uint32_t pins = 0;
};

/// Tensor: of a pool, or of foreign memory that the heap only keeps. Its description never changes.
struct TensorObject : Wrapper {
  TensorObject(Collector& collector, Handle<AnyObject> handle)
      : Wrapper(collector, std::move(handle)) {}
  TensorObject(TensorObject&&) noexcept = default;

  std::byte* data = nullptr;  // null where it is empty or was released
  nb::dlpack::dtype type{};
  int device = nb::device::cpu::value;
  int device_id = 0;
  std::size_t rank = 0;
  std::array<std::size_t, kMaxRank> shape{};
  std::array<std::int64_t, kMaxRank> strides{};  // in elements
  bool is_foreign = false;
  bool is_released = false;
};

/// WeakReference.
struct WeakObject {
  WeakObject(Collector& of, Weak<AnyObject> object);
  WeakObject(WeakObject&&) noexcept = default;
  ~WeakObject();

  nb::object owner;  // the collector's
  Collector* collector;
  Weak<AnyObject> target;
};

/// The Python object for an object of the heap. None for a handle that keeps nothing.
[[nodiscard]] nb::object wrap(Collector& collector, Handle<AnyObject> handle);

/// The wrapper that a Python object is.
///
/// errors  throws where it was made past its constructor, and is none
template <class T>
[[nodiscard]] T& wrapper_in(nb::handle object) {
  if (!nb::inst_ready(object)) {
    throw nb::type_error("the object was made without a collector, and stands for nothing");
  }
  return *nb::inst_ptr<T>(object);
}

void bind_collector(nb::module_& module);
void bind_objects(nb::module_& module);
/// `allocate`, as a method that nanobind does not know.
[[nodiscard]] PyType_Slot* collector_slots();
void bind_allocation(nb::class_<Collector>& type);
void bind_plugins(nb::module_& module, nb::class_<Collector>& type);
void bind_reports(nb::class_<Collector>& type);
void bind_roots(nb::class_<Collector>& type);
/// Objects' headers, before the objects, and the collector's views of its parts.
void bind_headers(nb::module_& module);
void bind_views(nb::module_& module, nb::class_<Collector>& type);
void bind_weak_maps(nb::module_& module);
void bind_statistics(nb::class_<Collector>& type);

/// The object of a GCObject or a Tensor of this collector, as the facade takes it.
///
/// errors  throws Failure (kBadArgument): it is another collector's; a TypeError: it is neither
[[nodiscard]] Handle<GcObject> facade_handle(Collector& collector, nb::handle object);

/// errors  throws Failure (kBadArgument): no kind of memory is called so
[[nodiscard]] MemoryKind kind_of(std::string_view name);
/// errors  throws Failure (kBadArgument): no element type is called so
[[nodiscard]] ElementType element_of(std::string_view name);
void bind_tensors(nb::module_& module);

/// errors  throws Failure: kClosed; kBadArgument where its memory was given back to others
void require_bytes(TensorObject& tensor);
/// A tensor of others' memory, kept by an object of the heap: it is let go of when that is found dead.
///
/// errors  throws Failure: kBadArgument, kOutOfMemory, kClosed
[[nodiscard]] nb::object take_foreign(Collector& collector, nb::ndarray<> array);
/// DLPack's C table of functions, in its capsule.
[[nodiscard]] nb::object exchange_table();
/// The exception that an error is in Python. Borrowed.
[[nodiscard]] PyObject* exception_for(ErrorCode code);

}  // namespace tenure::python
