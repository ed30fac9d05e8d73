#include "python/src/collector.hpp"

#include <nanobind/stl/string.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <stdexcept>

#include "python/src/wrappers.hpp"
#include "tenure/finalizer.hpp"

namespace tenure::python {

namespace {

std::atomic<bool> forked{false};

// While a function of Python's, or Python's collector, runs because of this one's pressure: the thread
// may be in the midst of a use of the heap.
thread_local const Collector* short_of_memory = nullptr;

class ShortOfMemory {
 public:
  explicit ShortOfMemory(const Collector& collector)
      : outer_(std::exchange(short_of_memory, &collector)) {}
  ShortOfMemory(const ShortOfMemory&) = delete;
  ShortOfMemory& operator=(const ShortOfMemory&) = delete;
  ~ShortOfMemory() { short_of_memory = outer_; }

 private:
  const Collector* outer_;
};

void collect_python_garbage(const Collector& collector, const PressureCall& call) {
  if (Py_IsInitialized() == 0) {
    return;  // the interpreter ends
  }
  const nb::gil_scoped_acquire acquire;
  const ShortOfMemory scope(collector);
  // The young alone where nothing is refused yet: it is called each time that a pool fills.
  constexpr int kYoung = 1;
  constexpr int kAll = 2;
  try {
    nb::module_::import_("gc").attr("collect")(call.wanted.is_zero() ? kYoung : kAll);
  } catch (nb::python_error& raised) {
    raised.discard_as_unraisable("tenure: Python's collector under pressure");
  }
}

void tell(const Collector& collector, PyObject* callback, const PressureCall& call) {
  if (Py_IsInitialized() == 0) {
    return;  // the interpreter ends
  }
  const nb::gil_scoped_acquire acquire;
  const ShortOfMemory scope(collector);
  const nb::object kept = nb::borrow(callback);  // it may remove itself
  try {
    kept(std::string(to_string(call.level)), std::string(to_string(call.kind)), call.wanted.count(),
         call.of_system);
  } catch (nb::python_error& raised) {
    raised.discard_as_unraisable("tenure: a callback under pressure");
  }
}

// What an object of Python's stands for.
ObjectIndex root_of(const Collector& collector, nb::handle item) {
  const bool is_object = nb::isinstance<Object>(item);
  if (!is_object && !nb::isinstance<TensorObject>(item)) {
    throw std::runtime_error("a root callback gave something that is no GCObject and no Tensor");
  }
  Wrapper& wrapper = is_object ? static_cast<Wrapper&>(wrapper_in<Object>(item))
                               : static_cast<Wrapper&>(wrapper_in<TensorObject>(item));
  if (&wrapper.collector() != &collector) {
    throw std::runtime_error("a root callback gave another collector's object");
  }
  return wrapper.index();
}

// Handles beyond so many are the heap's again.
constexpr std::size_t kMostSpare = 65536;

}  // namespace

void note_fork() { forked.store(true, std::memory_order_relaxed); }

Collector::Collector(const GcConfiguration& configuration)
    : farewells_(std::make_shared<Farewells>()) {
  if (forked.load(std::memory_order_relaxed)) {
    throw Failure({ErrorCode::kUnsupported,
                   "a collector was to be opened in the child of a process that had loaded tenure "
                   "and forked; start the child with the method \"spawn\""});
  }
  for (std::size_t kind = 0; kind < kObjectTypes; ++kind) {
    plain_types_[kind] = detail::type_of_kind({static_cast<ObjectType>(kind), 0});
  }
  const nb::gil_scoped_release release;
  facade_ =
      std::make_unique<GarbageCollector>(value_or_throw(GarbageCollector::open(configuration)));
}

Collector::~Collector() {
  if (forked.load(std::memory_order_relaxed)) {
    // Its threads are not here, and ending would wait for them.
    (void)facade_.release();
    for (Handle<AnyObject>& handle : spare_) {
      (void)new Handle<AnyObject>(std::move(handle));
    }
    (void)new Dropped(std::move(dropped_));
    return;
  }
  if (is_open_) {
    end_callbacks();
    is_open_ = false;
    close();
  }
}

bool Collector::is_open() const { return is_open_ && !forked.load(std::memory_order_relaxed); }

void Collector::watch_garbage() {
  require_open();
  if (!garbage_watch_) {
    garbage_watch_ = facade_->runtime().register_collector(
        "Python", [this](const PressureCall& call) { collect_python_garbage(*this, call); });
  }
}

void Collector::unwatch_garbage() {
  if (const std::optional<PressureCallbackId> watch = std::exchange(garbage_watch_, {})) {
    const nb::gil_scoped_release release;  // it waits for calls, which take the lock
    (void)facade_->runtime().remove_pressure_callback(*watch);
  }
}

PressureCallbackId Collector::on_pressure(nb::callable callback) {
  require_open();
  PyObject* const kept = callback.release().ptr();
  // Why two: what Python drops are roots, whose bytes come back with the collection that follows where
  // another collector helped.
  const PressureCallbackId levels =
      facade_->runtime().on_pressure([this, kept](const PressureCall& call) {
        if (call.wanted.is_zero()) {
          tell(*this, kept, call);
        }
      });
  const PressureCallbackId help =
      facade_->runtime().register_collector("Python", [this, kept](const PressureCall& call) {
        if (!call.wanted.is_zero()) {
          tell(*this, kept, call);
        }
      });
  told_.emplace(levels, Told{help, kept});
  return levels;
}

bool Collector::remove_pressure_callback(PressureCallbackId id) {
  const auto found = told_.extract(id);
  if (found.empty() || !is_open()) {
    return false;
  }
  {
    const nb::gil_scoped_release release;  // it waits for calls, which take the lock
    (void)facade_->runtime().remove_pressure_callback(id);
    (void)facade_->runtime().remove_pressure_callback(found.mapped().help);
  }
  Py_DECREF(found.mapped().callback);
  return true;
}

RootCallbackId Collector::add_root_callback(nb::callable callback) {
  require_open();
  auto asked = std::make_unique<Asked>(Asked{.callback = callback.release().ptr()});
  const RootCallbackId id = ask([this, raw = asked.get()](GarbageCollector& facade) {
    return value_or_throw(facade.add_root_callback(
        [this, raw](RootVisitor& visitor) { ask_for_roots(*raw, visitor); }));
  });
  asked_.emplace(id, std::move(asked));
  return id;
}

bool Collector::remove_root_callback(RootCallbackId id) {
  require_open();
  const auto found = asked_.extract(id);
  if (found.empty()) {
    return false;
  }
  {
    const nb::gil_scoped_release release;  // a stop under way takes the lock
    (void)facade_->remove_root_callback(id);
  }
  Py_DECREF(found.mapped()->callback);
  return true;
}

// In a stop. What it gives is looked at whole before anything of it is named, so that the last answer stands
// where this one fails.
void Collector::ask_for_roots(Asked& asked, RootVisitor& visitor) {
  std::vector<ObjectIndex> named;
  if (Py_IsInitialized() == 0) {
    throw std::runtime_error("the interpreter ended");
  }
  {
    const nb::gil_scoped_acquire acquire;
    const ShortOfMemory scope(*this);
    try {
      for (const nb::handle item : nb::borrow<nb::callable>(asked.callback)()) {
        named.push_back(root_of(*this, item));
      }
    } catch (nb::python_error& raised) {
      const std::string why = raised.what();
      raised.discard_as_unraisable("tenure: a root callback");
      throw std::runtime_error(why);
    }
  }
  asked.named = std::move(named);
  for (ObjectIndex& object : asked.named) {
    visitor.visit(object);
  }
}

void Collector::end_callbacks() {
  unwatch_garbage();
  while (!asked_.empty()) {
    (void)remove_root_callback(asked_.begin()->first);
  }
  while (!told_.empty()) {
    (void)remove_pressure_callback(told_.begin()->first);
  }
}

void Collector::require_open() const {
  if (short_of_memory == this) [[unlikely]] {
    throw Failure({ErrorCode::kUnsupported,
                   "a callback or a finalizer of Python's called a collector in the midst of its "
                   "request for memory or its collection, for which Python was asked to help"});
  }
  if (!is_open()) [[unlikely]] {
    throw Failure({ErrorCode::kClosed, is_open_ ? "the collector stayed with the parent of a fork"
                                                : "the collector was shut down"});
  }
}

void Collector::leave() {
  if (--visitors_ == 0 && !is_open_) {
    close();
  }
}

void Collector::close() {
  if (forked.load(std::memory_order_relaxed)) {
    return;
  }
  spare_.clear();
  dropped_.clear();
  const nb::gil_scoped_release release;
  facade_->shutdown();
}

Handle<AnyObject> Collector::keep(Mutator& mutator, ObjectIndex object) {
  return Handle<AnyObject>(mutator.core(), object);
}

Handle<AnyObject> Collector::take_spare() {
  if (spare_.empty()) {
    return {};
  }
  Handle<AnyObject> handle = std::move(spare_.back());
  spare_.pop_back();
  return handle;
}

void Collector::give_back(Handle<AnyObject> handle) {
  handle.empty();
  if (is_open_) {
    (spare_.size() < kMostSpare ? spare_ : dropped_.handles).push_back(std::move(handle));
  }
}

std::uint64_t Collector::say_farewells() {
  use_slowly([](Mutator& mutator) { return run_finalizers(mutator); });
  return call_due();
}

// Why one at a time in all: a finalizer that allocates would else call others inside of itself.
std::uint64_t Collector::call_due() {
  if (is_calling_) {
    return 0;
  }
  is_calling_ = true;
  const nb::object alive = nb::borrow(self());
  std::uint64_t called = 0;
  while (std::optional<Farewell> due = farewells_->take_due()) {
    if (due->is_abandoned || !due->call.is_valid()) {
      continue;  // what it held ends here
    }
    ++called;
    try {
      if (due->is_finalizer) {
        due->call(wrap(*this, std::move(due->dying)));
      } else {
        due->call();
      }
    } catch (nb::python_error& raised) {
      raised.discard_as_unraisable(due->call);
    }
  }
  is_calling_ = false;
  return called;
}

// At the end every finalizer runs, on an object that lives still. They may set others.
std::uint64_t Collector::finish_finalizers() {
  constexpr int kRounds = 8;
  std::uint64_t called = call_due();
  for (int round = 0; round < kRounds; ++round) {
    const std::vector<FarewellId> left = farewells_->finalizers();
    if (left.empty()) {
      break;
    }
    for (const FarewellId id : left) {
      std::optional<Farewell> farewell = farewells_->take(id);
      if (!farewell) {
        continue;
      }
      Handle<AnyObject> dying = use([&](Mutator& mutator) {
        const Local<AnyObject> object = farewell->target.lock(mutator);
        (void)remove_finalizer(mutator, object);
        return keep(mutator, object.index());
      });
      const FarewellId due = farewells_->add(std::move(*farewell));
      farewells_->note_death(due, std::move(dying));
    }
    called += call_due();
  }
  return called;
}

Ended Collector::shut_down() {
  Ended ended;
  if (!is_open()) {
    return ended;
  }
  ended.finalizers = finish_finalizers();
  if (!is_open()) {
    return ended;  // a finalizer did it
  }
  ask([&](GarbageCollector& facade) { ended.objects = facade.get_statistics().total_objects; });
  const Statistics statistics =
      ask([](GarbageCollector& facade) { return facade.runtime().statistics(); });
  ended.handles = statistics.handles - std::min<std::uint64_t>(statistics.handles, spare_.size());
  if (!is_open()) {
    return ended;  // another thread did it meanwhile
  }
  end_callbacks();
  is_open_ = false;
  ended.views = visitors_;
  if (visitors_ == 0) {
    close();
  }
  return ended;
}

nb::handle Collector::self() {
  if (!self_.is_valid()) {
    self_ = nb::find(this);
  }
  return self_;
}

}  // namespace tenure::python
