// Where a request goes that no free block can take: over neighbours that together are large enough,
// and with the least to be mapped.
//
// A run is a stretch without a leased block: free blocks that could not be joined, because different
// streams used them, and unmapped ones. A window is the place of the request in a run.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "core/payload/tiling.hpp"

namespace tenure {

struct Window {
  PayloadBlock* first = nullptr;  // the block in which it starts
  std::byte* from = nullptr;
  std::uint64_t to_map = 0;  // bytes of pieces in it that are unmapped
};

using BlockFilter = std::function<bool(const PayloadBlock&)>;

/// Looks at the runs that hold an unmapped block or a seam, and gives the window with the least to
/// map; of equals the lowest, so that gaps in the range are used up first.
///
/// size      bytes; a multiple of kBlockStep
/// seams     free blocks whose upper neighbour is free too; others in it are passed over
/// usable    whether a free block may be part of a window
/// most      windows with more to map than so many bytes are passed over
/// cost      O(seams + unmapped blocks)
[[nodiscard]] std::optional<Window> find_window(const Tiling& tiling, std::uint64_t size,
                                                std::span<PayloadBlock* const> seams,
                                                const BlockFilter& usable, std::uint64_t most);

}  // namespace tenure
