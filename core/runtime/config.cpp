#include "tenure/config.hpp"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>

#include "core/runtime/generation_options.hpp"
#include "core/runtime/option_table.hpp"

namespace tenure {

namespace {

Error bad(std::string message) { return Error{ErrorCode::kBadConfig, std::move(message)}; }

std::string known_options() {
  std::string names;
  for (const Option& option : option_table()) {
    names += (names.empty() ? "" : ", ") + std::string(option.name);
  }
  return names;
}

Result<void> set(Config& config, const Option& option, std::string_view value,
                 std::string_view called) {
  if (!option.read(config, value)) {
    return bad(std::string(called) + " cannot be \"" + std::string(value) + "\"; it takes " +
               std::string(option.range));
  }
  return {};
}

}  // namespace

std::string_view to_string(Mode mode) {
  switch (mode) {
    case Mode::kManual:
      return "manual";
    case Mode::kAutomatic:
      return "automatic";
    case Mode::kIncremental:
      return "incremental";
    case Mode::kConcurrent:
      return "concurrent";
    case Mode::kAdaptive:
      return "adaptive";
  }
  return "unknown";
}

std::string_view to_string(Check check) { return check == Check::kOff ? "off" : "payload"; }

std::string_view to_string(ProfileLevel level) {
  switch (level) {
    case ProfileLevel::kNone:
      return "none";
    case ProfileLevel::kBasic:
      return "basic";
    case ProfileLevel::kDetailed:
      return "detailed";
    case ProfileLevel::kComprehensive:
      return "comprehensive";
  }
  return "unknown";
}

std::string_view to_string(PayloadPlans plans) {
  switch (plans) {
    case PayloadPlans::kOff:
      return "off";
    case PayloadPlans::kAwaited:
      return "awaited";
    case PayloadPlans::kOn:
      return "on";
  }
  return "?";
}

std::string_view to_string(MarkerChoice choice) {
  switch (choice) {
    case MarkerChoice::kAuto:
      return "auto";
    case MarkerChoice::kHost:
      return "host";
    case MarkerChoice::kCuda:
      return "cuda";
  }
  return "unknown";
}

Result<Config> parse_config(std::string_view text, const Config& base) {
  Config config = base;
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), item.size() + 1));
    const std::size_t equals = item.find('=');
    const std::string_view name = item.substr(0, equals);
    const Option* const option = find_option(name);
    if (option == nullptr || equals == std::string_view::npos) {
      return bad('"' + std::string(item) + "\" is no option=value; options are " + known_options());
    }
    if (Result<void> done = set(config, *option, item.substr(equals + 1), name); !done) {
      return done.failure();
    }
  }
  if (Result<void> sound = check_config(config); !sound) {
    return sound.failure();
  }
  return config;
}

Result<Config> config_from_environment(const Config& base) {
  Config config = base;
  for (const Option& option : option_table()) {
    const std::string variable(option.environment);
    if (const char* const value = std::getenv(variable.c_str()); value != nullptr) {
      if (Result<void> done = set(config, option, value, variable); !done) {
        return done.failure();
      }
    }
  }
  return config;
}

Result<void> check_config(const Config& config) {
  for (const Option& option : option_table()) {
    Config scratch;
    const std::string value = option.write(config);
    if (!option.read(scratch, value)) {
      return bad(std::string(option.name) + " is " + (value.empty() ? "empty" : value) +
                 "; it takes " + std::string(option.range));
    }
  }
  if (Result<void> sound = check_generations(config); !sound) {
    return sound.failure();
  }
  if (config.mode == Mode::kIncremental && !config.incremental) {
    return bad(
        "mode is incremental, and incremental is off: it marks in slices and in no other way");
  }
  if (!config.write_barriers &&
      (config.mode == Mode::kIncremental || config.mode == Mode::kConcurrent)) {
    return bad("write_barriers are off, and mode is " + std::string(to_string(config.mode)) +
               ": a marking beside mutators is told by them of each store");
  }
  if (!config.write_barriers && config.marker == MarkerChoice::kCuda) {
    return bad("write_barriers are off, and marker is cuda: its copy of the heap follows them");
  }
  if (config.generations > 1 && config.nursery * 2 > config.heap_limit) {
    return bad("a nursery of " + to_string(config.nursery) + " is more than half of heap_limit " +
               to_string(config.heap_limit) + ": its survivors would have no room");
  }
  if (config.generations > 1 && config.large_object * 8 > config.nursery) {
    return bad("large_object " + to_string(config.large_object) +
               " is more than an eighth of the nursery, " + to_string(config.nursery));
  }
  return {};
}

std::vector<ConfigRow> describe(const Config& config) {
  std::vector<ConfigRow> rows;
  const Config defaults;
  for (const Option& option : option_table()) {
    rows.push_back({.name = option.name,
                    .environment = option.environment,
                    .range = option.range,
                    .help = option.help,
                    .value = option.write(config),
                    .source = is_same(option, config, defaults) ? ConfigSource::kDefault
                                                                : ConfigSource::kUser});
  }
  return rows;
}

}  // namespace tenure
