// A runtime's generations as the dynamic door has them.
#pragma once

#include <vector>

#include "tenure/facade/generational_gc.hpp"
#include "tenure/inspect.hpp"
#include "tenure/statistics.hpp"

namespace tenure {

/// census   of the same moment; an empty one leaves objects uncounted
[[nodiscard]] std::vector<GcGeneration> generations_of(const FacadeState& state,
                                                       const Statistics& statistics,
                                                       const Census& census);

}  // namespace tenure
