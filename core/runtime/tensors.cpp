// Tensors in and out: a lease and a small object that owns it.
#include <cstddef>
#include <cstring>
#include <limits>
#include <string>

#include "core/base/check.hpp"
#include "core/heap/object_access.hpp"
#include "core/heap/owners.hpp"
#include "core/runtime/state.hpp"
#include "tenure/runtime.hpp"
#include "tenure/tensor.hpp"

namespace tenure {

/// Reaches into tensors, for those who make them.
class TensorAccess {
 public:
  static constexpr std::size_t kPayloadOffset = offsetof(Tensor, block_);

  /// Granules of a tensor of that rank: only the axes it has are there.
  static std::uint64_t granules(std::uint32_t rank) {
    return 1 + granules_for(offsetof(Tensor, axes_) + std::size_t{2} * rank * sizeof(std::int64_t));
  }

  static void describe(Tensor& tensor, const Shape& shape, const TensorOptions& options) {
    tensor.element_ = options.element;
    tensor.kind_ = options.kind;
    tensor.stream_ = options.stream;
    tensor.rank_ = static_cast<std::uint8_t>(shape.rank());
    for (std::uint32_t axis = 0; axis < shape.rank(); ++axis) {
      tensor.axes_[axis] = shape[axis];
    }
  }
  static void set_strides(Tensor& tensor, std::span<const std::int64_t> strides) {
    std::copy(strides.begin(), strides.end(), tensor.axes_ + tensor.rank_);
  }
  static void own(Tensor& tensor, PayloadLease lease) {
    tensor.address_ = lease.data();
    tensor.block_ = lease.detach();
  }
  static void share(Tensor& tensor, Tensor& owner, std::uint64_t offset) {
    tensor.base_ = &owner;
    tensor.offset_ = offset;
  }

  static Tensor& owner_of(Tensor& tensor) { return tensor.base_ ? *tensor.base_ : tensor; }
  static std::uint64_t offset_of(const Tensor& tensor) { return tensor.offset_; }
  static PayloadBlock* block_of(const Tensor& tensor) { return tensor.block_; }
  static OwnedPayload& payload_of(Tensor& tensor) {
    return *reinterpret_cast<OwnedPayload*>(&tensor.block_);
  }
};
// Where the collector looks for an owner's payload: behind its references.
static_assert(TensorAccess::kPayloadOffset == kGranuleBytes);

namespace {

Error bad(std::string message) { return Error{ErrorCode::kBadArgument, std::move(message)}; }

std::string text_of(const Shape& shape) {
  std::string text = "[";
  for (const std::int64_t extent : shape.extents()) {
    text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  }
  return text + "]";
}

// The bytes of a row-major tensor; past 2^63 there is no such tensor.
Result<Bytes> bytes_of(const Shape& shape, ElementType element) {
  if (!shape.is_valid()) {
    return bad("a tensor has at most 8 axes; " + text_of(shape) + " and more were given");
  }
  std::uint64_t bytes = bytes_of(element);
  bool overflows = false;
  bool empty = false;
  for (const std::int64_t extent : shape.extents()) {
    if (extent < 0) {
      return bad("the shape " + text_of(shape) + " has a negative extent");
    }
    empty |= extent == 0;
    overflows |=
        !empty && __builtin_mul_overflow(bytes, static_cast<std::uint64_t>(extent), &bytes);
  }
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (!empty && (overflows || bytes > kMost)) {
    return bad("a tensor of shape " + text_of(shape) + " and " + std::string(to_string(element)) +
               " is larger than 2^63 bytes");
  }
  return Bytes{empty ? 0 : bytes};
}

void set_row_major(Tensor& tensor, const Shape& shape) {
  std::array<std::int64_t, kMaxRank> strides{};
  std::int64_t step = 1;
  for (std::uint32_t axis = shape.rank(); axis-- > 0;) {
    strides[axis] = step;
    // Only a tensor without elements gets so far, and its strides lead nowhere.
    if (__builtin_mul_overflow(step, std::max<std::int64_t>(shape[axis], 1), &step)) {
      step = std::numeric_limits<std::int64_t>::max();
    }
  }
  TensorAccess::set_strides(tensor, {strides.data(), shape.rank()});
}

// One past the last element that a view reaches, from the payload's start, in elements.
Result<std::uint64_t> end_of(const Shape& shape, std::span<const std::int64_t> strides,
                             std::uint64_t first) {
  std::uint64_t last = first;
  for (std::uint32_t axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] < 0 || strides[axis] < 0) {
      return bad("a view's extents and strides are 0 and more");
    }
    if (shape[axis] == 0) {
      return first;
    }
    std::uint64_t step = 0;
    if (__builtin_mul_overflow(static_cast<std::uint64_t>(shape[axis] - 1),
                               static_cast<std::uint64_t>(strides[axis]), &step) ||
        __builtin_add_overflow(last, step, &last)) {
      return bad("a view of shape " + text_of(shape) + " reaches past 2^64 elements");
    }
  }
  return last + 1;
}

// The host's plain memory by the host: nobody has put work on it yet.
Result<void> fill_with_zero(RuntimeState& runtime, const PayloadLease& lease,
                            const TensorOptions& options, Bytes size) {
  if (options.kind == MemoryKind::kHost) {
    std::memset(lease.data(), 0, size.count());
    return {};
  }
  return runtime.backend().fill(options.stream, lease.data(), std::byte{0}, size);
}

}  // namespace

