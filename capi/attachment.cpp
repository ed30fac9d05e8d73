#include "capi/attachment.hpp"

#include <algorithm>
#include <functional>

#include "capi/registry.hpp"

namespace tenure::capi {

void Attachment::begin(RuntimeBox& box, std::uint64_t new_handle) {
  mutator_.emplace(box.runtime);
  box_ = &box;
  core_ = &mutator_->core();
  core_->window.stays_closed = true;  // a thread may leave its attachment away, and end
  scope_ = Scope{.serial = ++scopes_made_, .locals = core_->locals};
  handle.store(new_handle, std::memory_order_release);
  current = {new_handle, this};
}

void Attachment::end() {
  come_back();
  while (!around_.empty()) {
    pop_scope();
  }
  end_slots();
  floor_ = 0;
  handle.store(0, std::memory_order_relaxed);
  current = {};
  core_ = nullptr;
  box_ = nullptr;
  mutator_.reset();
}

void Attachment::go_away() {
  current = {};
  away_.emplace(*mutator_);
}

void Attachment::come_back() {
  if (away_.has_value()) {
    away_.reset();
  }
}

tenure_status Attachment::grow() {
  if (room_ == kMostSlots) {
    return fail(TENURE_OUT_OF_MEMORY,
                "a thread holds 2^20 references, which is the most; release some, or use scopes");
  }
  constexpr std::uint32_t kFirst = 256;
  const std::uint32_t room = room_ == 0 ? kFirst : 2 * room_;
  auto grown = std::make_unique<Slot[]>(room);
  std::copy_n(slots_.get(), room_, grown.get());
  for (std::uint64_t index = room_; index < room; ++index) {
    grown[index].name = kUpperBit | number_ << kSlotBits | index;
  }
  // The chain leads through the slots, and they moved.
  const Slot* const before = slots_.get();
  const auto follow = [&](detail::LocalLink*& link) {
    const auto* const slot = reinterpret_cast<const Slot*>(link);
    if (!std::less<>()(slot, before) && std::less<>()(slot, before + top_)) {
      link = &grown[static_cast<std::size_t>(slot - before)].link;
    }
  };
  for (detail::LocalLink** link = &core_->locals; *link != nullptr; link = &(*link)->below) {
    follow(*link);
  }
  for (Scope& scope : around_) {
    follow(scope.locals);
  }
  follow(scope_.locals);
  slots_ = std::move(grown);
  room_ = room;
  return TENURE_OK;
}

tenure_status Attachment::make_room() { return has_room() ? TENURE_OK : grow(); }

// The slot goes to the scope that it belongs to, so that closing an inner one leaves it usable.
void Attachment::release(Slot& slot) {
  const auto index = static_cast<std::uint32_t>(slot.name) % kMostSlots;
  Scope* scope = &scope_;
  for (std::size_t depth = around_.size(); scope->base > index;) {
    scope = &around_[--depth];
  }
  slot.name |= kUpperBit;
  slot.link.object = ObjectIndex::kNull;
  slot.next_free = scope->free;
  scope->free = index;
}

void Attachment::push_scope() {
  around_.push_back(scope_);
  scope_ = Scope{
      .base = static_cast<std::uint32_t>(top_), .serial = ++scopes_made_, .locals = core_->locals};
}

// Nothing is written to the slots: `find` looks at none from the top on, and no root is past the chain.
void Attachment::end_slots() {
  top_ = scope_.base;
  core_->locals = scope_.locals;
}

void Attachment::pop_scope() {
  end_slots();
  scope_ = around_.back();
  around_.pop_back();
}

Attachment::Scope* Attachment::find_scope(tenure_scope scope) {
  const auto low = static_cast<std::uint32_t>(scope.bits);
  const std::size_t depth = low % kMostSlots;
  if (low >> kSlotBits != number_ || depth <= floor_ || depth > around_.size()) {
    return nullptr;
  }
  Scope& found = depth == around_.size() ? scope_ : around_[depth];
  return found.serial == scope.bits >> 32 ? &found : nullptr;
}

tenure_status Attachment::open_scope(tenure_scope& scope) {
  if (around_.size() + 1 == kMostSlots) {
    return fail(TENURE_OUT_OF_MEMORY, "a thread has 2^20 scopes open, which is the most");
  }
  push_scope();
  scope = {std::uint64_t{scope_.serial} << 32 | number_ << kSlotBits | around_.size()};
  return TENURE_OK;
}

tenure_status Attachment::close_scope(tenure_scope scope, tenure_ref* kept) {
  const Scope* const found = find_scope(scope);
  if (found == nullptr) {
    return fail(TENURE_BAD_HANDLE,
                is_in_callback() ? "no such scope was opened in this callback, or it was closed"
                                 : "no such scope of this thread is open");
  }
  ObjectIndex object = ObjectIndex::kNull;
  if (kept != nullptr && kept->bits != 0) {
    const Slot* const slot = find(*kept);
    if (slot == nullptr) {
      return fail_with_reference(*kept);
    }
    object = slot->link.object;
  }
  // Before anything ends: what is kept needs a slot of the scope around.
  if (found->base == room_) {
    if (const tenure_status grown = grow(); grown != TENURE_OK) {
      return grown;
    }
  }
  const std::size_t depth = static_cast<std::uint32_t>(scope.bits) % kMostSlots;
  while (around_.size() >= depth) {
    pop_scope();
  }
  if (kept != nullptr) {
    *kept = push(object);
  }
  return TENURE_OK;
}

Attachment::Callback::Callback(Attachment& attachment)
    : attachment_(attachment), floor_before_(attachment.floor_) {
  attachment.push_scope();
  attachment.floor_ = attachment.around_.size();
}

Attachment::Callback::~Callback() {
  attachment_.come_back();
  while (attachment_.around_.size() >= attachment_.floor_) {
    attachment_.pop_scope();
  }
  attachment_.floor_ = floor_before_;
}

Attachment::Barred::Barred(Attachment* attachment) : attachment_(attachment) {
  if (attachment_ != nullptr) {
    ++attachment_->barred_;
    current = {};
  }
}

Attachment::Barred::~Barred() {
  if (attachment_ != nullptr) {
    --attachment_->barred_;
    current = {};
  }
}

Attachment* change_attachment(tenure_thread thread) {
  for (Attachment* at = newest_attachment(); at != nullptr; at = at->outer) {
    if (thread.bits != 0 && at->handle.load(std::memory_order_relaxed) == thread.bits) {
      if (at->is_away()) {
        return nullptr;
      }
      current = {thread.bits, at};
      return at;
    }
  }
  return nullptr;
}

tenure_status fail_with_thread(tenure_thread thread) noexcept {
  const Attachment* const found =
      attachments[thread.bits % kMostAttachments].load(std::memory_order_acquire);
  if (thread.bits == 0 || found == nullptr ||
      found->handle.load(std::memory_order_relaxed) != thread.bits) {
    return fail(TENURE_BAD_HANDLE, has_forked()
                                       ? "the attachment stayed with the parent of this process"
                                       : "no thread is attached under this handle");
  }
  for (const Attachment* at = newest_attachment(); at != nullptr; at = at->outer) {
    if (at == found) {
      return fail(TENURE_BUSY, "the thread is away; it comes back before it touches an object");
    }
  }
  return fail(TENURE_WRONG_THREAD, "the attachment is another thread's");
}

tenure_status fail_with_reference(tenure_ref reference) noexcept {
  return reference.bits == 0
             ? fail(TENURE_BAD_ARGUMENT, "a null reference was given where an object is needed")
             : fail(TENURE_BAD_HANDLE,
                    "a reference is not this thread's, or was released, or its scope was closed");
}

}  // namespace tenure::capi
