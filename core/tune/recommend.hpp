// What a load asks for: figures of a stretch of the program in, changes worth a trial out.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/tune/strategies.hpp"
#include "tenure/bytes.hpp"
#include "tenure/optimizer.hpp"
#include "tenure/profile.hpp"

namespace tenure {

/// A program for a while.
struct LoadFigures {
  ProgramCounters began;
  ProgramCounters ended;

  double nursery = 0;         // bytes: the most that is used of it
  double nursery_in_use = 0;  // less where the pause target wants it so
  double nursery_most = 0;    // that it may be set to

  double large_object = 0;        // bytes: objects at least this big are born old
  double large_object_least = 0;  // that it may be set to
  std::array<double, AllocationPatterns::kBins> size_histogram{};  // zero where sizes are not known

  double copies_ahead = 0;     // that wait to be read in a copying collection
  double accesses = 0;         // uses that the program noted
  double accesses_beside = 0;  // of those, near what was used just before, and not of it

  bool collects_at_boundaries = false;
  std::uint64_t batches = 0;    // that the program marked the end of
  double batch_bytes = 0;       // the mean of the last ones
  double batch_unevenness = 0;  // their deviation, as a part of it
};

/// The knee of a histogram of sizes: the size from which on few objects have most bytes.
struct Knee {
  double size = 0;              // bytes; 0 where there is none
  double share_of_bytes = 0;    // in objects at least that big, of those below `most`
  double share_of_objects = 0;  // likewise
};

/// histogram  objects up to 16 bytes, up to 32, and so on
/// source     the point of a Lorenz curve that is farthest from the diagonal
[[nodiscard]] Knee find_knee(const std::array<double, AllocationPatterns::kBins>& histogram,
                             double least, double most);

/// All that is worth a trial with the given confidence or more, by priority, then by what it promises.
[[nodiscard]] std::vector<OptimizationRecommendation> recommend(
    const LoadFigures& load, const OptimizationParameters& parameters);

}  // namespace tenure
