#include "core/runtime/option_table.hpp"

#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/runtime/generation_options.hpp"
#include "tenure/object.hpp"
#include "tenure/statistics.hpp"

namespace tenure {

namespace {

bool read_number(std::string_view text, std::uint64_t least, std::uint64_t most,
                 std::uint64_t& value) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < least || number > most) {
    return false;
  }
  value = number;
  return true;
}

template <auto kField, std::uint64_t kLeast, std::uint64_t kMost>
bool read_count(Config& config, std::string_view text) {
  std::uint64_t number = 0;
  if (!read_number(text, kLeast, kMost, number)) {
    return false;
  }
  using Field = std::remove_reference_t<decltype(config.*kField)>;
  config.*kField = static_cast<Field>(number);
  return true;
}

template <auto kField, std::uint64_t kLeast, std::uint64_t kMost>
bool read_bytes(Config& config, std::string_view text) {
  if (text == "unlimited" && kMost == kUnlimited.count()) {
    config.*kField = kUnlimited;
    return true;
  }
  const Result<Bytes> size = parse_bytes(text);
  if (!size || size->count() < kLeast || size->count() > kMost) {
    return false;
  }
  config.*kField = *size;
  return true;
}

template <auto kField>
bool read_flag(Config& config, std::string_view text) {
  const bool on = text == "on" || text == "true" || text == "1";
  const bool off = text == "off" || text == "false" || text == "0";
  config.*kField = on;
  return on || off;
}

template <auto kField>
bool read_share(Config& config, std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  config.*kField = number;
  return error == std::errc{} && end == text.data() + text.size() && number >= 0 && number <= 1;
}

// "3" for all, or "3/3/2". How many there may be is asked once all options are read.
template <auto kField, std::uint64_t kLeast, std::uint64_t kMost>
bool read_list(Config& config, std::string_view text) {
  std::vector<std::uint32_t> numbers;
  for (bool more = true; more;) {
    const std::size_t length = text.find('/');
    more = length != std::string_view::npos;
    std::uint64_t number = 0;
    if (!read_number(text.substr(0, length), kLeast, kMost, number)) {
      return false;
    }
    numbers.push_back(static_cast<std::uint32_t>(number));
    text.remove_prefix(more ? length + 1 : 0);
  }
  config.*kField = PerGeneration(std::move(numbers));
  return true;
}

template <auto kField>
std::string write_count(const Config& config) {
  return std::to_string(config.*kField);
}

// Exact, and short where it can be: "0.3".
template <auto kField>
std::string write_share(const Config& config) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), config.*kField).ptr;
  return {text.data(), end};
}

// Exact, and short where it can be: "8MiB", "1000B".
template <auto kField>
std::string write_bytes(const Config& config) {
  std::uint64_t count = (config.*kField).count();
  if (count == kUnlimited.count()) {
    return "unlimited";
  }
  constexpr std::array kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (count > 0 && count % 1024 == 0 && unit + 1 < kUnits.size()) {
    count /= 1024;
    ++unit;
  }
  return std::to_string(count) + kUnits[unit];
}

template <auto kField>
std::string write_flag(const Config& config) {
  return config.*kField ? "on" : "off";
}

std::string write_ages(const Config& config) { return to_text(ages_of(config)); }
std::string write_ratios(const Config& config) { return to_text(ratios_of(config)); }

bool read_mode(Config& config, std::string_view text) {
  for (const Mode mode :
       {Mode::kManual, Mode::kAutomatic, Mode::kIncremental, Mode::kConcurrent, Mode::kAdaptive}) {
    if (text == to_string(mode)) {
      config.mode = mode;
      return true;
    }
  }
  return false;
}
std::string write_mode(const Config& config) { return std::string(to_string(config.mode)); }

bool read_marker(Config& config, std::string_view text) {
  for (const MarkerChoice choice :
       {MarkerChoice::kAuto, MarkerChoice::kHost, MarkerChoice::kCuda}) {
    if (text == to_string(choice)) {
      config.marker = choice;
      return true;
    }
  }
  return false;
}
std::string write_marker(const Config& config) { return std::string(to_string(config.marker)); }

bool read_check(Config& config, std::string_view text) {
  for (const Check check : {Check::kOff, Check::kPayload}) {
    if (text == to_string(check)) {
      config.check = check;
      return true;
    }
  }
  return false;
}
std::string write_check(const Config& config) { return std::string(to_string(config.check)); }

