// Objects: made, read, written. The calls that programs make by the million stand first in each
// function, without a try block; what may throw is a function of its own.
#include "capi/registry.hpp"
#include "capi/types.hpp"
#include "tenure/make.hpp"
#include "tenure/tensor.hpp"

namespace tenure::capi {
namespace {

// A slow allocation: collects, grows, or says why it cannot.
[[gnu::noinline]] tenure_status allocate_slowly(Attachment& attachment, TypeId type,
                                                std::uint64_t data_bytes, tenure_ref* object) {
  return guarded([&] {
    if (const tenure_status room = attachment.make_room(); room != TENURE_OK) {
      return room;
    }
    const Result<ObjectIndex> made = allocate_object(attachment.mutator(), type, Bytes{data_bytes});
    if (!made) {
      return fail(made.failure());
    }
    // Callbacks may have run since, and closed scopes: room that there was is there.
    *object = attachment.push(*made);
    return TENURE_OK;
  });
}

// In the mutator's buffer and a slot that is there, as a rule.
[[gnu::always_inline]] inline tenure_status allocate_in_buffer(Attachment& attachment, TypeId type,
                                                               std::uint32_t granules,
                                                               tenure_ref* object) {
  if (Attachment::Slot* const slot = attachment.next_slot(); slot != nullptr) [[likely]] {
    const ObjectIndex made = attachment.core().buffer.try_take(granules);
    if (made != ObjectIndex::kNull) [[likely]] {
      detail::write_zeroed(made, type, granules);
      detail::fetch_for_next(made);
      *object = attachment.push(*slot, made);
      return TENURE_OK;
    }
  }
  return allocate_slowly(attachment, type, std::uint64_t{granules - 1} * kGranuleBytes, object);
}

// Objects of more are zeroed by a call.
constexpr std::uint32_t kFewGranules = 1 + detail::kBytesZeroedInline / kGranuleBytes;

[[gnu::noinline]] tenure_status allocate_longer(Attachment& attachment, TypeId type,
                                                std::uint32_t granules, tenure_ref* object) {
  return allocate_in_buffer(attachment, type, granules, object);
}

[[gnu::cold]] tenure_status fail_with_type() {
  return fail(TENURE_BAD_HANDLE, "no type was registered under this handle");
}

TypeRow row_of_handle(tenure_type type) {
  return type.bits < kTypeLimit ? row_of(static_cast<TypeId>(type.bits)) : TypeRow{};
}

ObjectIndex* slots_of(ObjectIndex object) {
  return reinterpret_cast<ObjectIndex*>(detail::data_of(object));
}

std::uint32_t slots_in(ObjectIndex object, TypeRow row) {
  return row.is_array()
             ? reinterpret_cast<const RefArray<AnyObject>*>(detail::data_of(object))->size()
             : row.references;
}

[[gnu::cold]] tenure_status fail_with_slot(ObjectIndex object, std::uint32_t slot) {
  return guarded([&] {
    const TypeRow row = row_of(detail::header_of(object).type());
    if (!row.is_known()) {
      return fail(TENURE_BAD_ARGUMENT, "a tensor's references are its own");
    }
    return fail(TENURE_BAD_ARGUMENT, "there is no slot " + std::to_string(slot) +
                                         "; the object has " +
                                         std::to_string(slots_in(object, row)));
  });
}

[[gnu::noinline]] ObjectIndex* find_array_slot(ObjectIndex object, std::uint32_t slot) {
  const TypeRow row = row_of(detail::header_of(object).type());
  return row.is_array() && slot < slots_in(object, row) ? &slots_of(object)[slot] : nullptr;
}

// The slot, or null where there is none.
ObjectIndex* find_slot(ObjectIndex object, std::uint32_t slot) {
  if (slot < row_of(detail::header_of(object).type()).references) [[likely]] {
    return &slots_of(object)[slot];
  }
  return find_array_slot(object, slot);
}

// A store where the object's type has no such slot: an array may.
[[gnu::noinline]] tenure_status store_in_array(Attachment& attachment, ObjectIndex into,
                                               std::uint32_t slot, ObjectIndex target) {
  ObjectIndex* const place = find_array_slot(into, slot);
  if (place == nullptr) {
    return fail_with_slot(into, slot);
  }
  detail::write_reference(attachment.core(), *place, target);
  return TENURE_OK;
}

}  // namespace
}  // namespace tenure::capi

using namespace tenure;
using namespace tenure::capi;

tenure_status tenure_allocate(tenure_thread thread, tenure_type type, tenure_ref* object) {
  if (thread.bits != current.handle) [[unlikely]] {
    return call_again<tenure_allocate>(thread, type, object);
  }
  Attachment& attachment = *current.attachment;
  const TypeRow row = row_of_handle(type);
  if (!row.is_plain() || object == nullptr) [[unlikely]] {
    return object == nullptr ? fail_with_null("a reference") : fail_with_type();
  }
  const auto id = static_cast<TypeId>(type.bits);
  // Why apart: what needs no call to be zeroed saves no registers for one.
  return row.granules > kFewGranules ? allocate_longer(attachment, id, row.granules, object)
                                     : allocate_in_buffer(attachment, id, row.granules, object);
}

