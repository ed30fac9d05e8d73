#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "core/base/check.hpp"
#include "core/observe/trace.hpp"
#include "core/plan/packing.hpp"
#include "tenure/plan.hpp"

namespace tenure {

namespace {

constexpr Bytes kStep{512};  // that pools round to

}  // namespace

Result<TracePlan> plan_trace(const Trace& trace) {
  const TraceData& data = trace.data();
  if (data.figures().devices.size() > 1 || data.figures().allocations == 0) {
    return Error{ErrorCode::kBadTrace,
                 data.path() + ": a plan is for one device, and for one block at least"};
  }
  TracePlan plan;
  plan.trace = std::string(data.name());
  plan.peak_live = data.figures().peak_live;
  plan.blocks.resize(data.figures().allocations);
  std::uint64_t now = 0;
  for (const TraceEvent& event : data.events()) {
    PlannedBlock& block = plan.blocks[event.block];
    if (event.op == TraceOp::kFree) {
      block.end = now;
    } else {
      block = {.begin = now,
               .end = data.events().size(),
               .bytes = Bytes{event.bytes},
               .site = SiteId{event.site}};
    }
    ++now;
  }
  std::vector<Lifetime> lives;
  for (const PlannedBlock& block : plan.blocks) {
    lives.push_back({.begin = static_cast<std::uint32_t>(block.begin),
                     .end = static_cast<std::uint32_t>(block.end),
                     .bytes = round_up(block.bytes, kStep).count()});
  }
  const auto begun = std::chrono::steady_clock::now();
  const Layout layout = pack(lives);
  plan.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  const std::string fault = fault_of(lives, layout);
  check(fault.empty(), fault.empty() ? "" : fault);
  for (std::size_t k = 0; k < lives.size(); ++k) {
    plan.blocks[k].offset = Bytes{layout.offsets[k]};
  }
  plan.bound = Bytes{peak_of(lives)};
  plan.height = Bytes{layout.height};
  return plan;
}

}  // namespace tenure
