#include <ctime>

#include "core/backend/platform.hpp"
#include "core/base/check.hpp"
#include "host/memory_files.hpp"
#include "host/pages.hpp"

namespace tenure {

namespace {

constexpr std::uint64_t kNanosecondsPerSecond = 1'000'000'000;

/// threads  anyone: all state is the kernel's
class LinuxPlatform final : public Platform {
 public:
  [[nodiscard]] Bytes page_size() const override { return page_bytes(); }

  [[nodiscard]] Result<std::byte*> reserve(Bytes size, Bytes alignment) override {
    return reserve_pages(size, alignment);
  }
  void release(std::byte* base, Bytes size) override { release_pages(base, size); }

  [[nodiscard]] Result<void> commit(std::byte* base, Bytes size, PageUse use) override {
    return commit_pages(base, size, use);
  }
  void populate(std::byte* base, Bytes size) override { populate_pages(base, size); }
  void discard(std::byte* base, Bytes size) override { discard_pages(base, size); }

  [[nodiscard]] std::uint64_t now_ns() override {
    timespec now{};
    check(clock_gettime(CLOCK_MONOTONIC, &now) == 0, "the system has a monotonic clock");
    return static_cast<std::uint64_t>(now.tv_sec) * kNanosecondsPerSecond +
           static_cast<std::uint64_t>(now.tv_nsec);
  }

  [[nodiscard]] MemoryReading memory() override { return memory_reading(); }
};

}  // namespace

Platform& host_platform() {
  // Why never destroyed: objects of the program's last destructors may still need their pages.
  static Platform* const platform = new LinuxPlatform;
  return *platform;
}

}  // namespace tenure
