#include "core/heap/local_scan.hpp"

#include <algorithm>

namespace tenure {

namespace {

// What the window grows and shrinks by; all of a page is there if a word of it is.
constexpr std::uintptr_t kPage = 4096;

std::uintptr_t page_below(std::uintptr_t address) { return address & ~(kPage - 1); }
std::uintptr_t page_behind(const detail::LocalLink& link) {
  return page_below(reinterpret_cast<std::uintptr_t>(&link)) + kPage;
}

}  // namespace

// Why not sanitized: dead frames and the gaps between variables are read as well; of other threads'
// stacks only while they stand still, or are away and store no tag.
[[gnu::noinline, gnu::no_sanitize_address, gnu::no_sanitize_thread]] const std::uintptr_t* find_tag(
    const std::uintptr_t* at, const std::uintptr_t* end, std::uintptr_t key) {
  for (; at != end; ++at) {
    if ((*at ^ reinterpret_cast<std::uintptr_t>(at)) == key) {
      break;
    }
  }
  return at;
}

void widen(detail::LocalWindow& window, const detail::LocalLink& link) {
  const std::uintptr_t first = page_below(reinterpret_cast<std::uintptr_t>(&link));
  const std::uintptr_t end = page_behind(link);
  if (window.bytes == 0) {
    window.first = first;
    window.bytes = end - first;
    return;
  }
  const std::uintptr_t last = std::max(end, window.first + window.bytes);
  window.first = std::min(first, window.first);
  window.bytes = last - window.first;
}

void narrow(detail::LocalWindow& window) {
  detail::LocalWindow left = window;
  left.bytes = 0;
  for_each_tagged(window, [&left](const detail::LocalLink& link) { widen(left, link); });
  window = left;
}

}  // namespace tenure
