// One thread's attachment to a runtime as the C ABI keeps it: the references that the thread holds,
// the scopes that they end with, and whether the thread may use them now.
//
//   a tenure_ref        63 62               32 31        20 19                0
//                      +--+-------------------+------------+-------------------+
//                      |0 | serial of the slot| attachment | slot              |
//                      +--+-------------------+------------+-------------------+
//
// Invariant: a slot below the top has the name of the reference that it is, or one that no reference
// can have; a reference that ended is found out until its slot was used 2^31 times. Attachments are used
// again and never freed, so that whoever comes with an old handle reads memory that is there.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "capi/failure.hpp"
#include "tenure/mutator.hpp"

namespace tenure::capi {

struct RuntimeBox;

/// What a reference keeps; no C++ type of its own.
struct AnyObject {};

inline constexpr std::uint32_t kSlotBits = 20;
inline constexpr std::uint32_t kAttachmentBits = 12;
inline constexpr std::uint32_t kMostSlots = 1u << kSlotBits;
inline constexpr std::uint32_t kMostAttachments = 1u << kAttachmentBits;

/// threads  the attached one; `handle` is read by anyone
class Attachment {
 public:
  struct alignas(32) Slot {
    detail::LocalLink link;  // in the mutator's chain from its first use until its scope closes
    std::uint64_t name = 0;  // of the reference; with the upper bit while there is none
    std::uint32_t next_free = 0;
  };

  explicit Attachment(std::uint32_t number) : number_(number) {}
  Attachment(const Attachment&) = delete;
  Attachment& operator=(const Attachment&) = delete;

  /// Takes a fresh thread in, or lets it go. What it held ends.
  void begin(RuntimeBox& box, std::uint64_t handle);
  void end();

  void go_away();
  void come_back();
  [[nodiscard]] bool is_away() const { return away_.has_value() || barred_ > 0; }

  /// The slot that a reference names; null where it names none of this attachment's.
  [[nodiscard]] Slot* find(tenure_ref reference) {
    // Why the upper bit too: so that what a free slot is called is past every slot.
    const std::uint64_t index = reference.bits & (kUpperBit | (kMostSlots - 1));
    if (index >= top_ || slots_[index].name != reference.bits) [[unlikely]] {
      return nullptr;
    }
    return &slots_[index];
  }

  /// Whether `push` has a slot, or one can be made. Not between an allocation and its push.
  [[nodiscard]] bool has_room() const { return scope_.free != kNone || top_ < room_; }
  /// errors  TENURE_OUT_OF_MEMORY: 2^20 references are held
  [[nodiscard]] tenure_status make_room();

  /// The slot that the next `push` takes; null where there is no room.
  [[nodiscard]] Slot* next_slot() {
    const std::uint64_t index = scope_.free != kNone ? scope_.free : top_;
    return index < room_ ? &slots_[index] : nullptr;
  }
  /// A reference to the object, which is not null, in the slot that `next_slot` gave.
  tenure_ref push(Slot& slot, ObjectIndex object) {
    if (scope_.free != kNone) {
      scope_.free = slot.next_free;
    } else {
      ++top_;
      slot.link.below = core_->locals;
      core_->locals = &slot.link;
    }
    slot.name = (slot.name + kOneSerial) & ~kUpperBit;
    slot.link.object = object;
    return {slot.name};
  }
  /// A reference to the object; null for null. There must be room.
  tenure_ref push(ObjectIndex object) {
    return object == ObjectIndex::kNull ? tenure_ref{} : push(*next_slot(), object);
  }
  void release(Slot& slot);

  [[nodiscard]] tenure_status open_scope(tenure_scope& scope);
  [[nodiscard]] tenure_status close_scope(tenure_scope scope, tenure_ref* kept);

  /// A scope that what it calls cannot close, and that brings the thread back if it is left away.
  class Callback {
   public:
    explicit Callback(Attachment& attachment);
    Callback(const Callback&) = delete;
    Callback& operator=(const Callback&) = delete;
    ~Callback();

   private:
    Attachment& attachment_;
    std::size_t floor_before_;
  };
  [[nodiscard]] bool is_in_callback() const { return floor_ > 0 || barred_ > 0; }

