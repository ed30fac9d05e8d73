// The runtime options of a call: what the command line says goes before what the environment does.
#pragma once

#include <string>

#include "tenure/config.hpp"
#include "tenure/result.hpp"

namespace tenure::cli {

/// `base`, over it the environment, over that `settings`, as in "nursery=8MiB,mode=manual".
///
/// The variables of all options are then taken out of the environment: Runtime::open sets them over
/// what it is given, and would undo the command line.
///
/// errors   kBadConfig: names the option or the variable
/// threads  before others are started
[[nodiscard]] Result<Config> take_settings(const std::string& settings, const Config& base = {});

}  // namespace tenure::cli
