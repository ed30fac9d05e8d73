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
  std::string (*write)(const Config&);      // what is in force, so that it reads back
};

[[nodiscard]] std::span<const Option> option_table();

/// Null where no option is called so.
[[nodiscard]] const Option* find_option(std::string_view name);

/// Whether both have the same value. Lists are by default as long as there are generations; that they
/// differ in length because these do does not count.
[[nodiscard]] bool is_same(const Option& option, const Config& one, Config other);

}  // namespace tenure
