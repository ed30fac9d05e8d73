// Weak maps: values that live as long as their keys.
#include "capi/registry.hpp"

namespace tenure::capi {
namespace {

// Calls `body(map)` on a map of the attachment's runtime. Its lock is not the registry's.
template <class Body>
tenure_status on_map(tenure_thread thread, tenure_map map, Body body) noexcept {
  return on_thread(thread, [&](Attachment& attachment) {
    std::shared_ptr<ObjectMap> found;
    {
      const Registry::Lock lock(Registry::instance().mutex);
      auto* const held = Registry::instance().maps.find(map.bits);
      if (held != nullptr && held->runtime == attachment.box().handle) {
        found = held->thing;
      }
    }
    return found == nullptr ? fail_with_handle("map") : body(attachment, *found);
  });
}

// Likewise, with a key, which is not null.
template <class Body>
tenure_status on_key(tenure_thread thread, tenure_map map, tenure_ref key, Body body) noexcept {
  return on_map(thread, map, [&](Attachment& attachment, ObjectMap& found) {
    const Attachment::Slot* const slot = attachment.find(key);
    if (slot == nullptr) {
      return fail_with_reference(key);
    }
    return body(attachment, found, Local<AnyObject>(attachment.core(), slot->link.object));
  });
}

}  // namespace
}  // namespace tenure::capi

using namespace tenure;
using namespace tenure::capi;

tenure_status tenure_map_make(tenure_thread thread, tenure_map* map) {
  if (map == nullptr) {
    return fail_with_null("a map");
  }
  return on_thread(thread, [&](Attachment& attachment) {
    auto made = std::make_shared<ObjectMap>(attachment.mutator());
    const Registry::Lock lock(Registry::instance().mutex);
    map->bits = Registry::instance().maps.put({std::move(made), attachment.box().handle});
    return TENURE_OK;
  });
}

tenure_status tenure_map_set(tenure_thread thread, tenure_map map, tenure_ref key,
                             tenure_ref value) {
  return on_key(thread, map, key,
                [&](Attachment& attachment, ObjectMap& found, const Local<AnyObject>& object) {
                  ObjectIndex target = ObjectIndex::kNull;
                  if (value.bits != 0) {
                    const Attachment::Slot* const slot = attachment.find(value);
                    if (slot == nullptr) {
                      return fail_with_reference(value);
                    }
                    target = slot->link.object;
                  }
                  found.set(object, Local<AnyObject>(attachment.core(), target));
                  return TENURE_OK;
                });
}

tenure_status tenure_map_get(tenure_thread thread, tenure_map map, tenure_ref key,
                             tenure_ref* value, uint32_t* has) {
  if (value == nullptr) {
    return fail_with_null("a reference");
  }
  return on_key(thread, map, key,
                [&](Attachment& attachment, ObjectMap& found, const Local<AnyObject>& object) {
                  if (const tenure_status room = attachment.make_room(); room != TENURE_OK) {
                    return room;
                  }
                  *value = attachment.push(found.find(attachment.mutator(), object).index());
                  if (has != nullptr) {
                    *has = found.has(object) ? 1 : 0;
                  }
                  return TENURE_OK;
                });
}

tenure_status tenure_map_erase(tenure_thread thread, tenure_map map, tenure_ref key,
                               uint32_t* erased) {
  return on_key(thread, map, key,
                [&](Attachment&, ObjectMap& found, const Local<AnyObject>& object) {
                  const bool was_there = found.erase(object);
                  if (erased != nullptr) {
                    *erased = was_there ? 1 : 0;
                  }
                  return TENURE_OK;
                });
}

tenure_status tenure_map_size(tenure_thread thread, tenure_map map, uint64_t* entries) {
  if (entries == nullptr) {
    return fail_with_null("a number");
  }
  return on_map(thread, map, [&](Attachment&, ObjectMap& found) {
    *entries = found.size();
    return TENURE_OK;
  });
}

tenure_status tenure_map_drop(tenure_map map) {
  return drop(Registry::instance().maps, map.bits, "map");
}
