// Pressure on memory: asked for, told to callbacks, and other collectors that are asked to help.
#include <cstring>
#include <string>
#include <variant>

#include "capi/registry.hpp"
#include "tenure/pressure.hpp"

namespace tenure::capi {
namespace {

static_assert(TENURE_PRESSURE_NONE == static_cast<int>(PressureLevel::kNone));
static_assert(TENURE_PRESSURE_CRITICAL == static_cast<int>(PressureLevel::kCritical));

PressureCallback calling(tenure_pressure_callback callback, void* user, std::uint64_t runtime) {
  return [callback, user, runtime](const PressureCall& call) {
    const tenure_pressure_call told{.size = sizeof(tenure_pressure_call),
                                    .level = static_cast<std::int32_t>(call.level),
                                    .kind = static_cast<std::int32_t>(call.kind),
                                    .wanted = call.wanted.count(),
                                    .of_system = call.of_system ? 1u : 0u,
                                    .reserved = 0};
    const Attachment::Barred barred(attachment_of_thread(runtime));
    callback(&told, user);
  };
}

tenure_status keep(RuntimeBox& box, PressureCallbackId id, tenure_hook* hook) {
  const Registry::Lock lock(Registry::instance().mutex);
  hook->bits = Registry::instance().hooks.put({id, box.handle});
  return TENURE_OK;
}

// Ends the callback, and waits for other threads that run it; stops do not wait for us meanwhile.
void end_callback(RuntimeBox& box, PressureCallbackId id) {
  Attachment* const own = attachment_of_thread(box.handle);
  std::optional<Away> away;
  if (own != nullptr && !own->is_away()) {
    away.emplace(own->mutator());
  }
  (void)box.runtime.remove_pressure_callback(id);
}

}  // namespace
}  // namespace tenure::capi

using namespace tenure;
using namespace tenure::capi;

tenure_status tenure_on_pressure(tenure_runtime runtime, tenure_pressure_callback callback,
                                 void* user, tenure_hook* hook) {
  if (callback == nullptr || hook == nullptr) {
    return fail_with_null(callback == nullptr ? "a function" : "a hook");
  }
  return on_runtime(runtime, [&](RuntimeBox& box) {
    return keep(box, box.runtime.on_pressure(calling(callback, user, box.handle)), hook);
  });
}

tenure_status tenure_register_collector(tenure_runtime runtime, const char* name,
                                        tenure_pressure_callback collect, void* user,
                                        tenure_hook* hook) {
  if (name == nullptr || collect == nullptr || hook == nullptr) {
    return fail_with_null(name == nullptr ? "a name" : hook == nullptr ? "a hook" : "a function");
  }
  return on_runtime(runtime, [&](RuntimeBox& box) {
    constexpr std::size_t kLongestName = 255;
    const std::size_t length = strnlen(name, kLongestName + 1);
    if (length == 0 || length > kLongestName) {
      return fail(TENURE_BAD_ARGUMENT, "a collector's name has 1 to 255 bytes");
    }
    return keep(box,
                box.runtime.register_collector(std::string(name, length),
                                               calling(collect, user, box.handle)),
                hook);
  });
}

tenure_status tenure_hook_remove(tenure_hook hook) {
  return guarded([&] {
    if (has_forked()) {
      return fail(TENURE_CLOSED, "what it belongs to stayed with the parent of this process");
    }
    const auto gone = [&] {
      const Registry::Lock lock(Registry::instance().mutex);
      return Registry::instance().hooks.take(hook.bits);
    }();
    if (!gone.has_value()) {
      return fail_with_handle("hook");
    }
    const RuntimeUse use({gone->runtime});
    if (use.box() != nullptr) {  // else it ended with its runtime
      if (const auto* const asked = std::get_if<RootCallbackId>(&gone->thing)) {
        (void)use.box()->runtime.remove_root_callback(*asked);
      } else {
        end_callback(*use.box(), std::get<PressureCallbackId>(gone->thing));
      }
    }
    return TENURE_OK;
  });
}

tenure_status tenure_get_pressure(tenure_runtime runtime, tenure_pressure* pressure) {
  if (const tenure_status room = has_room(pressure); room != TENURE_OK) {
    return room;
  }
  return on_runtime(runtime, [&](RuntimeBox& box) {
    const Pressure found = box.runtime.pressure();
    tenure_pressure told{.size = 0,
                         .level = static_cast<std::int32_t>(found.level),
                         .reserved = 0,
                         .share = found.share,
                         .heap_share = found.heap_share,
                         .system_share = found.system_share,
                         .system_stall = found.system_stall,
                         .pool_share = {},
                         .reclaimable = found.reclaimable.count()};
    for (const PoolPressure& pool : found.pools) {
      told.pool_share[static_cast<std::size_t>(pool.kind)] = pool.share;
    }
    give(pressure, told);
    return TENURE_OK;
  });
}
