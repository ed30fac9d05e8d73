// What the library knows, in forms that other programs read. Texts and bytes; writing a file is the
// caller's.
#pragma once

#include <string>

#include "tenure/profile.hpp"
#include "tenure/statistics.hpp"

namespace tenure {

/// A heap profile for pprof: profile.proto, compressed by gzip. `pprof -http=: FILE` opens it.
///
/// Its values are those of Go's heap profiles: alloc_objects, alloc_space, inuse_objects, inuse_space; each
/// site is a sample, its type a label.
///
/// source   https://github.com/google/pprof/blob/main/proto/profile.proto
[[nodiscard]] std::string to_pprof(const Profile& profile);

/// The figures as text that Prometheus and OpenTelemetry's collectors scrape: OpenMetrics 1.0.
///
/// source   https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md
[[nodiscard]] std::string to_open_metrics(const Statistics& statistics);

}  // namespace tenure
