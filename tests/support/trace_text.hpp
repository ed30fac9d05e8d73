// Traces as text, made in a test: rows behind the first line, plain or gzip, and files to put them
// in.
#pragma once

#include <zlib.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <span>
#include <string>
#include <string_view>

#include "core/base/check.hpp"
#include "core/observe/trace_row.hpp"

namespace tenure::test {

/// The first line, and the rows with their ends.
inline std::string trace_of(std::initializer_list<std::string_view> rows) {
  std::string text = std::string(kTraceHeader) + "\n";
  for (const std::string_view row : rows) {
    text.append(row).append("\n");
  }
  return text;
}

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// One gzip member, as gzip itself would write it, without name and time.
inline std::string gzipped(std::string_view text, int level = Z_DEFAULT_COMPRESSION) {
  constexpr int kGzipWindow = 15 + 16;
  constexpr int kMemory = 8;
  z_stream zlib{};
  check(deflateInit2(&zlib, level, Z_DEFLATED, kGzipWindow, kMemory, Z_DEFAULT_STRATEGY) == Z_OK,
        "deflateInit2 failed");
  std::string packed(deflateBound(&zlib, text.size()), '\0');
  zlib.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(text.data()));
  zlib.avail_in = static_cast<uInt>(text.size());
  zlib.next_out = reinterpret_cast<Bytef*>(packed.data());
  zlib.avail_out = static_cast<uInt>(packed.size());
  check(deflate(&zlib, Z_FINISH) == Z_STREAM_END, "deflate failed");
  packed.resize(packed.size() - zlib.avail_out);
  deflateEnd(&zlib);
  return packed;
}

inline std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A folder of a test's own, gone with all that is in it when the test ends.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "tenure-XXXXXX").string();
    check(mkdtemp(name.data()) != nullptr, "no folder can be made for the test's files");
    folder_ = name;
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  [[nodiscard]] std::string file(std::string_view name) const { return (folder_ / name).string(); }

  /// Writes a file and gives its path.
  [[nodiscard]] std::string with(std::string_view name, std::string_view content) const {
    std::ofstream(folder_ / name, std::ios::binary) << content;
    return file(name);
  }
  [[nodiscard]] std::size_t files() const {
    const std::filesystem::directory_iterator all(folder_);
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
  }

 private:
  std::filesystem::path folder_;
};

}  // namespace tenure::test