bool read_profile(Config& config, std::string_view text) {
  for (const ProfileLevel level : {ProfileLevel::kNone, ProfileLevel::kBasic,
                                   ProfileLevel::kDetailed, ProfileLevel::kComprehensive}) {
    if (text == to_string(level)) {
      config.profile = level;
      return true;
    }
  }
  return false;
}
std::string write_profile(const Config& config) { return std::string(to_string(config.profile)); }

bool read_plans(Config& config, std::string_view text) {
  for (const PayloadPlans plans : {PayloadPlans::kOff, PayloadPlans::kAwaited, PayloadPlans::kOn}) {
    if (text == to_string(plans)) {
      config.plan_payloads = plans;
      return true;
    }
  }
  return false;
}
std::string write_plans(const Config& config) {
  return std::string(to_string(config.plan_payloads));
}

bool read_strategy(Config& config, std::string_view text) {
  const std::optional<AllocationStrategy> strategy = allocation_strategy_of(text);
  config.payload_strategy = strategy.value_or(config.payload_strategy);
  return strategy.has_value();
}
std::string write_strategy(const Config& config) {
  return std::string(to_string(config.payload_strategy));
}

// Whether there is such a device is found out when it is opened.
bool read_device(Config& config, std::string_view text) {
  config.device = text;
  return !text.empty();
}
std::string write_device(const Config& config) { return config.device; }

constexpr std::uint64_t operator""_K(unsigned long long count) { return count << 10; }
constexpr std::uint64_t operator""_M(unsigned long long count) { return count << 20; }
constexpr std::uint64_t operator""_G(unsigned long long count) { return count << 30; }
constexpr std::uint64_t kMax = kUnlimited.count();

