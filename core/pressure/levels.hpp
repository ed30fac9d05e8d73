// A share of a limit, as a level. A level that was passed is left only some way below it, so that a
// share that stands on the edge is told once.
//
// Numbers in, decisions out.
#pragma once

#include "tenure/pressure.hpp"

namespace tenure {

/// The level of a share, without a past.
[[nodiscard]] PressureLevel level_of(double share);

/// How near its limit a machine is whose tasks wait for memory for that part of their time: a tenth is
/// kModerate, three tenths kHigh, six tenths kCritical.
///
/// stall   0 to 1, as in MemoryReading
/// Source: systemd-oomd kills where some tasks waited for 60 % of half a minute (oomd.conf(5)).
[[nodiscard]] double share_for_stall(double stall);

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
