// What a section of the device benchmark found, as lines of JSON on standard output: a line a figure,
// written at once, so that a section that is cut short leaves what it had.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace tenure::bench {

/// A further figure of the same run, under a name that ends in its unit.
using Detail = std::pair<std::string_view, double>;

/// Writes {"group", "case", "value", "unit", details...}.
void report(std::string_view group, std::string_view what, double value, std::string_view unit,
            std::initializer_list<Detail> details = {});

/// Writes that a case was left out, and why.
void report_left_out(std::string_view group, std::string_view what, std::string_view why);

/// "4 GiB", "512 B": by the largest unit that divides it.
[[nodiscard]] std::string in_words(std::uint64_t bytes);

}  // namespace tenure::bench
