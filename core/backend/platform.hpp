// What the core asks of the computer itself: pages, a clock, readings of memory. The host annex
// answers; tests answer with a clock of their own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tenure/bytes.hpp"
#include "tenure/result.hpp"

namespace tenure {

/// What to expect of a range's pages.
enum class PageUse : std::uint8_t {
  kPlain,  // small or sparse
  kDense,  // large and used throughout: huge pages where the machine offers them
};

/// Memory of the machine, as this process may use it: the cgroup's figures where they are smaller.
struct MemoryReading {
  Bytes total;
  Bytes available;
  double stall = 0.0;  // of the last 10 s, the part in which some task waited for memory
};

/// What this process has of the machine.
struct ProcessReading {
  Bytes resident;            // memory behind its pages
  Bytes mapped;              // addresses, with or without memory
  std::uint64_t cpu_ns = 0;  // that all of its threads ran so far
};

/// A thread's stack: [first, first + bytes).
struct StackRange {
  std::uintptr_t first = 0;
  std::uintptr_t bytes = 0;

  [[nodiscard]] bool contains(const void* address) const {
    return reinterpret_cast<std::uintptr_t>(address) - first < bytes;
  }
};

/// What stands at an address of code. Strings are empty where that is not known.
struct CodePlace {
  std::string function;       // demangled
  std::string module;         // path of the program or the shared library
  std::uintptr_t offset = 0;  // in the module, as its symbols have it
};

/// A file without a name that is open for the process alone.
enum class ScratchFile : int {};

/// threads  anyone
class Platform {
 public:
  Platform() = default;
  Platform(const Platform&) = delete;
  Platform& operator=(const Platform&) = delete;
  virtual ~Platform() = default;

  [[nodiscard]] virtual Bytes page_size() const = 0;

  /// Address space without memory behind it; touching it faults.
  ///
  /// size       a multiple of the page size
  /// alignment  a power of two, a page at least
  /// errors     kOutOfMemory, with what was asked
  [[nodiscard]] virtual Result<std::byte*> reserve(Bytes size, Bytes alignment) = 0;
  virtual void release(std::byte* base, Bytes size) = 0;

  /// Makes pages of a reserved range readable and writable. New ones are zero; memory comes when
  /// they are touched.
  ///
  /// errors   kOutOfMemory: the system will not promise that much
  [[nodiscard]] virtual Result<void> commit(std::byte* base, Bytes size, PageUse use) = 0;

  /// Has memory behind committed pages before they are touched, where the system can do that; their
  /// contents stay as they are, and others may use them meanwhile.
  virtual void populate(std::byte* base, Bytes size) = 0;

  /// Gives the memory of committed pages back. They stay usable and read as zero.
  virtual void discard(std::byte* base, Bytes size) = 0;

  /// Makes a file for bytes that leave memory for a while. It is gone when it is closed, or when the
  /// process ends, however it ends.
  ///
  /// directory  where; "" for $TMPDIR, or /var/tmp where that is not set
  /// errors     kFile, with the system's reason, as the three below
  [[nodiscard]] virtual Result<ScratchFile> open_scratch(const std::string& directory) = 0;
  [[nodiscard]] virtual Result<void> write_scratch(ScratchFile file, std::uint64_t offset,
                                                   const std::byte* from, Bytes size) = 0;
  [[nodiscard]] virtual Result<void> read_scratch(ScratchFile file, std::uint64_t offset,
                                                  std::byte* to, Bytes size) = 0;
  /// Has what was written on its disk, and the system's own copy of it in memory given back.
  [[nodiscard]] virtual Result<void> settle_scratch(ScratchFile file) = 0;
  virtual void close_scratch(ScratchFile file) = 0;

  /// Makes a file in memory through which this process is seen from outside, to be written and closed as
  /// the others are. The system shows it to the same user alone, and it is gone with the process.
  ///
  /// errors   kFile, with the system's reason
  [[nodiscard]] virtual Result<ScratchFile> open_live() = 0;
  /// Opens those that a process made and has open, for reading, in the order in which they were made.
  ///
  /// errors   kFile: there is no such process, or it is another user's
  [[nodiscard]] virtual Result<std::vector<ScratchFile>> live_files(std::uint32_t process) = 0;
  /// The processes that have some and may be looked at, by number.
  [[nodiscard]] virtual std::vector<std::uint32_t> live_processes() = 0;

  /// A clock that never goes back.
  [[nodiscard]] virtual std::uint64_t now_ns() = 0;

  /// Processor time that all threads of the process had so far.
  ///
  /// cost     a call of the system's
  [[nodiscard]] virtual std::uint64_t processor_ns() = 0;

  [[nodiscard]] virtual MemoryReading memory() = 0;
  [[nodiscard]] virtual ProcessReading process() = 0;

  /// The stack of the calling thread, as the system made it; none where it does not say. All of it
  /// above an address that was used can be read.
  [[nodiscard]] virtual std::optional<StackRange> stack() = 0;

  /// The calls that the thread is in, innermost first, this one included: addresses inside of the call
  /// instructions.
  ///
  /// returns  how many; no more than there is room for
  /// cost     some 100 ns a call; not in a signal handler
  [[nodiscard]] virtual std::size_t call_stack(std::span<std::uintptr_t> frames) = 0;

  /// cost     a look into a table; reads a module's symbols from its file where nobody asked about it yet
  [[nodiscard]] virtual CodePlace code_at(std::uintptr_t address) = 0;
};

/// The computer that the program runs on. Lives as long as the program.
[[nodiscard]] Platform& host_platform();

}  // namespace tenure
