// Bytes of payloads kept elsewhere while their own memory is given away: in plain pages of the host, or
// in a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/backend/backend.hpp"
#include "core/backend/platform.hpp"
#include "tenure/bytes.hpp"
#include "tenure/result.hpp"

namespace tenure {

/// Whoever moves bytes of a pool: its backend, and a stream whose order the copies take.
struct Mover {
  Backend& backend;
  StreamId stream;
  bool host_readable;  // the host may follow the pool's addresses

  /// Waits on the host until what was put on the stream so far is done.
  ///
  /// errors   those of Backend::record and Backend::synchronize, each made twice: a refusal may pass
  [[nodiscard]] Result<void> finish() const;
};

/// Plain pages of the host.
class HostPages {
 public:
  HostPages() = default;
  HostPages(HostPages&& from) noexcept;
  HostPages& operator=(HostPages&& from) noexcept;
  ~HostPages();

  /// errors   kOutOfMemory: the machine has not as much to spare, or will not promise it
  [[nodiscard]] static Result<HostPages> of(Bytes size);

  [[nodiscard]] std::byte* data() const { return base_; }
  /// Leaves the pages where they are for good: work may still use them, and nobody knows until when.
  void abandon() { base_ = nullptr; }

 private:
  std::byte* base_ = nullptr;
  Bytes size_{};
};

/// Bytes by offset. What went in comes out, as often as it is asked for.
///
/// threads  one at a time
class Stash {
 public:
  enum class Place : std::uint8_t { kHost, kFile };

  Stash() = default;
  Stash(Stash&& from) noexcept;
  Stash& operator=(Stash&& from) noexcept;
  ~Stash();

  /// errors   kOutOfMemory: as `HostPages`; kFile: no file can be made in that directory
  [[nodiscard]] static Result<Stash> make(Place place, Bytes size, const std::string& directory);

  /// Puts bytes of a pool in, in the order of the mover's stream; they may not change before `finish`.
  ///
  /// errors   those of Backend::copy and `Mover::finish`; kFile
  [[nodiscard]] Result<void> put(const Mover& mover, std::uint64_t offset, const std::byte* from,
                                 Bytes size);
  /// Waits until all that was put in is there to stay.
  [[nodiscard]] Result<void> finish(const Mover& mover);
  /// Copies bytes back into a pool; they are there once the mover has finished.
  [[nodiscard]] Result<void> get(const Mover& mover, std::uint64_t offset, std::byte* to,
                                 Bytes size);
  /// Work that nobody could wait for may still be copying.
  void abandon() { pages_.abandon(); }

 private:
  [[nodiscard]] bool has_file() const { return file_ != kNoFile; }

  static constexpr ScratchFile kNoFile{-1};

  HostPages pages_;  // the bytes, or what they pass through on their way to a file
  ScratchFile file_ = kNoFile;
};

}  // namespace tenure
