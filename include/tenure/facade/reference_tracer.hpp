// The law of marking, made callable: what objects lead to, in pieces, while the program goes on.
//
//   ReferenceTracer tracer = value_or_throw(gc.open_tracer());
//   tracer.trace_object(root);
//   while (!tracer.process_work_stack(10'000)) { ... }
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "tenure/facade/objects.hpp"
#include "tenure/result.hpp"
#include "tenure/roots.hpp"

namespace tenure {

class FacadeState;  // core/facade

/// A walk over the graph of one collector. What it reached lives until it ends, wherever it moves; what was
/// stored behind its back since is not seen, as nothing is read twice.
///
/// errors   of all calls: kClosed; kBadArgument: a handle is null, or another collector's
/// threads  one at a time
class ReferenceTracer {
 public:
  explicit ReferenceTracer(FacadeState& state);
  ReferenceTracer(ReferenceTracer&&) noexcept;
  ReferenceTracer& operator=(ReferenceTracer&&) noexcept;
  ~ReferenceTracer();

  /// Puts an object on the work stack, where it was not reached before.
  ///
  /// returns  whether it was put there
  Result<bool> trace_object(const Handle<GcObject>& object);
  /// The same of all objects in the slots [first, first + count) of one, itself left out.
  ///
  /// returns  how many were put there
  /// errors   kBadArgument: it has no such slots
  Result<std::uint64_t> trace_array(const Handle<GcObject>& array, std::uint32_t first,
                                    std::uint32_t count);

  /// Reads objects on the stack, the newest first, `budget` of them at the most, and puts what they name on
  /// it. No recursion: the stack is the tracer's own.
  ///
  /// returns  whether it is empty
  Result<bool> process_work_stack(std::uint64_t budget);

  /// Objects reached, those on the stack included; on it; and bytes of the former, headers included.
  [[nodiscard]] std::uint64_t reached() const;
  [[nodiscard]] std::size_t pending() const;
  [[nodiscard]] Bytes bytes() const;
  [[nodiscard]] Result<bool> has_reached(const Handle<GcObject>& object) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tenure
