// DLPack 1.3: tensors for other libraries, and memory that they ask for, without a copy and without
// their headers. `ExchangeTable` is DLPack's C table of functions (`DLPackExchangeAPI`), which the Python
// package gives on its type of tensors.
//
//   dlpack::ManagedTensor* shared = value_or_throw(dlpack::share(runtime, tensor));   // keeps it
//   dlpack::ManagedTensor* fresh = value_or_throw(dlpack::lease(runtime, prototype));
//   fresh->deleter(fresh);                                                            // or they call it
//
// Invariant: the structs have DLPack's layout, by its fields' order and widths.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "tenure/payload.hpp"
#include "tenure/roots.hpp"
#include "tenure/runtime.hpp"
#include "tenure/tensor.hpp"

namespace tenure::dlpack {

struct Version {
  std::uint32_t major = 1;  // of another one only the deleter may be touched
  std::uint32_t minor = 3;
};

enum class DeviceType : std::int32_t { kCpu = 1, kCuda = 2, kCudaHost = 3, kCudaManaged = 13 };
struct Device {
  DeviceType type = DeviceType::kCpu;
  std::int32_t id = 0;
};

enum class TypeCode : std::uint8_t {
  kInt,
  kUnsigned,
  kFloat,
  kOpaque,
  kBfloat,
  kComplex,
  kBool,
};
struct DataType {
  TypeCode code = TypeCode::kFloat;
  std::uint8_t bits = 32;
  std::uint16_t lanes = 1;
  friend bool operator==(const DataType&, const DataType&) = default;
};

/// A tensor that somebody else keeps.
struct TensorView {
  void* data = nullptr;  // null where there are no elements
  Device device;
  std::int32_t rank = 0;
  DataType type;
  std::int64_t* shape = nullptr;    // [rank]
  std::int64_t* strides = nullptr;  // [rank], in elements
  std::uint64_t byte_offset = 0;    // of the first element
};

inline constexpr std::uint64_t kReadOnly = 1;

/// A tensor that is kept until its deleter was called, once, by anyone.
struct ManagedTensor {
  Version version;
  void* context = nullptr;
  void (*deleter)(ManagedTensor* self) = nullptr;
  std::uint64_t flags = 0;  // kReadOnly
  TensorView tensor;
};

struct ExchangeHeader {
  Version version;
  ExchangeHeader* older = nullptr;  // of a version that a consumer may know
};

/// Says why a request was refused: DLPack's way past a language's exceptions.
///
/// kind   "MemoryError", "BufferError"
using SetError = void (*)(void* context, const char* kind, const char* message);

/// What a library gives of its type of tensors. Each gives 0, or -1 and an error.
struct ExchangeTable {
  ExchangeHeader header;
  int (*allocate)(TensorView* prototype, ManagedTensor** out, void* context,
                  SetError set_error) = nullptr;
  int (*from_object)(void* object, ManagedTensor** out) = nullptr;
  int (*to_object)(ManagedTensor* tensor, void** out_object) = nullptr;  // takes the tensor
  int (*view_object)(void* object, TensorView* out) = nullptr;  // for as long as the call that asks
  int (*current_stream)(DeviceType device, std::int32_t id, void** out) = nullptr;
};

static_assert(sizeof(TensorView) == 48 && offsetof(TensorView, rank) == 16);
static_assert(offsetof(TensorView, type) == 20 && offsetof(TensorView, shape) == 24);
static_assert(offsetof(ManagedTensor, tensor) == 32 && sizeof(ManagedTensor) == 80);
static_assert(sizeof(ExchangeTable) == 56 && offsetof(ExchangeTable, allocate) == 16);

[[nodiscard]] constexpr DataType data_type_of(ElementType element) {
  switch (element) {
    case ElementType::kBool:
      return {TypeCode::kBool, 8};
    case ElementType::kInt8:
      return {TypeCode::kInt, 8};
    case ElementType::kUint8:
      return {TypeCode::kUnsigned, 8};
    case ElementType::kInt16:
      return {TypeCode::kInt, 16};
    case ElementType::kInt32:
      return {TypeCode::kInt, 32};
    case ElementType::kInt64:
      return {TypeCode::kInt, 64};
    case ElementType::kFloat16:
      return {TypeCode::kFloat, 16};
    case ElementType::kBfloat16:
      return {TypeCode::kBfloat, 16};
    case ElementType::kFloat32:
      return {TypeCode::kFloat, 32};
    case ElementType::kFloat64:
      return {TypeCode::kFloat, 64};
    case ElementType::kComplex64:
      return {TypeCode::kComplex, 64};
    case ElementType::kComplex128:
      return {TypeCode::kComplex, 128};
  }
  return {TypeCode::kOpaque, 8};
}

/// Where others are told that payloads of a kind lie. What a simulated device has, and what a host gives
/// instead of a device's, is plain memory of the computer.
///
/// cost   a look at the runtime's statistics
[[nodiscard]] inline DeviceType device_type_of(const Runtime& runtime, MemoryKind kind) {
  for (const PoolStatistics& pool : runtime.statistics().pools) {
    if (pool.kind == kind && pool.backend.starts_with("cuda")) {
      constexpr std::array kTypes{DeviceType::kCpu, DeviceType::kCudaHost, DeviceType::kCudaManaged,
                                  DeviceType::kCuda};
      return kTypes[static_cast<std::size_t>(kind)];
    }
  }
  return DeviceType::kCpu;
}

namespace detail {

// A managed tensor, its axes, and what keeps its bytes.
template <class Kept>
struct Owned {
  explicit Owned(Kept what) : kept(std::move(what)) {
    managed.context = this;
    managed.deleter = [](ManagedTensor* self) { delete static_cast<Owned*>(self->context); };
    managed.tensor.shape = axes.data();
    managed.tensor.strides = axes.data() + kMaxRank;
  }
  ManagedTensor managed;
  Kept kept;
  std::array<std::int64_t, 2 * std::size_t{kMaxRank}> axes{};
};

[[nodiscard]] inline Result<MemoryKind> kind_of(DeviceType device) {
  switch (device) {
    case DeviceType::kCpu:
      return MemoryKind::kHost;
    case DeviceType::kCudaHost:
      return MemoryKind::kPinned;
    case DeviceType::kCudaManaged:
      return MemoryKind::kUnified;
    case DeviceType::kCuda:
      return MemoryKind::kDevice;
  }
  return Error{ErrorCode::kUnsupported, "DLPack's device type " +
                                            std::to_string(static_cast<std::int32_t>(device)) +
                                            " is none of this runtime's"};
}

// Bytes of a prototype's elements, row-major; its strides are written.
[[nodiscard]] inline Result<Bytes> lay_out(const TensorView& prototype, std::int64_t* strides) {
  if (prototype.rank < 0 || prototype.rank > static_cast<std::int32_t>(kMaxRank)) {
    return Error{ErrorCode::kBadArgument,
                 "a tensor has 8 axes at most, not " + std::to_string(prototype.rank)};
  }
  const std::uint32_t bits = std::uint32_t{prototype.type.bits} * prototype.type.lanes;
  if (bits == 0) {
    return Error{ErrorCode::kBadArgument, "elements of no bits were asked for"};
  }
  constexpr std::int64_t kMost = std::int64_t{1} << 55;  // elements of as many bits as there may be
  std::int64_t count = 1;
  bool is_empty = false;
  for (std::int32_t axis = prototype.rank; axis-- > 0;) {
    const std::int64_t extent = prototype.shape[axis];
    strides[axis] = count;
    is_empty = is_empty || extent == 0;
    if (extent < 0 || (extent > 0 && count > kMost / extent)) {
      return Error{ErrorCode::kBadArgument,
                   "an extent is negative, or there are too many elements"};
    }
    count *= std::max<std::int64_t>(extent, 1);
  }
  const auto elements = static_cast<std::uint64_t>(is_empty ? 0 : count);
  if (elements > (std::uint64_t{1} << 58) / bits) {
    return Error{ErrorCode::kOutOfMemory, "a tensor of more bytes than can be addressed"};
  }
  return Bytes{(elements * bits + 7) / 8};
}

}  // namespace detail

/// A tensor of the heap, as others take it. It lives until they call its deleter, from any thread. Not
/// of an evictable one: others ask for no use of its bytes.
///
/// threads  a mutator's. The runtime outlives what was shared: after its end there are no bytes.
[[nodiscard]] inline ManagedTensor* share(Runtime& runtime, const Handle<Tensor>& tensor) {
  auto* const owned = new detail::Owned<Handle<Tensor>>(tensor);
  TensorView& view = owned->managed.tensor;
  view.data = tensor->data();
  view.device.type = device_type_of(runtime, tensor->kind());
  view.rank = static_cast<std::int32_t>(tensor->rank());
  view.type = data_type_of(tensor->element_type());
  std::copy_n(tensor->shape().data(), tensor->rank(), view.shape);
  std::copy_n(tensor->strides().data(), tensor->rank(), view.strides);
  return &owned->managed;
}

/// Memory for a row-major tensor of that shape, element type and device. Its bytes are whatever lay
/// there before.
///
/// prototype  its data and strides are not looked at
/// client     on whose account
/// errors     kBadArgument: more than 8 axes, a negative extent, no bits; kUnsupported: another
///            device's memory; kOutOfMemory; kClosed
/// threads    anyone. The runtime outlives what was leased.
[[nodiscard]] inline Result<ManagedTensor*> lease(Runtime& runtime, const TensorView& prototype,
                                                  ClientId client = ClientId::kNone) {
  const Result<MemoryKind> kind = detail::kind_of(prototype.device.type);
  if (!kind) {
    return kind.failure();
  }
  std::array<std::int64_t, kMaxRank> strides{};
  const Result<Bytes> bytes = detail::lay_out(prototype, strides.data());
  if (!bytes) {
    return bytes.failure();
  }
  PayloadLease lease;
  if (bytes->count() != 0) {
    Result<PayloadLease> got = runtime.lease(*bytes, {.kind = *kind, .client = client});
    if (!got) {
      return got.failure();
    }
    lease = std::move(*got);
    if (device_type_of(runtime, *kind) != prototype.device.type || prototype.device.id != 0) {
      return Error{ErrorCode::kUnsupported, "that device is none of this runtime's"};
    }
  }
  std::byte* const data = lease.data();
  auto* const owned = new detail::Owned<PayloadLease>(std::move(lease));
  TensorView& view = owned->managed.tensor;
  view.data = data;
  view.device = prototype.device;
  view.rank = prototype.rank;
  view.type = prototype.type;
  std::copy_n(prototype.shape, prototype.rank, view.shape);
  std::copy_n(strides.data(), prototype.rank, view.strides);
  return &owned->managed;
}

}  // namespace tenure::dlpack