constexpr std::array kOptions{
    Option{"mode", "TENURE_MODE", "manual, automatic, incremental, concurrent or adaptive",
           "who starts a collection, and who marks", read_mode, write_mode},
    Option{"generations", "TENURE_GENERATIONS", "1 to 8",
           "generations; with 1 there is no nursery and nothing moves",
           read_count<&Config::generations, 1, kMaxGenerations>, write_count<&Config::generations>},
    Option{"promotion_age", "TENURE_PROMOTION_AGE",
           "1 to 15, for all or for each young generation, as in 3/3",
           "collections survived in a generation before an object goes up one; not set: learnt",
           read_list<&Config::promotion_age, 1, kAgeLimit>, write_ages},
    Option{"collection_ratio", "TENURE_COLLECTION_RATIO",
           "0 to 1000000000, for all older ones or for each generation, as in 1/10/50",
           "a generation is collected with every n-th young collection; 0: not by turn",
           read_list<&Config::collection_ratio, 0, 1'000'000'000>, write_ratios},
    Option{"nursery", "TENURE_NURSERY", "256KiB to 1GiB",
           "what generation 0 takes before it is collected",
           read_bytes<&Config::nursery, 256_K, 1_G>, write_bytes<&Config::nursery>},
    Option{"old_start", "TENURE_OLD_START", "1MiB to 31GiB", "the oldest generation's first limit",
           read_bytes<&Config::old_start, 1_M, 31_G>, write_bytes<&Config::old_start>},
    Option{"heap_limit", "TENURE_HEAP_LIMIT", "1MiB to 31GiB",
           "all objects together, without payloads", read_bytes<&Config::heap_limit, 1_M, 31_G>,
           write_bytes<&Config::heap_limit>},
    Option{"large_object", "TENURE_LARGE_OBJECT", "1KiB to 128KiB",
           "objects at least this big are born old", read_bytes<&Config::large_object, 1_K, 128_K>,
           write_bytes<&Config::large_object>},
    Option{"max_pause_us", "TENURE_MAX_PAUSE_US", "10 to 60000000",
           "microseconds that no stop and no slice should pass",
           read_count<&Config::max_pause_us, 10, 60'000'000>, write_count<&Config::max_pause_us>},
    Option{"incremental", "TENURE_INCREMENTAL", "on or off",
           "a marking that would pass max_pause_us is done in slices",
           read_flag<&Config::incremental>, write_flag<&Config::incremental>},
    Option{"gc_workers", "TENURE_GC_WORKERS", "0 to 64",
           "threads that share a collection's work; 0: one a core, 16 at most",
           read_count<&Config::gc_workers, 0, 64>, write_count<&Config::gc_workers>},
    Option{
        "marker", "TENURE_MARKER", "auto, host or cuda",
        "who marks in a full collection; auto: whoever was faster, where payloads are on a device",
        read_marker, write_marker},
    Option{"compaction", "TENURE_COMPACTION", "on or off",
           "objects of the oldest generation may move", read_flag<&Config::compaction>,
           write_flag<&Config::compaction>},
    Option{"compact_at", "TENURE_COMPACT_AT", "0 to 1",
           "share of holes in partly filled blocks above which a full collection compacts",
           read_share<&Config::compact_at>, write_share<&Config::compact_at>},
    Option{"payload_budget", "TENURE_PAYLOAD_BUDGET", "2MiB or more, or unlimited",
           "bytes that a pool may map", read_bytes<&Config::payload_budget, 2_M, kMax>,
           write_bytes<&Config::payload_budget>},
    Option{"payload_strategy", "TENURE_PAYLOAD_STRATEGY",
           "best_fit, first_fit, next_fit, worst_fit or segregated_fit",
           "which free hole of a pool a payload gets", read_strategy, write_strategy},
    Option{
        "write_barriers", "TENURE_WRITE_BARRIERS", "on or off",
        "stores note where old objects name younger ones; off: young collections look everywhere",
        read_flag<&Config::write_barriers>, write_flag<&Config::write_barriers>},
    Option{"watch_system_ms", "TENURE_WATCH_SYSTEM_MS", "0 to 3600000",
           "milliseconds between looks at the machine's memory, once there is a pressure callback",
           read_count<&Config::watch_system_ms, 0, 3'600'000>,
           write_count<&Config::watch_system_ms>},
    Option{"publish_ms", "TENURE_PUBLISH_MS", "0 to 3600000",
           "milliseconds between writings of the runtime's figures, for `tenure top`; 0 is none",
           read_count<&Config::publish_ms, 0, 3'600'000>, write_count<&Config::publish_ms>},
    Option{
        "plan_payloads", "TENURE_PLAN_PAYLOADS", "on, awaited or off",
        "payloads are laid out ahead of time where requests repeat: by a thread, when waited for, "
        "or not",
        read_plans, write_plans},
    Option{"device", "TENURE_DEVICE", "auto, host, sim:SIZE as in sim:80GiB, or cuda:NUMBER",
           "where payloads lie", read_device, write_device},
    Option{"strict_memory_kind", "TENURE_STRICT_MEMORY_KIND", "on or off",
           "refuse a memory kind that the device has not, instead of using the host's",
           read_flag<&Config::strict_memory_kind>, write_flag<&Config::strict_memory_kind>},
    Option{"verify", "TENURE_VERIFY", "on or off", "verify the heap after each collection",
           read_flag<&Config::verify>, write_flag<&Config::verify>},
    Option{"check", "TENURE_CHECK", "off or payload",
           "payload: stop at a payload's early reuse, double free, overrun or use after free",
           read_check, write_check},
    Option{"profile", "TENURE_PROFILE", "none, basic, detailed or comprehensive",
           "how much of what the program allocates is watched", read_profile, write_profile},
    Option{"sample_interval", "TENURE_SAMPLE_INTERVAL", "1 to 1TiB",
           "bytes for which one allocation is followed, on average; 1: every one",
           read_bytes<&Config::sample_interval, 1, 1024_G>, write_bytes<&Config::sample_interval>},
    Option{"profile_stacks", "TENURE_PROFILE_STACKS", "on or off",
           "note the calls that led to an allocation that is followed",
           read_flag<&Config::profile_stacks>, write_flag<&Config::profile_stacks>},
    Option{"collect_every", "TENURE_COLLECT_EVERY", "0 or more",
           "stress: a young collection before every n-th allocation; 0 for none",
           read_count<&Config::collect_every, 0, kMax>, write_count<&Config::collect_every>},
    Option{"seed", "TENURE_SEED", "0 or more", "for everything that draws",
           read_count<&Config::seed, 0, kMax>, write_count<&Config::seed>},
};

}  // namespace

std::span<const Option> option_table() { return kOptions; }

const Option* find_option(std::string_view name) {
  for (const Option& option : kOptions) {
    if (option.name == name) {
      return &option;
    }
  }
  return nullptr;
}

bool is_same(const Option& option, const Config& one, Config other) {
  if (option.name != "generations") {
    other.generations = one.generations;
  }
  return option.write(one) == option.write(other);
}

}  // namespace tenure
