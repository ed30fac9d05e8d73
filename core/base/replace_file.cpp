#include "core/base/replace_file.hpp"

#include <cerrno>
#include <cstdio>
#include <memory>
#include <random>
#include <system_error>

namespace tenure {

namespace {

constexpr int kAttempts = 16;  // names tried for the file in the making

struct Close {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

Error failed(const std::string& path, int error_number) {
  return Error{ErrorCode::kFile,
               path + " cannot be written: " + std::generic_category().message(error_number)};
}

}  // namespace

Result<void> replace_file(const std::string& path, std::string_view content) {
  std::random_device device;
  std::unique_ptr<std::FILE, Close> file;
  std::string part;
  for (int attempt = 0; attempt < kAttempts && file == nullptr; ++attempt) {
    // In the same folder, so that the renaming stays within one file system.
    part = path + ".part" + std::to_string(device());
    errno = 0;
    file.reset(std::fopen(part.c_str(), "wxe"));
    if (file == nullptr && errno != EEXIST) {
      break;
    }
  }
  if (file == nullptr) {
    return failed(path, errno);
  }
  errno = 0;
  bool written = std::fwrite(content.data(), 1, content.size(), file.get()) == content.size();
  written = std::fclose(file.release()) == 0 && written;
  if (!written || std::rename(part.c_str(), path.c_str()) != 0) {
    const int error_number = errno;
    std::remove(part.c_str());
    return failed(path, error_number);
  }
  return {};
}

}  // namespace tenure
