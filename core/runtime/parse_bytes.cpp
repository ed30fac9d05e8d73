#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include "tenure/config.hpp"

namespace tenure {

namespace {

constexpr std::string_view kSpaces = " \t";
constexpr std::string_view kDigits = "0123456789";

// A fraction is read to this many digits: 10^18 is the largest power of ten that fits 63 bits, and
// the rest of a fraction of a TiB is less than a byte.
constexpr std::size_t kFractionDigits = 18;

using Wide = unsigned __int128;  // a size times a fraction's 10^18 fits

struct Unit {
  std::string_view name;
  unsigned shift;
};
constexpr std::array kUnits{Unit{"", 0},   Unit{"b", 0},    Unit{"k", 10}, Unit{"kib", 10},
                            Unit{"m", 20}, Unit{"mib", 20}, Unit{"g", 30}, Unit{"gib", 30},
                            Unit{"t", 40}, Unit{"tib", 40}};

Error refused(std::string_view text, const std::string& reason) {
  return {ErrorCode::kBadArgument,
          "cannot read \"" + std::string(text) + "\" as a size: " + reason +
              "; write a number and B, KiB, MiB, GiB or TiB, as in 1.5GiB"};
}

// Cuts off and gives the digits that `text` starts with.
std::string_view take_digits(std::string_view& text) {
  const std::string_view digits = text.substr(0, text.find_first_not_of(kDigits));
  text.remove_prefix(digits.size());
  return digits;
}

const Unit* find_unit(std::string_view text) {
  std::string name(text);
  std::transform(name.begin(), name.end(), name.begin(), [](char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  });
  const auto* const unit = std::find_if(kUnits.begin(), kUnits.end(),
                                        [&](const Unit& known) { return known.name == name; });
  return unit == kUnits.end() ? nullptr : unit;
}

// How many bytes `digits`, read behind a decimal point, are of `unit`; a part of a byte is dropped.
std::uint64_t fraction_of(std::string_view digits, const Unit& unit) {
  Wide numerator = 0;
  Wide denominator = 1;
  for (const char digit : digits.substr(0, kFractionDigits)) {
    numerator = numerator * 10 + static_cast<unsigned>(digit - '0');
    denominator *= 10;
  }
  return static_cast<std::uint64_t>((numerator << unit.shift) / denominator);
}

}  // namespace

Result<Bytes> parse_bytes(std::string_view text) {
  std::string_view rest = text;
  rest.remove_prefix(std::min(rest.find_first_not_of(kSpaces), rest.size()));
  rest = rest.substr(0, rest.find_last_not_of(kSpaces) + 1);

  const std::string_view whole = take_digits(rest);
  if (whole.empty()) {
    return refused(text, "it does not start with a number");
  }
  std::string_view fraction;
  if (!rest.empty() && rest.front() == '.') {
    rest.remove_prefix(1);
    fraction = take_digits(rest);
    if (fraction.empty()) {
      return refused(text, "no digit stands behind the point");
    }
  }
  rest.remove_prefix(std::min(rest.find_first_not_of(kSpaces), rest.size()));

  const Unit* const unit = find_unit(rest);
  if (unit == nullptr) {
    return refused(text, "there is no unit \"" + std::string(rest) + "\"");
  }
  if (!fraction.empty() && unit->shift == 0) {
    return refused(text, "there is no part of a byte");
  }

  std::uint64_t count = 0;
  const auto [end, fault] = std::from_chars(whole.data(), whole.data() + whole.size(), count);
  const Wide bytes = (Wide{count} << unit->shift) + fraction_of(fraction, *unit);
  if (fault != std::errc{} || bytes > kUnlimited.count()) {
    return refused(text, "it is more than 2^64 bytes");
  }
  return Bytes{static_cast<std::uint64_t>(bytes)};
}

}  // namespace tenure
