// Reads protocol buffers' wire format, from its description and not from our writer: fields of a message
// by number, each a number or bytes.
#pragma once

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace tenure::testing {

class ProtobufReader {
 public:
  explicit ProtobufReader(std::string_view text) {
    while (!text.empty()) {
      const std::uint64_t key = take_number(text);
      const std::uint64_t field = key / 8;
      if (key % 8 == 0) {
        numbers_[field].push_back(take_number(text));
      } else if (key % 8 == 2) {
        const std::uint64_t size = take_number(text);
        if (size > text.size()) {
          throw std::runtime_error("a field is longer than what it is in");
        }
        bytes_[field].push_back(std::string(text.substr(0, size)));
        text.remove_prefix(size);
      } else {
        throw std::runtime_error("a wire type that no profile has");
      }
    }
  }

  /// 0 where there is none.
  [[nodiscard]] std::uint64_t number(std::uint64_t field) const {
    const auto found = numbers_.find(field);
    return found == numbers_.end() ? 0 : found->second.back();
  }
  [[nodiscard]] std::vector<std::string> all(std::uint64_t field) const {
    const auto found = bytes_.find(field);
    return found == bytes_.end() ? std::vector<std::string>{} : found->second;
  }
  [[nodiscard]] std::vector<std::uint64_t> packed(std::uint64_t field) const {
    std::vector<std::uint64_t> list;
    for (const std::string& bytes : all(field)) {
      for (std::string_view rest = bytes; !rest.empty();) {
        list.push_back(take_number(rest));
      }
    }
    return list;
  }

 private:
  static std::uint64_t take_number(std::string_view& text) {
    std::uint64_t number = 0;
    for (unsigned shift = 0; !text.empty() && shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(text.front());
      text.remove_prefix(1);
      number |= static_cast<std::uint64_t>(byte & 0x7Fu) << shift;
      if (byte < 0x80) {
        return number;
      }
    }
    throw std::runtime_error("a number does not end");
  }

  std::map<std::uint64_t, std::vector<std::uint64_t>> numbers_;
  std::map<std::uint64_t, std::vector<std::string>> bytes_;
};

}  // namespace tenure::testing
