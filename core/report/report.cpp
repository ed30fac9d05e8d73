#include "tenure/report.hpp"

#include <optional>
#include <string>

#include "core/observe/text_file.hpp"
#include "core/report/parts.hpp"
#include "tenure/runtime.hpp"

namespace tenure {

namespace {

constexpr int kVersion = 1;

}  // namespace

Result<void> write_report(Runtime& runtime, const std::string& path, const ReportOptions& options) {
  if (!runtime.is_open()) {
    return Error{ErrorCode::kClosed, "the runtime was closed; there is nothing to report of it"};
  }
  // First of all, so that no events are taken for a file that cannot be.
  Result<TextFile> file = TextFile::create(path);
  if (!file) {
    return file.failure();
  }
  // Then what sees least of the others' work.
  const Result<std::vector<PayloadMap>> maps = take_payload_maps(runtime);
  if (!maps) {
    return maps.failure();
  }
  const Statistics statistics = runtime.statistics();
  const bool is_watched = profile_level(runtime) != ProfileLevel::kNone;
  std::optional<EventBatch> events;
  std::optional<Profile> profile;
  if (is_watched) {
    Result<EventBatch> taken = take_events(runtime);
    if (!taken) {
      return taken.failure();
    }
    events = *std::move(taken);
    Result<Profile> known = take_profile(runtime);
    if (!known) {
      return known.failure();
    }
    profile = *std::move(known);
  }
  std::optional<HeapSnapshot> snapshot;
  if (options.snapshot) {
    Result<HeapSnapshot> taken = take_snapshot(runtime);
    if (!taken) {
      return taken.failure();
    }
    snapshot = *std::move(taken);
  }

  JsonRows out(*file);
  out.object([&] {
    out.put("format", "tenure report");
    out.put("version", kVersion);
    out.put("title", options.title);
    put_configuration(runtime.describe(), out);
    put_statistics(statistics, out);
    put_decisions(decisions(runtime), out);
    put_maps(*maps, out);
    if (profile) {
      put_profile(*profile, out);
      put_events(*events, out);
    }
    if (snapshot) {
      put_heap(*snapshot, options.holders, out);
    }
  });
  *file << "\n";
  return file->finish();
}

}  // namespace tenure
