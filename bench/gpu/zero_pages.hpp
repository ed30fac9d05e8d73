// Pages of zeros that are not there until they are touched: room for as much as a cage may hold, at the
// cost of what is used.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace tenure::bench {

class ZeroPages {
 public:
  explicit ZeroPages(std::size_t bytes) : bytes_(bytes) {
    data_ = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data_ == MAP_FAILED) {
      throw std::runtime_error("no addresses for " + std::to_string(bytes) + " bytes");
    }
    ::madvise(data_, bytes, MADV_HUGEPAGE);  // as the cage asks for
  }
  ZeroPages(const ZeroPages&) = delete;
  ZeroPages& operator=(const ZeroPages&) = delete;
  ~ZeroPages() { ::munmap(data_, bytes_); }

  [[nodiscard]] std::uint32_t* words() { return static_cast<std::uint32_t*>(data_); }
  [[nodiscard]] const std::uint32_t* words() const {
    return static_cast<const std::uint32_t*>(data_);
  }

 private:
  void* data_;
  std::size_t bytes_;
};

}  // namespace tenure::bench