Result<Local<Tensor>> make_tensor(Mutator& mutator, const Shape& shape,
                                  const TensorOptions& options) {
  const Result<Bytes> size = bytes_of(shape, options.element);
  if (!size) {
    return size.failure();
  }
  MutatorState& state = *mutator.core().state;
  RuntimeState& runtime = state.runtime;
  PayloadLease lease;
  if (!size->is_zero()) {
    Result<PayloadLease> leased = runtime.lease(&state, *size,
                                                {.kind = options.kind,
                                                 .stream = options.stream,
                                                 .site = options.site,
                                                 .client = options.client,
                                                 .evictable = options.evictable});
    if (!leased) {
      return leased.failure();
    }
    lease = std::move(*leased);
    if (options.zeroed) {
      if (Result<void> zero = fill_with_zero(runtime, lease, options, *size); !zero) {
        return zero.failure();
      }
    }
  }
  const Result<ObjectIndex> object =
      runtime.allocate(state, type_id<Tensor>(), TensorAccess::granules(shape.rank()));
  if (!object) {
    return object.failure();
  }
  auto& tensor = *reinterpret_cast<Tensor*>(detail::data_of(*object));
  TensorAccess::describe(tensor, shape, options);
  set_row_major(tensor, shape);
  if (lease.owns()) {
    TensorAccess::own(tensor, std::move(lease));
    detail::header_of(*object).meta |= static_cast<std::uint32_t>(ObjectFlag::kOwner);
    state.new_owners.push_back(*object);
    runtime.note_owned(*size);
  }
  return Local<Tensor>(mutator.core(), *object);
}

Result<PayloadUse> use(Mutator& mutator, const Local<Tensor>& tensor, StreamId stream) {
  PayloadBlock* const block = TensorAccess::block_of(TensorAccess::owner_of(*tensor));
  if (block == nullptr) {
    return bad("the bytes of a tensor were used that has none, or was released");
  }
  const Bytes offset{TensorAccess::offset_of(*tensor)};
  MutatorState& state = *mutator.core().state;
  Result<PayloadUse> used = state.runtime.use(&state, *block, stream);  // it may collect
  return used ? std::move(*used).from(offset) : std::move(used);
}

Result<Local<Tensor>> make_view(Mutator& mutator, const Local<Tensor>& base, const Shape& shape,
                                std::span<const std::int64_t> strides, std::int64_t offset) {
  if (!shape.is_valid() || strides.size() != shape.rank() || offset < 0) {
    return bad("a view needs a stride for each of its axes, " + std::to_string(shape.rank()) +
               ", not " + std::to_string(strides.size()) + ", and an offset of 0 or more, not " +
               std::to_string(offset));
  }
  if (const Result<Bytes> size = bytes_of(shape, base->element_type()); !size) {
    return size.failure();  // strides of 0 repeat elements, and they are counted all the same
  }
  const std::uint64_t element = bytes_of(base->element_type());
  const std::uint64_t first =
      TensorAccess::offset_of(*base) / element + static_cast<std::uint64_t>(offset);
  const Result<std::uint64_t> end = end_of(shape, strides, first);
  if (!end) {
    return end.failure();
  }
  const auto payload = static_cast<std::uint64_t>(TensorAccess::owner_of(*base).element_count());
  if (*end > payload) {
    return bad("a view of shape " + text_of(shape) + " from element " + std::to_string(first) +
               " reaches element " + std::to_string(*end - 1) + " of a payload of " +
               std::to_string(payload));
  }
  MutatorState& state = *mutator.core().state;
  const Result<ObjectIndex> object =
      state.runtime.allocate(state, type_id<Tensor>(), TensorAccess::granules(shape.rank()));
  if (!object) {
    return object.failure();
  }
  auto& view = *reinterpret_cast<Tensor*>(detail::data_of(*object));
  TensorAccess::describe(
      view, shape,
      {.element = base->element_type(), .kind = base->kind(), .stream = base->stream()});
  TensorAccess::set_strides(view, strides);
  TensorAccess::share(view, TensorAccess::owner_of(*base), first * element);
  return Local<Tensor>(mutator.core(), *object);
}

void Tensor::used_on(StreamId stream) {
  Tensor& owner = TensorAccess::owner_of(*this);
  if (PayloadBlock* const block = TensorAccess::block_of(owner); block != nullptr) {
    PayloadLease lease(*block);
    lease.used_on(stream);
    (void)lease.detach();  // it stays the tensor's
  }
}

void Tensor::release() {
  Tensor& owner = TensorAccess::owner_of(*this);
  MutatorState* const newest = detail::current_core->state;
  check(newest != nullptr, "a tensor was released by a thread that has no mutator");
  const HeapId heap = newest->runtime.heap().row(detail::object_at(&owner)).heap;
  MutatorState* const mutator = mutator_of(newest, heap);
  check(mutator != nullptr, "a tensor was released by a thread that has no mutator of its heap");
  mutator->runtime.note_released(retire_payload(TensorAccess::payload_of(owner)));
}

}  // namespace tenure
