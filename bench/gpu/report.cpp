#include "bench/gpu/report.hpp"

#include <array>
#include <cstdio>

namespace tenure::bench {

namespace {

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') {
      out += '\\';
    }
    out += static_cast<unsigned char>(letter) < ' ' ? ' ' : letter;
  }
  return out + '"';
}

std::string number(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.6g", value);
  return text.data();
}

void write_line(const std::string& line) {
  std::printf("{%s}\n", line.c_str());
  std::fflush(stdout);
}

}  // namespace

void report(std::string_view group, std::string_view what, double value, std::string_view unit,
            std::initializer_list<Detail> details) {
  std::string line = "\"group\": " + quoted(group) + ", \"case\": " + quoted(what) +
                     ", \"value\": " + number(value) + ", \"unit\": " + quoted(unit);
  for (const auto& [name, figure] : details) {
    line += ", " + quoted(name) + ": " + number(figure);
  }
  write_line(line);
}

void report_left_out(std::string_view group, std::string_view what, std::string_view why) {
  write_line("\"group\": " + quoted(group) + ", \"case\": " + quoted(what) +
             ", \"left_out\": " + quoted(why));
}

std::string in_words(std::uint64_t bytes) {
  constexpr std::array kUnits{" B", " KiB", " MiB", " GiB"};
  std::size_t unit = 0;
  while (bytes >= 1024 && bytes % 1024 == 0 && unit + 1 < kUnits.size()) {
    bytes /= 1024;
    ++unit;
  }
  return std::to_string(bytes) + kUnits[unit];
}

}  // namespace tenure::bench
