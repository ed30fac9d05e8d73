// The options that are numbers by generation: what they are by default, and what makes sense.
#pragma once

#include <string>

#include "tenure/config.hpp"
#include "tenure/per_generation.hpp"
#include "tenure/result.hpp"

namespace tenure {

/// The ages in force, one for each young generation. Where there is none it is one all the same, so
/// that it can be shown.
[[nodiscard]] PerGeneration ages_of(const Config& config);
/// Whether the ages are the most, and less is used where ageing does not pay.
[[nodiscard]] bool adapts_ages(const Config& config);

/// The ratios in force, one for each generation, or one for all but the youngest.
[[nodiscard]] PerGeneration ratios_of(const Config& config);

/// Whether the lists are as long as the generations ask.
///
/// errors   kBadConfig: the list, its length, and what it should be
[[nodiscard]] Result<void> check_generations(const Config& config);

/// "3/3/2"
[[nodiscard]] std::string to_text(const PerGeneration& numbers);

}  // namespace tenure
