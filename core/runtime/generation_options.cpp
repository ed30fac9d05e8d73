#include "core/runtime/generation_options.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "tenure/statistics.hpp"

namespace tenure {

namespace {

// Three survivals tell what stays from what was young at the wrong moment. Why fewer from the third
// generation on: it is collected so seldom that a survival there stands for five or more of the
// generation below, and each is a copy of nearly everything.
constexpr std::uint32_t kAges[] = {3, 3, 2, 2, 2, 2, 2};
static_assert(std::size(kAges) == kMaxGenerations - 1);

// Source: the ratios 1, 10, 50 that users of the predecessor were promised, and on by its last step.
constexpr std::uint32_t kRatios[] = {1, 10, 50, 250, 1250, 6250, 31250, 156250};
static_assert(std::size(kRatios) == kMaxGenerations);

// Options are shown before they are checked, so that the number of generations may be any.
std::size_t generations_of(const Config& config) {
  return std::clamp<std::uint32_t>(config.generations, 1, kMaxGenerations);
}

PerGeneration first_of(const std::uint32_t* numbers, std::size_t count) {
  return PerGeneration(std::vector<std::uint32_t>(numbers, numbers + count));
}

std::string count(std::size_t number, const char* of) {
  return std::to_string(number) + " " + of + (number == 1 ? "" : "s");
}

Error bad_list(const char* option, const PerGeneration& list, std::string why) {
  return {ErrorCode::kBadConfig, std::string(option) + " is " + to_text(list) + why};
}

}  // namespace

PerGeneration ages_of(const Config& config) {
  const std::size_t young = std::max<std::size_t>(generations_of(config) - 1, 1);
  return config.promotion_age.is_default() ? first_of(kAges, young) : config.promotion_age;
}

bool adapts_ages(const Config& config) {
  return config.promotion_age.is_default() && config.mode != Mode::kManual;
}

PerGeneration ratios_of(const Config& config) {
  return config.collection_ratio.is_default() ? first_of(kRatios, generations_of(config))
                                              : config.collection_ratio;
}

Result<void> check_generations(const Config& config) {
  const PerGeneration ages = ages_of(config);
  const std::size_t young = config.generations - 1;
  if (!ages.is_for_all() && ages.numbers().size() != young) {
    return bad_list("promotion_age", ages,
                    ", " + count(ages.numbers().size(), "age") + ", and of " +
                        count(config.generations, "generation") + " " + std::to_string(young) +
                        (young == 1 ? " is" : " are") + " young: it takes as many, or one for all");
  }
  const PerGeneration ratios = ratios_of(config);
  if (ratios.is_for_all()) {
    return {};
  }
  if (ratios.numbers().size() != config.generations) {
    return bad_list("collection_ratio", ratios,
                    ", " + count(ratios.numbers().size(), "ratio") + ", and there " +
                        (config.generations == 1 ? "is " : "are ") +
                        count(config.generations, "generation") +
                        ": it takes as many, or one for all but the youngest");
  }
  if (ratios[0] != 1) {
    return bad_list("collection_ratio", ratios,
                    ", and begins with 1: every young collection takes generation 0");
  }
  return {};
}

std::string to_text(const PerGeneration& numbers) {
  std::string text;
  for (const std::uint32_t number : numbers.numbers()) {
    text += (text.empty() ? "" : "/") + std::to_string(number);
  }
  return text;
}

}  // namespace tenure
