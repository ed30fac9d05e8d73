// What keeps objects: references and their scopes, roots, pins, weak references.
#include "capi/callbacks.hpp"
#include "capi/registry.hpp"
#include "capi/types.hpp"

namespace tenure::capi {
namespace {

// Puts a thing on its shelf, and its number where the caller wants it.
template <class Shelf, class Thing>
tenure_status keep(Shelf& shelf, Thing thing, Attachment& attachment, std::uint64_t& bits) {
  const Registry::Lock lock(Registry::instance().mutex);
  bits = shelf.put({std::move(thing), attachment.box().handle});
  return TENURE_OK;
}

// A new reference to what a handle leads to: `object_of(thing)`, asked under the lock.
template <class Shelf, class ObjectOf>
tenure_status refer(Shelf& shelf, std::uint64_t bits, Attachment& attachment, tenure_ref* object,
                    const char* what, ObjectOf object_of) {
  if (object == nullptr) {
    return fail_with_null("a reference");
  }
  if (const tenure_status room = attachment.make_room(); room != TENURE_OK) {
    return room;
  }
  const Registry::Lock lock(Registry::instance().mutex);
  auto* const held = shelf.find(bits);
  if (held == nullptr || held->runtime != attachment.box().handle) {
    return fail_with_handle(what);
  }
  *object = attachment.push(object_of(held->thing));
  return TENURE_OK;
}

// The object's plain data; null where it has none that a caller may touch.
void* plain_data_of(ObjectIndex object) {
  const TypeRow row = row_of(detail::header_of(object).type());
  return row.is_plain() ? detail::data_of(object) + plain_offset(row) : nullptr;
}

}  // namespace
}  // namespace tenure::capi

using namespace tenure;
using namespace tenure::capi;

tenure_status tenure_ref_copy(tenure_thread thread, tenure_ref object, tenure_ref* copy) {
  if (copy == nullptr) {
    return fail_with_null("a reference");
  }
  return on_thread(thread, [&](Attachment& attachment) {
    if (attachment.find(object) == nullptr) {
      return fail_with_reference(object);
    }
    if (const tenure_status room = attachment.make_room(); room != TENURE_OK) {
      return room;
    }
    *copy = attachment.push(attachment.find(object)->link.object);
    return TENURE_OK;
  });
}

tenure_status tenure_ref_release(tenure_thread thread, tenure_ref object) {
  if (thread.bits != current.handle) [[unlikely]] {
    return call_again<tenure_ref_release>(thread, object);
  }
  Attachment::Slot* const slot = current.attachment->find(object);
  if (slot == nullptr) [[unlikely]] {
    return fail_with_reference(object);
  }
  current.attachment->release(*slot);
  return TENURE_OK;
}

tenure_status tenure_scope_open(tenure_thread thread, tenure_scope* scope) {
  if (scope == nullptr) {
    return fail_with_null("a scope");
  }
  return on_thread(thread, [&](Attachment& attachment) { return attachment.open_scope(*scope); });
}

tenure_status tenure_scope_close(tenure_thread thread, tenure_scope scope, tenure_ref* kept) {
  return on_thread(thread,
                   [&](Attachment& attachment) { return attachment.close_scope(scope, kept); });
}

tenure_status tenure_root_make(tenure_thread thread, tenure_ref object, tenure_root* root) {
  if (root == nullptr) {
    return fail_with_null("a root");
  }
  return on_thread(thread, [&](Attachment& attachment) {
    const Attachment::Slot* const slot = attachment.find(object);
    return slot == nullptr ? fail_with_reference(object)
                           : keep(Registry::instance().roots,
                                  Handle<AnyObject>(attachment.core(), slot->link.object),
                                  attachment, root->bits);
  });
}

tenure_status tenure_root_get(tenure_thread thread, tenure_root root, tenure_ref* object) {
  return on_thread(thread, [&](Attachment& attachment) {
    return refer(Registry::instance().roots, root.bits, attachment, object, "root",
                 [](const Handle<AnyObject>& handle) { return handle.index(); });
  });
}

tenure_status tenure_root_drop(tenure_root root) {
  return drop(Registry::instance().roots, root.bits, "root");
}

