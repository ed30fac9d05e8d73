#include <pthread.h>

#include <ctime>
#include <sstream>

#include "core/backend/platform.hpp"
#include "core/base/check.hpp"
#include "host/call_stack.hpp"
#include "host/live_files.hpp"
#include "host/memory_files.hpp"
#include "host/pages.hpp"
#include "host/scratch_file.hpp"

namespace tenure {

namespace {

constexpr std::uint64_t kNanosecondsPerSecond = 1'000'000'000;

/// threads  anyone: all state is the kernel's
std::uint64_t read_clock(clockid_t clock) {
  timespec now{};
  check(clock_gettime(clock, &now) == 0,
        "the system has a monotonic clock and one of our own time");
  return static_cast<std::uint64_t>(now.tv_sec) * kNanosecondsPerSecond +
         static_cast<std::uint64_t>(now.tv_nsec);
}

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

  [[nodiscard]] Result<ScratchFile> open_scratch(const std::string& directory) override {
    return open_scratch_file(directory);
  }
  [[nodiscard]] Result<void> write_scratch(ScratchFile file, std::uint64_t offset,
                                           const std::byte* from, Bytes size) override {
    return write_scratch_file(file, offset, from, size);
  }
  [[nodiscard]] Result<void> read_scratch(ScratchFile file, std::uint64_t offset, std::byte* to,
                                          Bytes size) override {
    return read_scratch_file(file, offset, to, size);
  }
  [[nodiscard]] Result<void> settle_scratch(ScratchFile file) override {
    return settle_scratch_file(file);
  }
  void close_scratch(ScratchFile file) override { close_scratch_file(file); }

  [[nodiscard]] Result<ScratchFile> open_live() override { return open_live_file(); }
  [[nodiscard]] Result<std::vector<ScratchFile>> live_files(std::uint32_t process) override {
    return live_files_of(process);
  }
  [[nodiscard]] std::vector<std::uint32_t> live_processes() override {
    return processes_with_live_files();
  }

  [[nodiscard]] std::uint64_t now_ns() override { return read_clock(CLOCK_MONOTONIC); }
  [[nodiscard]] std::uint64_t processor_ns() override {
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
  }

  [[nodiscard]] MemoryReading memory() override { return memory_reading(); }

  [[nodiscard]] ProcessReading process() override {
    ProcessReading reading;
    // "mapped resident ...", in pages.
    std::istringstream statm(read_text("/proc/self/statm").value_or(""));
    std::uint64_t mapped = 0;
    std::uint64_t resident = 0;
    if (statm >> mapped >> resident) {
      reading.mapped = page_size() * mapped;
      reading.resident = page_size() * resident;
    }
    timespec used{};
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0) {
      reading.cpu_ns = static_cast<std::uint64_t>(used.tv_sec) * 1'000'000'000 +
                       static_cast<std::uint64_t>(used.tv_nsec);
    }
    return reading;
  }

  [[nodiscard]] std::optional<StackRange> stack() override {
    pthread_attr_t attributes;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) {
      return std::nullopt;
    }
    void* first = nullptr;
    std::size_t bytes = 0;
    const bool known = pthread_attr_getstack(&attributes, &first, &bytes) == 0;
    pthread_attr_destroy(&attributes);
    return known ? std::optional(StackRange{reinterpret_cast<std::uintptr_t>(first), bytes})
                 : std::nullopt;
  }

  [[nodiscard]] std::size_t call_stack(std::span<std::uintptr_t> frames) override {
    return host_call_stack(frames);
  }
  [[nodiscard]] CodePlace code_at(std::uintptr_t address) override { return host_code_at(address); }
};

}  // namespace

Platform& host_platform() {
  // Why never destroyed: objects of the program's last destructors may still need their pages.
  static Platform* const platform = new LinuxPlatform;
  return *platform;
}

}  // namespace tenure
