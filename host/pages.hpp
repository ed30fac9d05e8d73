// Pages of this machine: addresses without memory, memory put behind them and taken away again. The
// platform, the host backend and the simulated device stand on these calls.
//
// Invariant: bases and sizes are multiples of a page, and lie inside one reservation; anything else
// is a bug of the caller and stops the program.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/backend/platform.hpp"
#include "tenure/bytes.hpp"
#include "tenure/result.hpp"

namespace tenure {

/// The size that memory is granted in.
[[nodiscard]] Bytes page_bytes();

/// The size of a huge page on x86-64, and on AArch64 with pages of 4 KiB.
inline constexpr Bytes kHugePage{std::uint64_t{2} << 20};

/// Addresses without memory; touching them faults.
///
/// alignment  a power of two, a page at least
/// errors     kOutOfMemory, with what was asked and the system's reason
[[nodiscard]] Result<std::byte*> reserve_pages(Bytes size, Bytes alignment);

/// Gives a reservation up, with all the memory behind it.
void release_pages(std::byte* base, Bytes size);

/// Makes pages readable and writable. New ones are zero; memory comes when they are touched.
///
/// errors  kOutOfMemory, with what was asked and the system's reason; what was committed before
///         stays so
[[nodiscard]] Result<void> commit_pages(std::byte* base, Bytes size, PageUse use);

/// Has memory behind committed pages before they are touched, where the system can do that. Their
/// contents stay; others may use them meanwhile.
void populate_pages(std::byte* base, Bytes size);

/// Gives the memory behind pages back, locked or not. Touching them faults from then on.
void decommit_pages(std::byte* base, Bytes size);

/// Gives the memory behind committed pages back. They stay usable and read as zero.
void discard_pages(std::byte* base, Bytes size);

/// Pages of their own, readable and writable at once.
///
/// errors  kOutOfMemory, as `reserve_pages` and `commit_pages`
[[nodiscard]] Result<std::byte*> allocate_pages(Bytes size, Bytes alignment, PageUse use);

/// What the system says that this `errno` means.
[[nodiscard]] std::string system_reason(int number);

}  // namespace tenure
