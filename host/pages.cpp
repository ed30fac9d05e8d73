#include "host/pages.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <system_error>

#include "core/base/check.hpp"

namespace tenure {

namespace {

constexpr int kReservationFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

bool is_page_range(const std::byte* base, Bytes size) {
  const std::uint64_t mask = page_bytes().count() - 1;
  return ((reinterpret_cast<std::uintptr_t>(base) | size.count()) & mask) == 0;
}

std::byte* address_at(std::uintptr_t address) { return reinterpret_cast<std::byte*>(address); }

// Gives up addresses beside an aligned reservation.
void trim(std::uintptr_t first, std::uintptr_t end) {
  if (first != end) {
    munmap(address_at(first), end - first);  // at worst some addresses are lost
  }
}

Error no_addresses(Bytes size, const std::string& reason) {
  return {ErrorCode::kOutOfMemory, "cannot reserve " + to_string(size) + " of addresses: " +
                                       reason + "; ask for less, or raise the limit (ulimit -v)"};
}

}  // namespace

Bytes page_bytes() {
  static const Bytes page{static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE))};
  return page;
}

std::string system_reason(int number) { return std::generic_category().message(number); }

Result<std::byte*> reserve_pages(Bytes size, Bytes alignment) {
  const Bytes page = page_bytes();
  check(!size.is_zero() && is_page_range(nullptr, size),
        "a reservation is whole pages, and not none");
  check(std::has_single_bit(alignment.count()) && alignment >= page,
        "an alignment is a power of two and a page at least");
  const Bytes slack = alignment - page;  // addresses come aligned to a page
  if (size > kUnlimited - slack) {
    return no_addresses(size, "there are not that many");
  }

  const Bytes asked = size + slack;
  // Why no access: memory that is never committed is never counted against the process.
  void* const mapped = mmap(nullptr, asked.count(), PROT_NONE, kReservationFlags, -1, 0);
  if (mapped == MAP_FAILED) {
    return no_addresses(size, system_reason(errno));
  }
  const auto first = reinterpret_cast<std::uintptr_t>(mapped);
  const std::uintptr_t base = (first + alignment.count() - 1) & ~(alignment.count() - 1);
  trim(first, base);
  trim(base + size.count(), first + asked.count());
  // Why: where huge pages are "always" there, one byte in a sparse table would cost two megabytes.
  // What is dense says so when it is committed. A kernel without huge pages refuses: all is well.
  madvise(address_at(base), size.count(), MADV_NOHUGEPAGE);
  return address_at(base);
}

void release_pages(std::byte* base, Bytes size) {
  check(is_page_range(base, size), "a release is of whole pages");
  if (munmap(base, size.count()) != 0) {
    // The kernel joins neighbouring reservations, and may have no room to split them again.
    check(errno == ENOMEM, "what is released was reserved");
    discard_pages(base, size);
  }
}

Result<void> commit_pages(std::byte* base, Bytes size, PageUse use) {
  check(is_page_range(base, size), "a commit is of whole pages");
  if (mprotect(base, size.count(), PROT_READ | PROT_WRITE) != 0) {
    const int number = errno;
    check(number == ENOMEM || number == EAGAIN, "what is committed was reserved");
    return Error{ErrorCode::kOutOfMemory,
                 "cannot commit " + to_string(size) + ": " + system_reason(number) +
                     "; the system promises no more memory (vm.overcommit_memory) or keeps no "
                     "more pieces (vm.max_map_count)"};
  }
  if (use == PageUse::kDense && size >= kHugePage) {
    madvise(base, size.count(), MADV_HUGEPAGE);  // advice: a kernel without huge pages refuses it
  }
  return {};
}

void decommit_pages(std::byte* base, Bytes size) {
  check(is_page_range(base, size), "a decommit is of whole pages");
  // Why a new mapping: it takes memory, locks and access away in one call.
  const int flags = kReservationFlags | MAP_FIXED;
  if (mmap(base, size.count(), PROT_NONE, flags, -1, 0) != MAP_FAILED) {
    madvise(base, size.count(), MADV_NOHUGEPAGE);
    return;
  }
  // The kernel keeps no more pieces. The memory goes all the same; the addresses stay readable.
  check(errno == ENOMEM, "what is decommitted was reserved");
  munlock(base, size.count());
  discard_pages(base, size);
}

void populate_pages(std::byte* base, Bytes size) {
  check(is_page_range(base, size), "pages are populated whole");
  constexpr int kPopulateWrite = 23;  // MADV_POPULATE_WRITE, which older headers lack
  // Advice: a kernel before 5.14 refuses, and the first touch brings the memory, as ever.
  madvise(base, size.count(), kPopulateWrite);
}

void discard_pages(std::byte* base, Bytes size) {
  check(is_page_range(base, size), "a discard is of whole pages");
  check(madvise(base, size.count(), MADV_DONTNEED) == 0, "what is discarded was reserved");
}

Result<std::byte*> allocate_pages(Bytes size, Bytes alignment, PageUse use) {
  Result<std::byte*> base = reserve_pages(size, std::max(alignment, kHugePage));
  if (!base) {
    return base;
  }
  if (Result<void> committed = commit_pages(*base, size, use); !committed) {
    release_pages(*base, size);
    return committed.failure();
  }
  return base;
}

}  // namespace tenure
