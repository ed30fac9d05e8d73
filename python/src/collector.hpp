// One collector as Python sees it: a heap that any thread may call, whose calls hold the
// interpreter's lock only while there is nothing to wait for.
//
// Invariant: a call first tries the heap's mutator with the interpreter's lock held, which waits for
// nobody; else it gives the lock up and waits. The heap closes when nobody uses it any more: calls
// under way and memory that Python looks at put that off.
#pragma once

#include <nanobind/nanobind.h>

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "python/src/farewells.hpp"
#include "python/src/objects.hpp"
#include "tenure/facade/garbage_collector.hpp"
#include "tenure/pinned.hpp"
#include "tenure/pressure.hpp"
#include "tenure/runtime.hpp"

namespace tenure::python {

namespace nb = nanobind;

/// What was left at the end. `views` is memory that Python still looks at; it goes with the last.
struct Ended {
  std::uint64_t objects = 0;
  std::uint64_t handles = 0;
  std::uint64_t views = 0;
  std::uint64_t finalizers = 0;  // run by ending
};

/// threads  any, with the interpreter's lock
class Collector {
 public:
  explicit Collector(const GcConfiguration& configuration);
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;
  ~Collector();

  /// Stops where it was shut down, or stayed with the parent of a fork.
  ///
  /// errors  throws Failure: kClosed
  void require_open() const;
  [[nodiscard]] bool is_open() const;

  /// Calls `body(mutator)` with the heap at hand. It touches no Python object, and may run without
  /// the interpreter's lock.
  template <class Body>
  auto use(Body body) {
    require_open();
    {
      SharedMutator::Use quick(facade_->mutator(), std::try_to_lock);
      if (quick.is_there()) {
        dropped_.clear();
        return body(quick.mutator());
      }
    }
    return use_patiently(std::move(body));
  }

  /// Likewise, for a body that may allocate, and so collect: never with the interpreter's lock.
  template <class Body>
  auto use_slowly(Body body) {
    require_open();
    return use_patiently(std::move(body));
  }

  /// Calls `body(facade)` without the interpreter's lock.
  template <class Body>
  auto ask(Body body) {
    require_open();
    const Visit visit(*this);
    Dropped dropped = std::move(dropped_);
    const nb::gil_scoped_release release;
    dropped.clear();
    return body(*facade_);
  }

  /// A call or a view that puts off the end.
  class Visit {
   public:
    explicit Visit(Collector& collector) : collector_(collector) { ++collector.visitors_; }
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;
    ~Visit() { collector_.leave(); }

   private:
    Collector& collector_;
  };
  void enter() { ++visitors_; }
  void leave();

  /// Handles that were given back, used again without a lock of the heap's.
  [[nodiscard]] Handle<AnyObject> keep(Mutator& mutator, ObjectIndex object);
  [[nodiscard]] Handle<AnyObject> take_spare();
  void give_back(Handle<AnyObject> handle);

  /// Ends what Python let go of, in the next call: the heap's tables may be locked for as long as a
  /// stop takes, and the interpreter's lock is held here.
  void drop(Weak<AnyObject> weak) { dropped_.weak.push_back(std::move(weak)); }
  void drop(Pinned<AnyObject> pin) { dropped_.pins.push_back(std::move(pin)); }

  [[nodiscard]] Farewells& farewells() { return *farewells_; }
  [[nodiscard]] std::shared_ptr<Farewells> shared_farewells() const { return farewells_; }
  /// Has the heap tell, then calls what is owed. What is raised there goes to sys.unraisablehook.
  ///
  /// returns  finalizers and callbacks called
  std::uint64_t say_farewells();
  /// Where something is due and nobody is at it.
  void say_farewells_if_due() {
    if (farewells_->has_due()) {
      call_due();
    }
  }

  [[nodiscard]] GarbageCollector& facade() { return *facade_; }
  [[nodiscard]] Runtime& runtime() { return facade_->runtime(); }
  [[nodiscard]] SharedMutator& mutator() { return facade_->mutator(); }
  [[nodiscard]] const GcConfiguration& configuration() const { return facade_->configuration(); }
  /// Bytes from which on data lie in a payload.
  [[nodiscard]] std::uint64_t large_from() const {
    return std::uint64_t{configuration().large_object_threshold_kb} << 10;
  }
  [[nodiscard]] TypeId type_of(ObjectType kind, std::uint32_t references) {
    if (references == 0) {
      return plain_types_[static_cast<std::size_t>(kind)];
    }
    return detail::type_of_kind({kind, references});
  }
  Ended shut_down();

  /// Has Python's own collector run where a pool is short of memory, until the end. Twice is as good as
  /// once.
  void watch_garbage();
  /// Returns when it runs no more because of this.
  void unwatch_garbage();

  /// Calls a function of Python's when a pool passes a level and before a request is refused, until
  /// the end. It must not call the collector, which refuses it.
  ///
  /// callback   (level, memory, wanted bytes, of the system)
  PressureCallbackId on_pressure(nb::callable callback);
  /// Returns when no other thread runs it.
  ///
  /// returns  false where there is none
  bool remove_pressure_callback(PressureCallbackId id);

  /// Asks a function of Python's for roots in each collection, until the end. It gets the interpreter's lock in
  /// a stop, which whoever holds it never waits for, and must not call the collector, which refuses it.
  ///
  /// callback   () -> objects
  RootCallbackId add_root_callback(nb::callable callback);
  /// returns  false where there is none
  bool remove_root_callback(RootCallbackId id);

  /// The Python object that this is. Borrowed.
  [[nodiscard]] nb::handle self();

 private:
  struct Dropped {
    std::vector<Weak<AnyObject>> weak;
    std::vector<Pinned<AnyObject>> pins;
    std::vector<Handle<AnyObject>> handles;
    void clear() {
      handles.clear();
      weak.clear();
      pins.clear();
    }
  };

  template <class Body>
  auto use_patiently(Body body) {
    const Visit visit(*this);
    Dropped dropped = std::move(dropped_);
    const nb::gil_scoped_release release;
    SharedMutator::Use patient(facade_->mutator());
    dropped.clear();
    return body(patient.mutator());
  }

  void end_callbacks();
  std::uint64_t call_due();
  std::uint64_t finish_finalizers();
  void close();

  std::unique_ptr<GarbageCollector> facade_;
  std::shared_ptr<Farewells> farewells_;
  Dropped dropped_;
  std::vector<Handle<AnyObject>> spare_;  // empty, with their cells
  std::uint64_t visitors_ = 0;
  std::optional<PressureCallbackId> garbage_watch_;
  struct Told {
    PressureCallbackId help;  // asked as another collector is: what it drops is collected for
    PyObject* callback;       // counted
  };
  struct Asked {
    PyObject* callback;  // counted
    std::vector<ObjectIndex> named{};
  };
  void ask_for_roots(Asked& asked, RootVisitor& visitor);
  std::map<RootCallbackId, std::unique_ptr<Asked>> asked_;
  std::map<PressureCallbackId, Told> told_;  // by the callback that is told of levels
  bool is_open_ = true;
  bool is_calling_ = false;  // farewells, on some thread
  nb::handle self_;
  std::array<TypeId, kObjectTypes> plain_types_{};  // without slots, by kind
};

/// Every collector of this process stayed with its parent. The child of a fork calls it.
void note_fork();

}  // namespace tenure::python
