// A last call for an object: made once, some time after a collection found it dead.
//
//   set_finalizer(mutator, file, [](Local<File> dying) { close(dying->descriptor); });
#pragma once

#include <cstdint>
#include <functional>
#include <type_traits>
#include <utility>

#include "tenure/detail/fast_path.hpp"
#include "tenure/mutator.hpp"
#include "tenure/object.hpp"
#include "tenure/result.hpp"
#include "tenure/roots.hpp"

namespace tenure {

namespace detail {
using FinalizerCall = std::function<void(Mutator&, ObjectIndex)>;
[[nodiscard]] Result<void> set_finalizer(MutatorCore& core, ObjectIndex object, FinalizerCall call);
[[nodiscard]] bool remove_finalizer(MutatorCore& core, ObjectIndex object);
bool finalize(Mutator& mutator, ObjectIndex object);
}  // namespace detail

/// Has `call` made once after `object` died, or when the runtime is closed.
///
/// The object, and all that it refers to, is whole and alive meanwhile; weak references and weak maps
/// lead to none of it any more. If the call stores it where something living finds it, it lives on;
/// its next death is final. Finalizers run on a mutator's thread between its allocations, in its
/// `poll`, or in `run_finalizers`: never in a stop, not inside of another, in the order in which they
/// were set among the dead of one generation and one collection. Two threads may run two at a time.
/// What one throws is counted in the statistics, with its message, and the others run.
///
/// call     (Local<T>) or (Mutator&, Local<T>); may allocate, and must not wait for a thread that
///          may be waiting for the one it runs on
/// errors   kBadArgument: no object; its finalizer ran already
/// threads  any mutator of the object's runtime, not away
template <class T, class Call>
Result<void> set_finalizer(Mutator& mutator, const Local<T>& object, Call call) {
  return detail::set_finalizer(mutator.core(), object.index(),
                               [call = std::move(call)](Mutator& on, ObjectIndex dying) mutable {
                                 const Local<T> local(on.core(), dying);
                                 if constexpr (std::is_invocable_v<Call&, Mutator&, Local<T>>) {
                                   call(on, local);
                                 } else {
                                   call(local);
                                 }
                               });
}

/// Takes the finalizer back. False where there is none, or its object died already.
template <class T>
bool remove_finalizer(Mutator& mutator, const Local<T>& object) {
  return detail::remove_finalizer(mutator.core(), object.index());
}

/// Has the object's finalizer run now, while the object lives, in place of its death's turn: none runs for
/// it any more. What it throws is counted as of any other.
///
/// returns  false where there is none, or it ran
/// threads  any mutator of the object's runtime, not away
template <class T>
bool finalize(Mutator& mutator, const Local<T>& object) {
  return detail::finalize(mutator, object.index());
}

/// Runs what awaits its turn: callbacks of weak references, then finalizers. A safepoint.
///
/// returns  how many ran; 0 inside of one
std::uint64_t run_finalizers(Mutator& mutator);

}  // namespace tenure
