// Tensors: small objects of the heap whose bytes lie in a pool. A dead tensor's bytes go back in
// stream order, found by whichever collection finds the object dead; no finalizer runs.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

#include "tenure/bytes.hpp"
#include "tenure/payload.hpp"
#include "tenure/ref.hpp"
#include "tenure/result.hpp"
#include "tenure/roots.hpp"

namespace tenure {

enum class ElementType : std::uint8_t {
  kBool,
  kInt8,
  kUint8,
  kInt16,
  kInt32,
  kInt64,
  kFloat16,
  kBfloat16,
  kFloat32,
  kFloat64,
  kComplex64,
  kComplex128,
};

/// Bytes of one element: 1 to 16.
[[nodiscard]] std::uint32_t bytes_of(ElementType type);
/// "float32", "bfloat16", as NumPy and PyTorch call them.
[[nodiscard]] std::string_view to_string(ElementType type);

inline constexpr std::uint32_t kMaxRank = 8;

/// Up to eight extents, in elements. A scalar has none; an extent of 0 makes an empty tensor.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<std::int64_t> extents)
      : Shape(std::span<const std::int64_t>(extents.begin(), extents.size())) {}
  /// extents   [rank], 8 at most; more are cut and `is_valid()` says so
  explicit Shape(std::span<const std::int64_t> extents);

  [[nodiscard]] std::uint32_t rank() const { return rank_; }
  [[nodiscard]] std::int64_t operator[](std::uint32_t axis) const { return extents_[axis]; }
  [[nodiscard]] std::span<const std::int64_t> extents() const { return {extents_.data(), rank_}; }
  [[nodiscard]] bool is_valid() const { return valid_; }

  friend bool operator==(const Shape&, const Shape&) = default;

 private:
  std::array<std::int64_t, kMaxRank> extents_{};
  std::uint32_t rank_ = 0;
  bool valid_ = true;
};

/// An object that owns its bytes, or shares those of its base.
///
/// Its address changes when it moves; its bytes never do.
class Tensor {
 public:
  Tensor(const Tensor&) = delete;
  Tensor& operator=(const Tensor&) = delete;

  /// The first element. Null once released, and for an empty tensor. Of an evictable tensor an address
  /// that may have no memory behind it: see `use`.
  [[nodiscard]] std::byte* data() const {
    const Tensor& owner = base_ ? *base_ : *this;
    return owner.block_ == nullptr ? nullptr : owner.address_ + offset_;
  }
  template <class Element>
  [[nodiscard]] Element* data_as() const {
    return reinterpret_cast<Element*>(data());
  }

  [[nodiscard]] ElementType element_type() const { return element_; }
  [[nodiscard]] std::uint32_t rank() const { return rank_; }
  [[nodiscard]] std::int64_t extent(std::uint32_t axis) const { return axes_[axis]; }
  [[nodiscard]] std::int64_t stride(std::uint32_t axis) const { return axes_[rank_ + axis]; }
  /// [rank]: elements along each axis; good until the next safepoint.
  [[nodiscard]] std::span<const std::int64_t> shape() const { return {axes_, rank_}; }
  /// [rank]: elements from one to the next along each axis.
  [[nodiscard]] std::span<const std::int64_t> strides() const { return {axes_ + rank_, rank_}; }
  [[nodiscard]] std::int64_t element_count() const;
  /// Of the elements, without what lies between those of a view.
  [[nodiscard]] Bytes size() const;
  [[nodiscard]] MemoryKind kind() const { return kind_; }
  /// The stream it was made on, its first and main user.
  [[nodiscard]] StreamId stream() const { return stream_; }
  [[nodiscard]] bool is_contiguous() const;
  /// Whether it shares another tensor's bytes.
  [[nodiscard]] bool is_view() const { return static_cast<bool>(base_); }

  /// Says that work put on `stream` so far uses the bytes, so that they are not reused before.
  ///
  /// threads  any mutator
  void used_on(StreamId stream);

  /// Hands the bytes back now, in stream order, instead of when the object is found dead. The
  /// object stays, without bytes; so do its views. Twice is as good as once.
  ///
  /// threads  any mutator
  void release();

  static auto tenure_type();

 private:
  friend class TensorAccess;  // core/runtime makes them
  Tensor() = default;

  Ref<Tensor> base_;  // the owner of the bytes; null for an owner
  ElementType element_ = ElementType::kFloat32;
  MemoryKind kind_ = MemoryKind::kHost;
  std::uint8_t rank_ = 0;
  PayloadBlock* block_ = nullptr;  // an owner's; null once released
  std::byte* address_ = nullptr;   // of the first element, for an owner
  std::uint64_t offset_ = 0;       // of the first element, in bytes from the owner's, for a view
  StreamId stream_ = StreamId::kDefault;
  std::int64_t axes_[2 * kMaxRank];  // [rank] extents, then [rank] strides; no more is allocated
};

inline auto Tensor::tenure_type() { return describe("Tensor", &Tensor::base_).named("base"); }

/// What to make, beyond the shape.
struct TensorOptions {
  ElementType element = ElementType::kFloat32;
  MemoryKind kind = MemoryKind::kDevice;
  StreamId stream = StreamId::kDefault;
  SiteId site = SiteId::kUnknown;
  ClientId client = ClientId::kNone;
  bool evictable = false;  // as of LeaseOptions: ask by `use` before each use of its bytes
  bool zeroed = false;     // its bytes are, in order of `stream`
};

/// Makes a tensor of that shape, row-major. Its bytes are whatever lay there before, unless they are asked
/// to be zero.
///
/// errors   kBadArgument: a negative extent, more than 8 of them, or a size past 2^63 bytes
///          kOutOfMemory: the ladder was climbed to its end; kDeviceRefused, kDeviceLost: of zeroing
/// cost     a lease from the pool and a small allocation; may collect
[[nodiscard]] Result<Local<Tensor>> make_tensor(Mutator& mutator, const Shape& shape,
                                                const TensorOptions& options = {});

/// The bytes of a tensor or a view, for work that is about to be put on `stream`: as `Runtime::use`. May
/// collect.
///
/// errors   as there; kBadArgument: the tensor was released
[[nodiscard]] Result<PayloadUse> use(Mutator& mutator, const Local<Tensor>& tensor,
                                     StreamId stream);

/// Makes a tensor that shares the bytes of `base`: `shape[i]` elements along axis i, `strides[i]`
/// elements apart, from element `offset` on. The bytes live as long as either does.
///
/// strides  [rank of shape], 0 and more
/// errors   kBadArgument: an element would lie outside of the payload; kOutOfMemory
[[nodiscard]] Result<Local<Tensor>> make_view(Mutator& mutator, const Local<Tensor>& base,
                                              const Shape& shape,
                                              std::span<const std::int64_t> strides,
                                              std::int64_t offset = 0);

}  // namespace tenure
