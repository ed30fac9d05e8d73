// Numbers as sentences have them.
#pragma once

#include <array>
#include <cmath>
#include <cstdio>
#include <string>

namespace tenure {

/// "0.0841", "4194304": four digits that say something, or a whole number as it is.
[[nodiscard]] inline std::string number_text(double number) {
  constexpr std::size_t kRoom = 32;
  constexpr double kMostWhole = 1e15;
  std::array<char, kRoom> text{};
  const bool is_whole = number == std::floor(number) && std::abs(number) < kMostWhole;
  (void)std::snprintf(text.data(), text.size(), is_whole ? "%.0f" : "%.4g", number);
  return text.data();
}

/// "8.4 %", of 0.0841.
[[nodiscard]] inline std::string percent_text(double part) {
  constexpr std::size_t kRoom = 32;
  constexpr double kWhole = 100;
  std::array<char, kRoom> text{};
  (void)std::snprintf(text.data(), text.size(), "%.1f %%", kWhole * part);
  return text.data();
}

}  // namespace tenure
