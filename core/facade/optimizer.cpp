#include "tenure/facade/optimizer.hpp"

#include "tenure/detail/fast_path.hpp"
#include "tenure/runtime.hpp"

namespace tenure {

namespace {

Error closed() {
  return {ErrorCode::kClosed, "the collector was shut down; it has nothing to optimize"};
}

}  // namespace

Result<void> MemoryOptimizer::record_access(const Handle<GcObject>& object, AccessKind kind,
                                            std::uint64_t offset) {
  if (mutator_ == nullptr) {
    return closed();
  }
  if (!object) {
    return Error{ErrorCode::kBadArgument, "a use of a null handle was noted"};
  }
  SharedMutator::Use use(*mutator_);  // it moves for nobody meanwhile
  const TypeId type = detail::header_of(object.index()).type();
  tenure::record_access(*runtime_, type, object->bytes().data() + offset, kind);
  return {};
}

Result<void> MemoryOptimizer::set_auto_optimize(bool on) {
  if (on && !may_be_automatic_) {
    return Error{ErrorCode::kBadArgument,
                 "optimize_allocation_patterns is off: the optimizer acts where it is called"};
  }
  return tenure::set_auto_optimize(*runtime_, on);
}

Result<void> MemoryOptimizer::note_batch_boundary() {
  if (mutator_ == nullptr) {
    return closed();
  }
  SharedMutator::Use use(*mutator_);
  tenure::note_batch_boundary(use.mutator());
  return {};
}

}  // namespace tenure
