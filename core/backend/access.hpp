// Memory of the host that nobody may touch for a while, told to the address sanitizer where the build
// has one. The host annex answers, as only there a build's sanitizer may be asked for.
#pragma once

#include <cstddef>

#include "tenure/bytes.hpp"

namespace tenure {

/// Whether touching forbidden memory stops the program: in builds under the address sanitizer.
[[nodiscard]] bool is_access_watched();

/// Has each access to these bytes reported, until they are allowed again. Elsewhere it does nothing.
///
/// at       memory that the host can follow
/// threads  anyone
void forbid_access(const std::byte* at, Bytes size);
void allow_access(const std::byte* at, Bytes size);

}  // namespace tenure
