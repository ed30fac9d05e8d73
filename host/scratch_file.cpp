#include "host/scratch_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "host/pages.hpp"

namespace tenure {

namespace {

constexpr mode_t kOwnerOnly = 0600;

// One call moves no more. Source: Linux, read(2): 0x7ffff000 bytes at the most.
constexpr std::uint64_t kMostAtOnce = std::uint64_t{1} << 30;

int descriptor(ScratchFile file) { return static_cast<int>(file); }

// Why not /tmp where nobody chose: on many machines it is memory, which was to be given away.
std::string default_directory() {
  const char* const chosen = std::getenv("TMPDIR");
  return chosen != nullptr && *chosen != '\0' ? chosen : "/var/tmp";
}

Error refusal(const std::string& what, int number) {
  return {ErrorCode::kFile, "a temporary file cannot be " + what + ": " + system_reason(number)};
}

// Where the file system has no files without names: one with a name, which is taken away at once.
int open_and_unlink(const std::string& directory) {
  std::string name = directory + "/tenure-XXXXXX";
  const int opened = mkostemp(name.data(), O_CLOEXEC);
  if (opened >= 0) {
    unlink(name.c_str());
  }
  return opened;
}

}  // namespace

Result<ScratchFile> open_scratch_file(const std::string& directory) {
  const std::string folder = directory.empty() ? default_directory() : directory;
  int opened = open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, kOwnerOnly);
  if (opened < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
    opened = open_and_unlink(folder);
  }
  if (opened < 0) {
    return refusal("made in " + folder, errno);
  }
  return static_cast<ScratchFile>(opened);
}

Result<void> write_scratch_file(ScratchFile file, std::uint64_t offset, const std::byte* from,
                                Bytes size) {
  std::uint64_t left = size.count();
  while (left != 0) {
    const ssize_t written =
        pwrite(descriptor(file), from, std::min(left, kMostAtOnce), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      return refusal("written at " + to_string(Bytes{offset}), written == 0 ? ENOSPC : errno);
    }
    const auto moved = static_cast<std::uint64_t>(written);
    from += moved;
    offset += moved;
    left -= moved;
  }
  return {};
}

Result<void> read_scratch_file(ScratchFile file, std::uint64_t offset, std::byte* to, Bytes size) {
  std::uint64_t left = size.count();
  while (left != 0) {
    const ssize_t got =
        pread(descriptor(file), to, std::min(left, kMostAtOnce), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      return refusal("read at " + to_string(Bytes{offset}), got == 0 ? EIO : errno);
    }
    const auto moved = static_cast<std::uint64_t>(got);
    to += moved;
    offset += moved;
    left -= moved;
  }
  return {};
}

Result<void> settle_scratch_file(ScratchFile file) {
  if (fdatasync(descriptor(file)) != 0) {
    return refusal("brought to its disk", errno);
  }
  // Advice: where it is not taken, the system drops its copy once it needs the memory.
  posix_fadvise(descriptor(file), 0, 0, POSIX_FADV_DONTNEED);
  return {};
}

void close_scratch_file(ScratchFile file) { close(descriptor(file)); }

}  // namespace tenure
