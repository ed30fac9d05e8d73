#include "core/payload/stash.hpp"

#include <algorithm>
#include <utility>

namespace tenure {

namespace {

// Memory that only a device can follow passes through so many bytes on its way to a file. Large enough
// that waiting for a copy, some 10 us, costs little beside it.
constexpr std::uint64_t kPassage = std::uint64_t{16} << 20;

Bytes whole_pages(Bytes size) { return round_up(size, host_platform().page_size()); }

}  // namespace

Result<void> Mover::finish() const {
  Result<void> outcome;
  for (int tries = 0; tries < 2; ++tries) {
    const Result<StreamEvent> event = backend.record(stream);
    outcome = event ? backend.synchronize(*event) : Result<void>(event.failure());
    if (outcome) {
      break;
    }
  }
  return outcome;
}

HostPages::HostPages(HostPages&& from) noexcept
    : base_(std::exchange(from.base_, nullptr)), size_(from.size_) {}

HostPages& HostPages::operator=(HostPages&& from) noexcept {
  std::swap(base_, from.base_);
  std::swap(size_, from.size_);
  return *this;
}

HostPages::~HostPages() {
  if (base_ != nullptr) {
    host_platform().release(base_, size_);
  }
}

Result<HostPages> HostPages::of(Bytes size) {
  HostPages pages;
  if (size.is_zero()) {
    return pages;
  }
  Platform& platform = host_platform();
  // Why asked first: the system promises more than it has, and ends processes when that is found out.
  if (const Bytes available = platform.memory().available; available < size) {
    return Error{ErrorCode::kOutOfMemory,
                 "payloads of " + to_string(size) + " cannot be kept in memory of the host: " +
                     to_string(available) + " are available; keep them in a file"};
  }
  const Result<std::byte*> base = platform.reserve(whole_pages(size), platform.page_size());
  if (!base) {
    return base.failure();
  }
  pages.base_ = *base;
  pages.size_ = whole_pages(size);
  if (Result<void> committed = platform.commit(*base, pages.size_, PageUse::kDense); !committed) {
    return committed.failure();
  }
  return pages;
}

Stash::Stash(Stash&& from) noexcept
    : pages_(std::move(from.pages_)), file_(std::exchange(from.file_, kNoFile)) {}

Stash& Stash::operator=(Stash&& from) noexcept {
  std::swap(pages_, from.pages_);
  std::swap(file_, from.file_);
  return *this;
}

Stash::~Stash() {
  if (has_file()) {
    host_platform().close_scratch(file_);
  }
}

Result<Stash> Stash::make(Place place, Bytes size, const std::string& directory) {
  Stash stash;
  if (place == Place::kFile) {
    const Result<ScratchFile> file = host_platform().open_scratch(directory);
    if (!file) {
      return file.failure();
    }
    stash.file_ = *file;
    size = std::min(size, Bytes{kPassage});
  }
  Result<HostPages> pages = HostPages::of(size);
  if (!pages) {
    return pages.failure();
  }
  stash.pages_ = std::move(*pages);
  return stash;
}

Result<void> Stash::put(const Mover& mover, std::uint64_t offset, const std::byte* from,
                        Bytes size) {
  if (!has_file()) {
    return mover.backend.copy(mover.stream, pages_.data() + offset, from, size);
  }
  if (mover.host_readable) {
    return host_platform().write_scratch(file_, offset, from, size);
  }
  for (std::uint64_t done = 0; done < size.count(); done += kPassage) {
    const Bytes part{std::min(size.count() - done, kPassage)};
    Result<void> moved = mover.backend.copy(mover.stream, pages_.data(), from + done, part);
    moved = moved ? mover.finish() : moved;
    moved =
        moved ? host_platform().write_scratch(file_, offset + done, pages_.data(), part) : moved;
    if (!moved) {
      return moved;
    }
  }
  return {};
}

Result<void> Stash::finish(const Mover& mover) {
  return has_file() ? host_platform().settle_scratch(file_) : mover.finish();
}

Result<void> Stash::get(const Mover& mover, std::uint64_t offset, std::byte* to, Bytes size) {
  if (!has_file()) {
    return mover.backend.copy(mover.stream, to, pages_.data() + offset, size);
  }
  if (mover.host_readable) {
    return host_platform().read_scratch(file_, offset, to, size);
  }
  for (std::uint64_t done = 0; done < size.count(); done += kPassage) {
    const Bytes part{std::min(size.count() - done, kPassage)};
    Result<void> moved = host_platform().read_scratch(file_, offset + done, pages_.data(), part);
    moved = moved ? mover.backend.copy(mover.stream, to + done, pages_.data(), part) : moved;
    moved = moved ? mover.finish() : moved;
    if (!moved) {
      return moved;
    }
  }
  return {};
}

}  // namespace tenure
