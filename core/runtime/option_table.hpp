// The options, one row each: how it is called, what it takes, how it is read and written.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "tenure/config.hpp"

namespace tenure {

struct Option {
  std::string_view name;
  std::string_view environment;
  std::string_view range;
  std::string_view help;
  bool (*read)(Config&, std::string_view);  // false: not a value, or out of range
  std::string (*write)(const Config&);
};

[[nodiscard]] std::span<const Option> option_table();

/// Null where no option is called so.
[[nodiscard]] const Option* find_option(std::string_view name);

}  // namespace tenure
