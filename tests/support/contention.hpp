// Has threads of a test keep blocks, as if they had met at the pool's lock for a while.
#pragma once

#include <gtest/gtest.h>

#include "core/payload/pool.hpp"
#include "core/payload/pool_core.hpp"

namespace tenure::testing {

inline PoolCore& core_of(PayloadPool& pool) {
  PayloadLease lease = value_or_throw(pool.lease(Bytes{512}, StreamId::kDefault));
  PayloadBlock* const block = lease.detach();
  PoolCore& core = *block->core;
  PayloadLease(*block).release();
  return core;
}

/// Leases once, and has it seem that another thread had the lock.
inline void meet_another(PayloadPool& pool) {
  core_of(pool).is_leasing = true;
  const PayloadLease lease = value_or_throw(pool.lease(Bytes{512}, StreamId::kDefault));
}

/// Meets another until threads keep blocks, as large ones as what is leased by then allows.
inline void begin_caches(PayloadPool& pool) {
  PoolCore& core = core_of(pool);
  for (int k = 0; k < 100'000 && !core.is_caching; ++k) meet_another(pool);
  ASSERT_TRUE(core.is_caching) << "no caches, whatever threads do";
}

}  // namespace tenure::testing