tenure_status tenure_pin_make(tenure_thread thread, tenure_ref object, tenure_pin* pin,
                              void** data) {
  if (pin == nullptr) {
    return fail_with_null("a pin");
  }
  return on_thread(thread, [&](Attachment& attachment) {
    const Attachment::Slot* const slot = attachment.find(object);
    if (slot == nullptr) {
      return fail_with_reference(object);
    }
    void* const plain = plain_data_of(slot->link.object);
    if (data != nullptr && plain == nullptr) {
      return fail(TENURE_BAD_ARGUMENT,
                  "arrays of references have no plain data, and tensors' never move");
    }
    const tenure_status kept =
        keep(Registry::instance().pins, Pinned<AnyObject>(attachment.core(), slot->link.object),
             attachment, pin->bits);
    if (kept == TENURE_OK && data != nullptr) {
      *data = plain;
    }
    return kept;
  });
}

tenure_status tenure_pin_drop(tenure_pin pin) {
  return drop(Registry::instance().pins, pin.bits, "pin");
}

tenure_status tenure_weak_make(tenure_thread thread, tenure_ref object,
                               tenure_death_callback on_death, void* user, tenure_weak* weak) {
  if (weak == nullptr) {
    return fail_with_null("a weak reference");
  }
  return on_thread(thread, [&](Attachment& attachment) {
    const Attachment::Slot* const slot = attachment.find(object);
    if (slot == nullptr) {
      return fail_with_reference(object);
    }
    const Local<AnyObject> target(attachment.core(), slot->link.object);
    std::function<void()> call;
    if (on_death != nullptr) {
      call = [on_death, user, runtime = attachment.box().handle] {
        Attachment& on = callback_thread(runtime);
        const Attachment::Callback scope(on);
        on_death({on.handle.load(std::memory_order_relaxed)}, user);
      };
    }
    return keep(Registry::instance().weak, Weak<AnyObject>(target, std::move(call)), attachment,
                weak->bits);
  });
}

tenure_status tenure_weak_get(tenure_thread thread, tenure_weak weak, tenure_ref* object) {
  return on_thread(thread, [&](Attachment& attachment) {
    return refer(
        Registry::instance().weak, weak.bits, attachment, object, "weak reference",
        [&](const Weak<AnyObject>& held) { return held.lock(attachment.mutator()).index(); });
  });
}

tenure_status tenure_weak_drop(tenure_weak weak) {
  return drop(Registry::instance().weak, weak.bits, "weak reference");
}

tenure_status tenure_finalizer_set(tenure_thread thread, tenure_ref object,
                                   tenure_finalizer finalizer, void* user) {
  if (finalizer == nullptr) {
    return fail_with_null("a function");
  }
  return on_thread(thread, [&](Attachment& attachment) {
    const Attachment::Slot* const slot = attachment.find(object);
    if (slot == nullptr) {
      return fail_with_reference(object);
    }
    const Result<void> set = detail::set_finalizer(
        attachment.core(), slot->link.object,
        [finalizer, user, runtime = attachment.box().handle](Mutator&, ObjectIndex dying) {
          Attachment& on = callback_thread(runtime);
          const Local<AnyObject> kept(on.core(), dying);
          const Attachment::Callback scope(on);
          if (on.make_room() != TENURE_OK) {
            throw std::bad_alloc();
          }
          finalizer({on.handle.load(std::memory_order_relaxed)}, on.push(kept.index()), user);
        });
    return set ? TENURE_OK : fail(set.failure());
  });
}

tenure_status tenure_finalizer_remove(tenure_thread thread, tenure_ref object, uint32_t* removed) {
  return on_thread(thread, [&](Attachment& attachment) {
    const Attachment::Slot* const slot = attachment.find(object);
    if (slot == nullptr) {
      return fail_with_reference(object);
    }
    const bool was_there = detail::remove_finalizer(attachment.core(), slot->link.object);
    if (removed != nullptr) {
      *removed = was_there ? 1 : 0;
    }
    return TENURE_OK;
  });
}

tenure_status tenure_finalizers_run(tenure_thread thread, uint64_t* ran) {
  return on_thread(thread, [&](Attachment& attachment) {
    const std::uint64_t told = run_finalizers(attachment.mutator());
    if (ran != nullptr) {
      *ran = told;
    }
    return TENURE_OK;
  });
}
