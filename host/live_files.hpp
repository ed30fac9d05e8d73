// Files in memory through which a process is seen from outside. They have no place in any folder: another
// process finds them among the files that this one has open, which the system shows to the same user and
// to nobody else; and they are gone with it, however it ends.
#pragma once

#include <cstdint>
#include <vector>

#include "core/backend/platform.hpp"
#include "tenure/result.hpp"

namespace tenure {

/// As `Platform` says, one by one.
[[nodiscard]] Result<ScratchFile> open_live_file();
[[nodiscard]] Result<std::vector<ScratchFile>> live_files_of(std::uint32_t process);
[[nodiscard]] std::vector<std::uint32_t> processes_with_live_files();

}  // namespace tenure