tenure_status tenure_store(tenure_thread thread, tenure_ref object, uint32_t slot,
                           tenure_ref value) {
  if (thread.bits != current.handle) [[unlikely]] {
    return call_again<tenure_store>(thread, object, slot, value);
  }
  Attachment& attachment = *current.attachment;
  const Attachment::Slot* const owner = attachment.find(object);
  if (owner == nullptr) [[unlikely]] {
    return fail_with_reference(object);
  }
  ObjectIndex target = ObjectIndex::kNull;
  if (value.bits != 0) {
    const Attachment::Slot* const found = attachment.find(value);
    if (found == nullptr) [[unlikely]] {
      return fail_with_reference(value);
    }
    target = found->link.object;
  }
  const ObjectIndex into = owner->link.object;
  if (slot >= row_of(detail::header_of(into).type()).references) [[unlikely]] {
    return store_in_array(attachment, into, slot, target);
  }
  detail::write_reference(attachment.core(), slots_of(into)[slot], target);
  return TENURE_OK;
}

tenure_status tenure_load(tenure_thread thread, tenure_ref object, uint32_t slot,
                          tenure_ref* value) {
  Attachment* const attachment = find_attachment(thread);
  if (attachment == nullptr) [[unlikely]] {
    return fail_with_thread(thread);
  }
  const Attachment::Slot* const owner = attachment->find(object);
  if (owner == nullptr || value == nullptr) [[unlikely]] {
    return owner == nullptr ? fail_with_reference(object) : fail_with_null("a reference");
  }
  const ObjectIndex* const place = find_slot(owner->link.object, slot);
  if (place == nullptr) [[unlikely]] {
    return fail_with_slot(owner->link.object, slot);
  }
  if (!attachment->has_room()) [[unlikely]] {
    const tenure_status room = guarded([&] { return attachment->make_room(); });
    if (room != TENURE_OK) {
      return room;
    }
  }
  *value = attachment->push(*place);
  return TENURE_OK;
}

tenure_status tenure_allocate_sized(tenure_thread thread, tenure_type type, uint64_t more,
                                    tenure_ref* object) {
  Attachment* const attachment = find_attachment(thread);
  if (attachment == nullptr) {
    return fail_with_thread(thread);
  }
  const TypeRow row = row_of_handle(type);
  if (!row.is_plain() || object == nullptr) {
    return object == nullptr ? fail_with_null("a reference") : fail_with_type();
  }
  if (more > kMostObjectBytes / 2) {
    return fail(TENURE_OUT_OF_MEMORY, "an object of more than 16 GiB was asked for");
  }
  return allocate_slowly(*attachment, static_cast<TypeId>(type.bits),
                         std::uint64_t{row.granules - 1} * kGranuleBytes + more, object);
}

tenure_status tenure_allocate_array(tenure_thread thread, uint64_t length, tenure_ref* object) {
  if (object == nullptr) {
    return fail_with_null("a reference");
  }
  return on_thread(thread, [&](Attachment& attachment) {
    if (const tenure_status room = attachment.make_room(); room != TENURE_OK) {
      return room;
    }
    *object = attachment.push(detail::allocate_array(attachment.core(), array_type(), length));
    return TENURE_OK;
  });
}

tenure_status tenure_slot_count(tenure_thread thread, tenure_ref object, uint32_t* slots) {
  if (slots == nullptr) {
    return fail_with_null("a number");
  }
  return on_thread(thread, [&](Attachment& attachment) {
    const Attachment::Slot* const slot = attachment.find(object);
    if (slot == nullptr) {
      return fail_with_reference(object);
    }
    const TypeRow row = row_of(detail::header_of(slot->link.object).type());
    *slots = row.is_known() ? slots_in(slot->link.object, row) : 0;
    return TENURE_OK;
  });
}

tenure_status tenure_data(tenure_thread thread, tenure_ref object, void** data, uint64_t* bytes) {
  Attachment* const attachment = find_attachment(thread);
  if (attachment == nullptr) [[unlikely]] {
    return fail_with_thread(thread);
  }
  const Attachment::Slot* const slot = attachment->find(object);
  if (slot == nullptr || data == nullptr) [[unlikely]] {
    return slot == nullptr ? fail_with_reference(object) : fail_with_null("an address");
  }
  const ObjectHeader header = detail::header_of(slot->link.object);
  const TypeRow row = row_of(header.type());
  if (!row.is_plain()) [[unlikely]] {
    return fail(TENURE_BAD_ARGUMENT,
                "arrays of references have no plain data, and tensors describe theirs");
  }
  const std::uint64_t offset = plain_offset(row);
  *data = detail::data_of(slot->link.object) + offset;
  if (bytes != nullptr) {
    *bytes = std::uint64_t{header.size - 1} * kGranuleBytes - offset;
  }
  return TENURE_OK;
}

tenure_status tenure_type_of(tenure_thread thread, tenure_ref object, tenure_type* type) {
  if (type == nullptr) {
    return fail_with_null("a type");
  }
  return on_thread(thread, [&](Attachment& attachment) {
    const Attachment::Slot* const slot = attachment.find(object);
    if (slot == nullptr) {
      return fail_with_reference(object);
    }
    const TypeId id = detail::header_of(slot->link.object).type();
    type->bits = row_of(id).is_plain() ? static_cast<std::uint64_t>(id) : 0;
    return TENURE_OK;
  });
}

tenure_status tenure_is_same(tenure_thread thread, tenure_ref a, tenure_ref b, uint32_t* same) {
  if (same == nullptr) {
    return fail_with_null("a number");
  }
  return on_thread(thread, [&](Attachment& attachment) {
    const Attachment::Slot* const first = attachment.find(a);
    const Attachment::Slot* const second = attachment.find(b);
    if ((first == nullptr && a.bits != 0) || (second == nullptr && b.bits != 0)) {
      return fail_with_reference(first == nullptr && a.bits != 0 ? a : b);
    }
    const auto object = [](const Attachment::Slot* slot) {
      return slot == nullptr ? ObjectIndex::kNull : slot->link.object;
    };
    *same = object(first) == object(second) ? 1 : 0;
    return TENURE_OK;
  });
}
