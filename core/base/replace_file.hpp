// A file that is there as a whole, or as it was before.
#pragma once

#include <string>
#include <string_view>

#include "tenure/result.hpp"

namespace tenure {

/// Writes `content` beside `path`, and gives it the name once it is complete. (A crash of the machine
/// itself, moments later, may still lose it: nothing waits for the disk.)
///
/// errors   kFile, with the system's reason; what was there stays, and nothing is left beside it
[[nodiscard]] Result<void> replace_file(const std::string& path, std::string_view content);

}  // namespace tenure
