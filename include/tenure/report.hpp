// All that can be known of a runtime, in one file: for `tenure report`, that makes text or a page of it.
#pragma once

#include <cstdint>
#include <string>

#include "tenure/result.hpp"

namespace tenure {

class Runtime;

struct ReportOptions {
  std::string title;     // for the head of the page; the program's name, say
  bool snapshot = true;  // what lives, what holds it, and why; see `take_snapshot` for its cost
  std::uint32_t holders =
      25;  // of the objects that retain most, so many are listed with their paths
};

/// Writes configuration, statistics, pools and what lies where in them; from profile level `detailed` on
/// sites and a timeline, from `basic` on the events since they were last taken, which are taken by it; and
/// what a snapshot says of the heap.
///
/// path     JSON, as docs/report.schema.json has it; is replaced as a whole, or stays as it was
/// cost     that of `take_profile`, of `take_snapshot` and `find_retention`, and of `take_payload_maps`
/// errors   kFile; kOutOfMemory: no room for the snapshot; kClosed
/// threads  anyone but a root callback
[[nodiscard]] Result<void> write_report(Runtime& runtime, const std::string& path,
                                        const ReportOptions& options = {});

}  // namespace tenure
