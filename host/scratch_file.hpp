// Files without a name, for bytes that leave memory for a while: gone when they are closed, or when the
// process ends, however it ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/backend/platform.hpp"
#include "tenure/bytes.hpp"
#include "tenure/result.hpp"

namespace tenure {

/// As `Platform` says, one by one.
[[nodiscard]] Result<ScratchFile> open_scratch_file(const std::string& directory);
[[nodiscard]] Result<void> write_scratch_file(ScratchFile file, std::uint64_t offset,
                                              const std::byte* from, Bytes size);
[[nodiscard]] Result<void> read_scratch_file(ScratchFile file, std::uint64_t offset, std::byte* to,
                                             Bytes size);
[[nodiscard]] Result<void> settle_scratch_file(ScratchFile file);
void close_scratch_file(ScratchFile file);

}  // namespace tenure
