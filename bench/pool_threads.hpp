// The rows of the bench `pool` that take more than one thread, and those of what its tape costs.
#pragma once

#include "bench/support/session.hpp"

namespace tenure::bench {

void measure_pool_on_threads(Session& session);
void measure_pool_tape(Session& session);

}  // namespace tenure::bench
