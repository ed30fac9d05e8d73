// Roots that a program keeps in tables of its own, by the places of their objects.
#include <cstdint>
#include <string>

#include "capi/callbacks.hpp"
#include "capi/registry.hpp"
#include "tenure/regions.hpp"
#include "tenure/root_callback.hpp"

struct tenure_root_visitor {
  tenure::RootVisitor& visitor;
};

namespace tenure::capi {
namespace {

// What a slot of a table is to the visitor: the address of an object's data, whatever its type.
using Place = std::byte*;

// A thread without an attachment may have it called, too: one of the library's.
RootCallback calling(tenure_root_callback callback, void* user, std::uint64_t runtime) {
  return [callback, user, runtime](RootVisitor& visitor) {
    const Attachment::Barred barred(attachment_of_thread(runtime));
    tenure_root_visitor told{visitor};
    callback(&told, user);
  };
}

}  // namespace
}  // namespace tenure::capi

using namespace tenure;
using namespace tenure::capi;

tenure_status tenure_place(tenure_thread thread, tenure_ref object, void** place) {
  if (place == nullptr) {
    return fail_with_null("a place");
  }
  return on_thread(thread, [&](Attachment& attachment) {
    const Attachment::Slot* const slot = attachment.find(object);
    if (slot == nullptr) {
      return fail_with_reference(object);
    }
    *place = detail::data_of(slot->link.object);
    return TENURE_OK;
  });
}

tenure_status tenure_ref_at(tenure_thread thread, void* place, tenure_ref* object) {
  if (object == nullptr) {
    return fail_with_null("a reference");
  }
  return on_thread(thread, [&](Attachment& attachment) {
    if (place == nullptr) {
      *object = {};
      return TENURE_OK;
    }
    const bool is_even = reinterpret_cast<std::uintptr_t>(place) % kGranuleBytes == 0;
    if (!is_even || !heap_region_at(attachment.box().runtime, place)) {
      return fail(TENURE_BAD_ARGUMENT, "a place was given that no object of the runtime is at");
    }
    if (const tenure_status room = attachment.make_room(); room != TENURE_OK) {
      return room;
    }
    *object = attachment.push(detail::object_at(place));
    return TENURE_OK;
  });
}

tenure_status tenure_add_root_callback(tenure_runtime runtime, tenure_root_callback callback,
                                       void* user, tenure_hook* hook) {
  if (callback == nullptr || hook == nullptr) {
    return fail_with_null(callback == nullptr ? "a function" : "a hook");
  }
  return on_runtime(runtime, [&](RuntimeBox& box) {
    const Attachment* const own = attachment_of_thread(runtime.bits);
    if (own != nullptr && own->is_barred()) {
      return fail(TENURE_BUSY, "a root callback was to be added by a callback");
    }
    const RootCallbackId id =
        box.runtime.add_root_callback(calling(callback, user, box.handle), "a callback in C");
    const Registry::Lock lock(Registry::instance().mutex);
    hook->bits = Registry::instance().hooks.put({id, box.handle});
    return TENURE_OK;
  });
}

void tenure_visit(tenure_root_visitor* visitor, void** place) {
  if (visitor != nullptr && place != nullptr) {
    visitor->visitor.visit(*reinterpret_cast<Place*>(place));
  }
}
