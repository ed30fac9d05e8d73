#include "tools/cli/settings.hpp"

#include <cstdlib>

namespace tenure::cli {

Result<Config> take_settings(const std::string& settings, const Config& base) {
  const Result<Config> environment = config_from_environment(base);
  if (!environment) {
    return environment.failure();
  }
  Result<Config> config = parse_config(settings, *environment);
  for (const ConfigRow& row : describe(base)) {
    unsetenv(std::string(row.environment).c_str());
  }
  return config;
}

}  // namespace tenure::cli
