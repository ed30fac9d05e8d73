// What a collector knows, as files for people and for other programs.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>

#include <optional>
#include <string>
#include <string_view>

#include "python/src/collector.hpp"
#include "python/src/wrappers.hpp"
#include "tenure/events.hpp"
#include "tenure/export.hpp"
#include "tenure/payload_map.hpp"
#include "tenure/profile.hpp"
#include "tenure/report.hpp"
#include "tenure/snapshot_files.hpp"

namespace tenure::python {

namespace {

void write_torch_snapshot(Collector& collector, const std::string& path) {
  collector.ask([&](GarbageCollector& facade) {
    value_or_throw(
        tenure::write_torch_snapshot(value_or_throw(take_payload_maps(facade.runtime())), path));
  });
}

void write_report(Collector& collector, const std::string& path, const std::string& title,
                  bool snapshot) {
  collector.ask([&](GarbageCollector& facade) {
    value_or_throw(
        tenure::write_report(facade.runtime(), path, {.title = title, .snapshot = snapshot}));
  });
}

void write_snapshot(Collector& collector, const std::string& path, std::string_view format) {
  const std::optional<SnapshotFormat> known = snapshot_format(format);
  if (!known) {
    throw Failure({ErrorCode::kBadArgument, "there is no format of snapshots called \"" +
                                                std::string(format) +
                                                "\"; there are heapsnapshot and json"});
  }
  collector.ask([&](GarbageCollector& facade) {
    value_or_throw(
        tenure::write_snapshot(value_or_throw(take_snapshot(facade.runtime())), path, *known));
  });
}

nb::bytes pprof(Collector& collector) {
  const std::string profile = collector.ask([](GarbageCollector& facade) {
    return to_pprof(value_or_throw(take_profile(facade.runtime())));
  });
  return nb::bytes(profile.data(), profile.size());
}

std::string chrome_trace(Collector& collector) {
  return collector.ask([](GarbageCollector& facade) {
    return to_chrome_trace(value_or_throw(take_events(facade.runtime())));
  });
}

}  // namespace

void bind_reports(nb::class_<Collector>& type) {
  type.def("torch_snapshot", write_torch_snapshot, nb::arg("path"))
      .def("snapshot", write_snapshot, nb::arg("path"), nb::arg("format"))
      .def("pprof", pprof)
      .def("chrome_trace", chrome_trace)
      .def("report", write_report, nb::arg("path"), nb::arg("title"), nb::arg("snapshot"));
}

}  // namespace tenure::python
