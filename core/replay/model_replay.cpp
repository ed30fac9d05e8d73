#include "core/replay/model_replay.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "core/policy/model.hpp"

namespace tenure {

namespace {

// Once through the trace, and whatever lives then is freed. A model has no clock, so that the prologue
// is like the rest.
Result<void> play(const TraceData& trace, const ReplayOptions& options, PolicyModel& model) {
  std::vector<bool> live(trace.figures().allocations);
  for (const TraceEvent& event : trace.events()) {
    if (event.op == TraceOp::kFree) {
      model.free(event.block);
      live[event.block] = false;
      continue;
    }
    const std::uint16_t stream =
        options.streams == ReplayStreams::kOne ? std::uint16_t{0} : event.stream;
    const Result<void> done = model.allocate(
        event.block, {.bytes = event.bytes, .stream = stream, .device = event.device});
    if (!done) {
      return Error{done.failure().code,
                   trace.path() + ":" + std::to_string(event.line) + ": " + done.failure().message};
    }
    live[event.block] = true;
  }
  for (std::uint32_t block = 0; block < live.size(); ++block) {
    if (live[block]) model.free(block);
  }
  return {};
}

}  // namespace

double utilisation_of(const TraceData& trace, Bytes reserved) {
  return reserved.is_zero() ? 1.0
                            : static_cast<double>(trace.figures().peak_live.count()) /
                                  static_cast<double>(reserved.count());
}

Result<ReplayReport> replay_model(const TraceData& trace, const ReplayOptions& options) {
  const std::unique_ptr<PolicyModel> model = make_model(options.policy, options.capacity);
  ReplayReport report;
  report.trace = trace.name();
  report.device = "model";
  report.policy = options.policy;
  report.events = trace.window().size() * options.repetitions;
  report.peak_live = trace.figures().peak_live;
  for (std::uint32_t k = 0; k < options.repetitions; ++k) {
    model->reset_peak();
    if (Result<void> done = play(trace, options, *model); !done) {
      return done.failure();
    }
    const Bytes reserved = model->peak_reserved();
    report.repetitions.push_back({.peak_reserved = reserved,
                                  .utilisation = utilisation_of(trace, reserved),
                                  .leases = trace.figures().allocations});
    report.peak_reserved = std::max(report.peak_reserved, reserved);
  }
  report.utilisation = utilisation_of(trace, report.peak_reserved);
  return report;
}

}  // namespace tenure
