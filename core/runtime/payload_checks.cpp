// What a runtime with check=payload tells its user: whether bytes may be used, and what was never
// handed back.
#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <string>
#include <tuple>

#include "core/heap/owners.hpp"
#include "core/payload/pool_core.hpp"
#include "core/runtime/state.hpp"
#include "tenure/runtime.hpp"

namespace tenure {

namespace {

using Key = std::tuple<SiteId, MemoryKind, LeakHolder, std::uint32_t>;

// Leaks of one site, kind, holder and generation, added up.
class Leaks {
 public:
  PayloadLeak& add(const CheckedPayload& payload, LeakHolder holder, std::uint32_t generation) {
    PayloadLeak& row = rows_[Key(payload.site, payload.kind, holder, generation)];
    row.site = payload.site;
    row.kind = payload.kind;
    row.holder = holder;
    row.generation = generation;
    ++row.payloads;
    row.bytes += payload.size;
    row.oldest_ns = std::max(row.oldest_ns, now_ns_ - payload.leased_ns);
    return row;
  }

  [[nodiscard]] std::vector<PayloadLeak> by_bytes() const {
    std::vector<PayloadLeak> leaks;
    for (const auto& [key, row] : rows_) {
      leaks.push_back(row);
    }
    std::stable_sort(leaks.begin(), leaks.end(),
                     [](const PayloadLeak& a, const PayloadLeak& b) { return a.bytes > b.bytes; });
    return leaks;
  }

 private:
  const std::uint64_t now_ns_ = host_platform().now_ns();
  std::map<Key, PayloadLeak> rows_;
};

struct OwnerAge {
  std::uint32_t generation = 0;
  std::uint32_t age = 0;
};

// Calls `visit(owner, generation)` for each that still has its payload.
template <class Visit>
void for_each_owner(Heap& heap, Visit visit) {
  for (std::uint32_t generation = 0; generation <= heap.oldest(); ++generation) {
    for (const ObjectIndex owner : heap.owners().in(generation)) {
      if (payload_of(owner).block != nullptr) {
        visit(owner, generation);
      }
    }
  }
}

std::string seconds(std::uint64_t nanoseconds) {
  constexpr double kNanosecondsPerSecond = 1e9;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3g s",
                static_cast<double>(nanoseconds) / kNanosecondsPerSecond);
  return text.data();
}

}  // namespace

std::string to_string(const PayloadLeak& leak) {
  const std::string site = leak.site == SiteId::kUnknown
                               ? "unknown sites"
                               : "site " + std::to_string(static_cast<std::uint32_t>(leak.site));
  const std::string holder = leak.holder == LeakHolder::kLease
                                 ? "leases"
                                 : "tensors of generation " + std::to_string(leak.generation) +
                                       " (of age " + std::to_string(leak.oldest_age) +
                                       " at the most)";
  return to_string(leak.bytes) + " in " + std::to_string(leak.payloads) + " " +
         std::string(to_string(leak.kind)) + (leak.payloads == 1 ? " payload" : " payloads") +
         " of " + site + ", held by " + holder + "; the oldest was leased " +
         seconds(leak.oldest_ns) + " ago";
}

// Before anything is given back: tensors that something still leads to, and leases. What is garbage
// is collected first, as it is no leak.
std::vector<PayloadLeak> RuntimeState::find_leaks() {
  // Why before: that collection makes all that lives as old as can be.
  std::map<const PayloadBlock*, OwnerAge> ages;
  conductor_->in_stop(self(), [&] {
    for_each_owner(*heap_, [&](ObjectIndex owner, std::uint32_t generation) {
      ages[payload_of(owner).block] = {generation, detail::header_of(owner).age()};
    });
  });
  conductor_->collect(self(), heap_->oldest(), CollectionTrigger::kExplicitRequest);
  for_each_pool([](PayloadPool& pool) { (void)pool.leased(); });  // looks at what came back
  Leaks leaks;
  std::vector<const std::byte*> owned;
  conductor_->in_stop(self(), [&] {
    for_each_owner(*heap_, [&](ObjectIndex owner, std::uint32_t) {
      const PayloadBlock* const block = payload_of(owner).block;
      const auto payload = checker()->find(block->data);
      if (payload && !payload->is_returned) {
        const OwnerAge age = ages[block];  // that of the newest ones is 0 in generation 0
        PayloadLeak& row = leaks.add(*payload, LeakHolder::kTensor, age.generation);
        row.oldest_age = std::max(row.oldest_age, age.age);
        owned.push_back(payload->begin);
      }
    });
  });
  std::sort(owned.begin(), owned.end());
  for (const CheckedPayload& payload : checker()->leased()) {
    if (!std::binary_search(owned.begin(), owned.end(), payload.begin)) {
      leaks.add(payload, LeakHolder::kLease, 0);
    }
  }
  std::vector<PayloadLeak> rows = leaks.by_bytes();
  for (const PayloadLeak& leak : rows) {
    std::fprintf(stderr, "tenure: check=payload found a leak: %s\n", to_string(leak).c_str());
  }
  return rows;
}

Result<void> Runtime::check_use(const PayloadView& bytes, StreamId stream) const {
  const PayloadChecker* const checker = state_->checker();
  if (checker == nullptr) {
    return Error{ErrorCode::kUnsupported,
                 "uses of payloads are known with check=payload alone (TENURE_CHECK=payload)"};
  }
  return checker->may_use(stream, bytes.data, bytes.size);
}

}  // namespace tenure
