#include "host/live_files.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>

#include "host/pages.hpp"

namespace tenure {

namespace {

namespace fs = std::filesystem;

constexpr mode_t kOwnerOnly = 0600;

// Why the number: a child has its parent's files open too, and they say nothing of it.
std::string name_for(std::uint32_t process) { return "tenure-live-" + std::to_string(process); }

std::optional<std::uint32_t> number_of(const fs::path& path) {
  const std::string name = path.filename().string();
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  return error == std::errc{} && end == name.data() + name.size() ? std::optional(number)
                                                                  : std::nullopt;
}

// The descriptors of the process's live files, lowest first. Others come and go meanwhile.
std::vector<std::uint32_t> descriptors_in(std::uint32_t process, std::error_code& error) {
  // As the kernel shows a file that has a name and no place.
  const std::string wanted = "/memfd:" + name_for(process) + " (deleted)";
  std::vector<std::uint32_t> found;
  fs::directory_iterator entry("/proc/" + std::to_string(process) + "/fd", error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    std::error_code unreadable;
    if (fs::read_symlink(entry->path(), unreadable) == wanted) {
      if (const std::optional<std::uint32_t> number = number_of(entry->path())) {
        found.push_back(*number);
      }
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

Result<ScratchFile> open_live_file() {
  const int file =
      memfd_create(name_for(static_cast<std::uint32_t>(getpid())).c_str(), MFD_CLOEXEC);
  if (file < 0 || fchmod(file, kOwnerOnly) != 0) {
    const int reason = errno;
    if (file >= 0) {
      close(file);
    }
    return Error{ErrorCode::kFile, "a file in memory, for the runtime's figures, cannot be made: " +
                                       system_reason(reason)};
  }
  return static_cast<ScratchFile>(file);
}

Result<std::vector<ScratchFile>> live_files_of(std::uint32_t process) {
  std::error_code error;
  const std::vector<std::uint32_t> descriptors = descriptors_in(process, error);
  if (error) {
    return Error{ErrorCode::kFile, "the open files of process " + std::to_string(process) +
                                       " cannot be read: " + error.message()};
  }
  std::vector<ScratchFile> files;
  for (const std::uint32_t descriptor : descriptors) {
    const std::string path =
        "/proc/" + std::to_string(process) + "/fd/" + std::to_string(descriptor);
    if (const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC); file >= 0) {
      files.push_back(static_cast<ScratchFile>(file));
    }
  }
  return files;
}

std::vector<std::uint32_t> processes_with_live_files() {
  std::vector<std::uint32_t> found;
  std::error_code error;
  fs::directory_iterator entry("/proc", error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const std::optional<std::uint32_t> process = number_of(entry->path());
    std::error_code unreadable;
    if (process && !descriptors_in(*process, unreadable).empty()) {
      found.push_back(*process);
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace tenure
