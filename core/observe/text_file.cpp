#include "core/observe/text_file.hpp"

#include <array>
#include <cerrno>
#include <random>
#include <system_error>
#include <utility>

namespace tenure {

namespace {
constexpr int kAttempts = 16;  // names tried for the file in the making
}  // namespace

Result<TextFile> TextFile::create(const std::string& path) {
  std::random_device device;
  int reason = EEXIST;
  for (int attempt = 0; attempt < kAttempts && reason == EEXIST; ++attempt) {
    std::string part = path + ".part" + std::to_string(device());
    errno = 0;
    if (std::FILE* const file = std::fopen(part.c_str(), "wxe"); file != nullptr) {
      return TextFile(path, std::move(part), file);
    }
    reason = errno;
  }
  return TextFile(path, "", nullptr).failed(reason);
}

TextFile::TextFile(TextFile&& from) noexcept
    : path_(std::move(from.path_)),
      part_(std::exchange(from.part_, {})),
      file_(std::exchange(from.file_, nullptr)),
      text_(std::move(from.text_)),
      reason_(from.reason_) {}

TextFile::~TextFile() {
  if (file_ != nullptr) {
    std::fclose(file_);
  }
  if (!part_.empty()) {
    std::remove(part_.c_str());
  }
}

TextFile& TextFile::quote(std::string_view string) {
  constexpr unsigned char kFirstPrintable = 0x20;
  *this << "\"";
  for (const char letter : string) {
    if (letter == '"' || letter == '\\') {
      text_ += '\\';
      text_ += letter;
    } else if (static_cast<unsigned char>(letter) < kFirstPrintable) {
      std::array<char, 8> escaped{};
      std::snprintf(escaped.data(), escaped.size(), "\\u%04x", static_cast<unsigned>(letter));
      text_ += escaped.data();
    } else {
      text_ += letter;
    }
  }
  return *this << "\"";
}

void TextFile::flush() {
  errno = 0;
  if (reason_ == 0 && std::fwrite(text_.data(), 1, text_.size(), file_) != text_.size()) {
    reason_ = errno == 0 ? EIO : errno;
  }
  text_.clear();
}

Result<void> TextFile::finish() {
  flush();
  errno = 0;
  if (std::fclose(std::exchange(file_, nullptr)) != 0 && reason_ == 0) {
    reason_ = errno;
  }
  if (reason_ == 0 && std::rename(part_.c_str(), path_.c_str()) != 0) {
    reason_ = errno;
  }
  if (reason_ != 0) {
    return failed(reason_);
  }
  part_.clear();
  return {};
}

Error TextFile::failed(int reason) const {
  return {ErrorCode::kFile,
          path_ + ": cannot be written: " + std::generic_category().message(reason)};
}

}  // namespace tenure