  /// A callback in the midst of the thread's request for memory: it is away, and cannot come back.
  class Barred {
   public:
    /// attachment   null where the thread has none
    explicit Barred(Attachment* attachment);
    Barred(const Barred&) = delete;
    Barred& operator=(const Barred&) = delete;
    ~Barred();

   private:
    Attachment* attachment_;
  };
  [[nodiscard]] bool is_barred() const { return barred_ > 0; }

  [[nodiscard]] Mutator& mutator() { return *mutator_; }
  [[nodiscard]] detail::MutatorCore& core() { return *core_; }
  [[nodiscard]] RuntimeBox& box() { return *box_; }
  [[nodiscard]] std::uint32_t number() const { return number_; }

  std::atomic<std::uint64_t> handle{0};  // 0 while nobody is attached
  Attachment* outer = nullptr;           // the thread's attachment made before
  bool is_taken = false;                 // guarded by the registry

 private:
  static constexpr std::uint64_t kUpperBit = std::uint64_t{1} << 63;
  static constexpr std::uint64_t kOneSerial = std::uint64_t{1} << 32;
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  struct Scope {
    std::uint32_t base = 0;      // its slots are [base, the next scope's base)
    std::uint32_t free = kNone;  // of these
    std::uint32_t serial = 0;
    detail::LocalLink* locals = nullptr;  // the mutator's newest when it was opened
  };

  void push_scope();
  void pop_scope();
  void end_slots();
  [[nodiscard]] tenure_status grow();
  [[nodiscard]] Scope* find_scope(tenure_scope scope);

  std::unique_ptr<Slot[]> slots_;  // [room_]
  std::uint64_t top_ = 0;          // slots of open scopes are [0, top_)
  std::uint32_t room_ = 0;
  std::uint32_t number_;
  Scope scope_;  // the innermost
  detail::MutatorCore* core_ = nullptr;
  std::vector<Scope> around_;  // the others, the outermost first
  std::size_t floor_ = 0;      // scopes that no caller may close
  std::uint32_t scopes_made_ = 0;
  std::uint32_t barred_ = 0;  // callbacks in the midst of requests, one in the other
  RuntimeBox* box_ = nullptr;
  std::optional<Mutator> mutator_;
  std::optional<Away> away_;
};

/// The attachments of the process, by number. Zeros are places that nobody ever took.
inline constinit std::array<std::atomic<Attachment*>, kMostAttachments> attachments{};

/// The attachment that the calling thread uses, for the first look.
struct Current {
  static constexpr std::uint64_t kNobody = ~std::uint64_t{0};  // no handle
  std::uint64_t handle = kNobody;
  Attachment* attachment = nullptr;
};
// Why this model: two words of the static block, and no call to find them.
[[gnu::tls_model("initial-exec")]] inline constinit thread_local Current current{};

/// One of the thread's attachments made before, as the current one. Null where there is none, or it
/// is away.
[[nodiscard]] Attachment* change_attachment(tenure_thread thread);

/// The attachment of a handle, where it is the calling thread's and the thread is not away.
[[nodiscard]] inline Attachment* find_attachment(tenure_thread thread) {
  if (thread.bits == current.handle) [[likely]] {
    return current.attachment;
  }
  return change_attachment(thread);
}

/// Makes the call again with the handle's attachment as the current one. At the end of a call whose
/// handle was not the current one, so that the usual case keeps nothing over a call.
template <auto kCall, class... Arguments>
[[gnu::noinline]] tenure_status call_again(tenure_thread thread, Arguments... arguments) noexcept;

/// Why `find_attachment` found none.
[[gnu::cold]] tenure_status fail_with_thread(tenure_thread thread) noexcept;
/// Why `find` found none.
[[gnu::cold]] tenure_status fail_with_reference(tenure_ref reference) noexcept;

template <auto kCall, class... Arguments>
tenure_status call_again(tenure_thread thread, Arguments... arguments) noexcept {
  return change_attachment(thread) == nullptr ? fail_with_thread(thread)
                                              : kCall(thread, arguments...);
}

}  // namespace tenure::capi
