// Roots that a program keeps in its own tables, asked for in each collection: an interpreter's value
// stack, a foreign language's table of references.
//
//   const RootCallbackId id = runtime.add_root_callback([&](RootVisitor& visitor) {
//     for (Value*& value : stack) visitor.visit(value);
//   });
#pragma once

#include <cstdint>
#include <functional>

#include "tenure/detail/fast_path.hpp"
#include "tenure/object.hpp"

namespace tenure {

namespace detail {
class RootAnswer;
enum class RootForm : std::uint8_t { kIndex, kPointer };
void name_root(RootAnswer& answer, ObjectIndex object, void* slot, RootForm form);
[[nodiscard]] ObjectIndex object_of_root(const void* data);
}  // namespace detail

/// Takes what a callback names. What is named lives; its slot is rewritten in this collection
/// wherever the object moves, and is not looked at again afterwards.
///
/// slot     null, or an object of the runtime that asks; stays where it is until the collection ends
class RootVisitor {
 public:
  void visit(ObjectIndex& slot) { name(slot, &slot, detail::RootForm::kIndex); }
  template <class T>
  void visit(T*& slot) {
    if (slot != nullptr) {
      name(detail::object_of_root(slot), &slot, detail::RootForm::kPointer);
    }
  }

  /// For the library.
  explicit RootVisitor(detail::RootAnswer& answer) : answer_(answer) {}

 private:
  void name(ObjectIndex object, void* slot, detail::RootForm form) {
    if (object != ObjectIndex::kNull) {
      detail::name_root(answer_, object, slot, form);
    }
  }
  detail::RootAnswer& answer_;
};

/// Names roots. It runs in a stop of a collection or a snapshot, on the thread that stopped the world: it must not allocate, store through a
/// Ref, make or copy handles, wait for a thread of the runtime, or call the runtime.
///
/// One that throws is reported in the statistics, and answers with what it named the last time, and
/// with what it named before it threw. Its slots cannot be trusted then, so none is rewritten:
/// those objects stay where they are until it answers again.
using RootCallback = std::function<void(RootVisitor&)>;

enum class RootCallbackId : std::uint64_t {};

}  // namespace tenure
