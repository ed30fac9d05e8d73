// Protocol buffers' wire format, as much of it as a profile needs: numbers, strings, messages inside of
// messages, packed lists of numbers.
//
// Source: https://protobuf.dev/programming-guides/encoding
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace tenure {

/// One message. Fields stand in the order they are added in; one whose number is 0 need not be there.
class ProtobufMessage {
 public:
  void add(std::uint32_t field, std::uint64_t number) {
    if (number != 0) {
      write_key(field, kVarint);
      write(number);
    }
  }
  void add(std::uint32_t field, std::string_view bytes) {
    write_key(field, kLengthDelimited);
    write(bytes.size());
    text_ += bytes;
  }
  void add(std::uint32_t field, const ProtobufMessage& message) { add(field, message.bytes()); }
  void add_packed(std::uint32_t field, std::span<const std::uint64_t> numbers) {
    ProtobufMessage list;
    for (const std::uint64_t number : numbers) {
      list.write(number);
    }
    add(field, list);
  }

  [[nodiscard]] std::string_view bytes() const { return text_; }

 private:
  static constexpr std::uint32_t kVarint = 0;
  static constexpr std::uint32_t kLengthDelimited = 2;

  void write_key(std::uint32_t field, std::uint32_t type) { write(field << 3 | type); }
  // Seven bits a byte, the low ones first; the highest bit says that there are more.
  void write(std::uint64_t number) {
    constexpr std::uint64_t kMore = 0x80;
    for (; number >= kMore; number >>= 7) {
      text_ += static_cast<char>(number | kMore);
    }
    text_ += static_cast<char>(number);
  }

  std::string text_;
};

}  // namespace tenure
