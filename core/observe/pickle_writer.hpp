// Values as Python's pickle has them, in the few words that PyTorch's viewer reads: protocol 2, no memo.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace tenure {

/// Appends values one after another; lists and dictionaries are opened and closed by name.
///
/// source  pickletools.py of CPython; the words read by torch/utils/viz/MemoryViz.js
class PickleWriter {
 public:
  PickleWriter() : text_("\x80\x02", 2) {}

  void put(std::string_view text) {
    text_ += 'X';  // BINUNICODE
    append(text.size(), 4);
    text_ += text;
  }
  void put(std::uint64_t value) {
    if (value < (std::uint64_t{1} << 31)) {
      text_ += 'J';  // BININT
      append(value, 4);
      return;
    }
    // LONG1: the fewest bytes that keep the sign.
    const auto bytes = static_cast<unsigned>(std::bit_width(value)) / 8 + 1;
    text_ += '\x8a';
    text_ += static_cast<char>(bytes);
    append(value, bytes);
  }

  void begin_list() { text_ += "]("; }
  void end_list() { text_ += 'e'; }
  /// Keys and values by turns follow.
  void begin_dictionary() { text_ += "}("; }
  void end_dictionary() { text_ += 'u'; }
  template <class Value>
  void put_item(std::string_view key, const Value& value) {
    put(key);
    put(value);
  }

  [[nodiscard]] std::string finish() && {
    text_ += '.';
    return std::move(text_);
  }

 private:
  void append(std::uint64_t value, unsigned bytes) {
    for (unsigned k = 0; k < bytes; ++k) {
      text_ += static_cast<char>(k < 8 ? value >> (8 * k) & 0xff : 0);
    }
  }

  std::string text_;
};

}  // namespace tenure
