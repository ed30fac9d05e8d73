// What a collector knows, as files for people and for other programs.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <string>

#include "python/src/collector.hpp"
#include "python/src/wrappers.hpp"
#include "tenure/payload_map.hpp"
#include "tenure/report.hpp"

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

}  // namespace

void bind_reports(nb::class_<Collector>& type) {
  type.def("torch_snapshot", write_torch_snapshot, nb::arg("path"))
      .def("report", write_report, nb::arg("path"), nb::arg("title"), nb::arg("snapshot"));
}

}  // namespace tenure::python
