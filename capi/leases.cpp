// Streams, and payload memory that belongs to no object.
#include "capi/payloads.hpp"
#include "capi/registry.hpp"

namespace tenure::capi {
namespace {

constexpr std::size_t kMostStreams = 1023;

// Calls `body(lease)` under the registry's mutex; what it gives is the status.
template <class Body>
tenure_status on_lease(tenure_lease lease, Body body) {
  return guarded([&] {
    Registry& registry = Registry::instance();
    const Registry::Lock lock(registry.mutex);
    Held<PayloadLease>* const held = has_forked() ? nullptr : registry.leases.find(lease.bits);
    if (held == nullptr) {
      return fail_with_handle("lease");
    }
    if (registry.open_runtime(lock, held->runtime) == nullptr) {
      return fail(TENURE_CLOSED, "the lease's runtime was destroyed, and its bytes are gone");
    }
    return body(held->thing);
  });
}

}  // namespace
}  // namespace tenure::capi

using namespace tenure;
using namespace tenure::capi;

tenure_status tenure_stream_make(tenure_runtime runtime, uint32_t* stream) {
  if (stream == nullptr) {
    return fail_with_null("a stream");
  }
  return on_runtime(runtime, [&](RuntimeBox& box) {
    {
      const Registry::Lock lock(Registry::instance().mutex);
      if (box.streams.size() >= kMostStreams) {
        return fail(TENURE_OUT_OF_MEMORY, "the runtime has 1023 streams, which is the most");
      }
      box.streams.reserve(kMostStreams);
    }
    const Result<StreamId> made = box.runtime.make_stream();
    if (!made) {
      return fail(made.failure());
    }
    const Registry::Lock lock(Registry::instance().mutex);
    box.streams.push_back(*made);
    *stream = static_cast<std::uint32_t>(*made);
    return TENURE_OK;
  });
}

tenure_status tenure_lease_make(tenure_runtime runtime, const tenure_lease_options* options,
                                tenure_lease* lease) {
  tenure_lease_options asked{};
  if (const tenure_status taken = take(options, asked); taken != TENURE_OK) {
    return taken;
  }
  if (lease == nullptr) {
    return fail_with_null("a lease");
  }
  return on_runtime(runtime, [&](RuntimeBox& box) {
    if (!is_memory_kind(asked.kind)) {
      return fail_with_kind(asked.kind);
    }
    if (!Registry::instance().has_stream(runtime.bits, asked.stream)) {
      return fail_with_stream(asked.stream);
    }
    Result<PayloadLease> leased =
        box.runtime.lease(Bytes{asked.bytes}, {.kind = static_cast<MemoryKind>(asked.kind),
                                               .stream = static_cast<StreamId>(asked.stream)});
    if (!leased) {
      return fail(leased.failure());
    }
    Registry& registry = Registry::instance();
    const Registry::Lock lock(registry.mutex);
    lease->bits = registry.leases.put({std::move(*leased), runtime.bits});
    return TENURE_OK;
  });
}

tenure_status tenure_lease_data(tenure_lease lease, void** data, uint64_t* bytes) {
  if (data == nullptr) {
    return fail_with_null("an address");
  }
  return on_lease(lease, [&](PayloadLease& held) {
    const PayloadView view = held.view();
    *data = view.data;
    if (bytes != nullptr) {
      *bytes = view.size.count();
    }
    return TENURE_OK;
  });
}

tenure_status tenure_lease_used_on(tenure_lease lease, uint32_t stream) {
  // The stream's runtime is the lease's: asked first, since a lock is not taken twice.
  std::uint64_t runtime = 0;
  {
    Registry& registry = Registry::instance();
    const Registry::Lock lock(registry.mutex);
    const Held<PayloadLease>* const held = registry.leases.find(lease.bits);
    runtime = held == nullptr ? 0 : held->runtime;
  }
  const bool is_known = Registry::instance().has_stream(runtime, stream);
  return on_lease(lease, [&](PayloadLease& held) {
    if (!is_known) {
      return fail_with_stream(stream);
    }
    held.used_on(static_cast<StreamId>(stream));
    return TENURE_OK;
  });
}

tenure_status tenure_lease_drop(tenure_lease lease) {
  return guarded([&] {
    Registry& registry = Registry::instance();
    std::optional<Held<PayloadLease>> gone;
    const Registry::Lock lock(registry.mutex);
    if (!has_forked()) {
      gone = registry.leases.take(lease.bits);
    }
    return gone.has_value() ? TENURE_OK : fail_with_handle("lease");
  });
}
