#include "core/heap/owners.hpp"

#include <atomic>

namespace tenure {

Bytes retire_payload(OwnedPayload& payload) {
  // Why an exchange: two threads may release one tensor; one of them hands the payload back.
  PayloadBlock* const block =
      std::atomic_ref(payload.block).exchange(nullptr, std::memory_order_acq_rel);
  if (block == nullptr) {
    return Bytes{};
  }
  PayloadLease lease(*block);
  const Bytes size = lease.size();
  lease.release();
  return size;
}

Retired Owners::retire_all() {
  Retired retired;
  for (std::uint32_t generation = 0; generation < rows_.size(); ++generation) {
    const Retired part = settle(
        generation, [](ObjectIndex&) { return false; }, [](ObjectIndex) { return 0u; });
    retired.payloads += part.payloads;
    retired.bytes += part.bytes;
  }
  return retired;
}

}  // namespace tenure
