#include "tenure/bytes.hpp"

#include <array>
#include <cstdio>

namespace tenure {

std::string to_string(Bytes size) {
  constexpr std::array kUnits{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (size == kUnlimited) {
    return "unlimited";
  }
  std::size_t unit = 0;
  auto value = static_cast<double>(size.count());
  while (value >= 1024.0 && unit + 1 < kUnits.size()) {
    value /= 1024.0;
    ++unit;
  }
  const bool whole = value == static_cast<double>(static_cast<std::uint64_t>(value));
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.*f %s", whole ? 0 : (value < 10.0 ? 2 : 1), value,
                kUnits.at(unit));
  return text.data();
}

}  // namespace tenure
