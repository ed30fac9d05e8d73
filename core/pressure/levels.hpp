// A share of a limit, as a level. A level that was passed is left only some way below it, so that a
// share that stands on the edge is told once.
//
// Numbers in, decisions out.
#pragma once

#include "tenure/pressure.hpp"

namespace tenure {

/// The level of a share, without a past.
[[nodiscard]] PressureLevel level_of(double share);

/// threads  one at a time
class LevelTracker {
 public:
  /// Takes the share as it is now; says whether it passed a level upwards since the last time.
  bool follow(double share);
  [[nodiscard]] PressureLevel level() const { return level_; }

 private:
  PressureLevel level_ = PressureLevel::kNone;
};

}  // namespace tenure
