// Maps of pools in the form of PyTorch's memory snapshots.
#include <algorithm>
#include <string>

#include "core/observe/pickle_writer.hpp"
#include "core/observe/text_file.hpp"
#include "tenure/payload_map.hpp"

namespace tenure {

namespace {

bool is_payload(const PayloadPlace& place) {
  return place.state == PlaceState::kLeased || place.state == PlaceState::kEvicted;
}

// "site 12, client torch, stream 3, evicted": what stands where others have a stack.
std::string describe(const PayloadPlace& place, const PayloadMap& map) {
  std::string text = place.site == SiteId::kUnknown
                         ? "unknown site"
                         : "site " + std::to_string(static_cast<std::uint32_t>(place.site));
  const auto client = static_cast<std::size_t>(place.client);
  if (client != 0 && client < map.clients.size()) {
    text += ", client " + map.clients[client];
  }
  text += ", stream " + std::to_string(static_cast<std::uint32_t>(place.stream));
  return text + (place.state == PlaceState::kEvicted ? ", evicted" : "");
}

void put_block(const PayloadPlace& place, std::uintptr_t address, const PayloadMap& map,
               PickleWriter& out) {
  out.begin_dictionary();
  out.put_item("address", address);
  out.put_item("size", place.size.count());
  out.put_item("requested_size", is_payload(place) ? place.asked.count() : place.size.count());
  out.put_item("state", is_payload(place) ? "active_allocated" : "inactive");
  out.put("frames");
  out.begin_list();
  if (is_payload(place)) {
    out.begin_dictionary();
    out.put_item("name", describe(place, map));
    out.put_item("filename", to_string(map.kind));
    out.put_item("line", std::uint64_t{0});
    out.end_dictionary();
  }
  out.end_list();
  out.end_dictionary();
}

void put_segment(const PayloadRun& run, const PayloadMap& map, std::uint64_t device,
                 PickleWriter& out) {
  Bytes allocated{};
  Bytes asked{};
  for (const PayloadPlace& place : run.places) {
    allocated += is_payload(place) ? place.size : Bytes{};
    asked += place.asked;
  }
  out.begin_dictionary();
  out.put_item("device", device);
  out.put_item("address", run.address);
  out.put_item("total_size", run.size().count());
  out.put_item("allocated_size", allocated.count());
  out.put_item("active_size", allocated.count());
  out.put_item("requested_size", asked.count());
  out.put_item("stream", std::uint64_t{0});  // places have streams, and runs none
  out.put_item("segment_type", "large");
  out.put("frames");
  out.begin_list();
  out.end_list();
  out.put("blocks");
  out.begin_list();
  std::uintptr_t address = run.address;
  for (const PayloadPlace& place : run.places) {
    put_block(place, address, map, out);
    address += place.size.count();
  }
  out.end_list();
  out.end_dictionary();
}

}  // namespace

std::string_view to_string(PlaceState state) {
  switch (state) {
    case PlaceState::kFree:
      return "free";
    case PlaceState::kLeased:
      return "leased";
    case PlaceState::kEvicted:
      return "evicted";
    case PlaceState::kPlanned:
      return "planned";
    case PlaceState::kQuarantined:
      break;
  }
  return "quarantined";
}

Bytes PayloadRun::size() const {
  Bytes sum{};
  for (const PayloadPlace& place : places) {
    sum += place.size;
  }
  return sum;
}

Bytes PayloadMap::size() const {
  Bytes sum{};
  for (const PayloadRun& run : runs) {
    sum += run.size();
  }
  return sum;
}

Result<void> write_torch_snapshot(const std::vector<PayloadMap>& maps, const std::string& path) {
  PickleWriter out;
  out.begin_dictionary();
  out.put("segments");
  out.begin_list();
  for (std::size_t device = 0; device < maps.size(); ++device) {
    for (const PayloadRun& run : maps[device].runs) {
      put_segment(run, maps[device], device, out);
    }
  }
  out.end_list();
  out.put("device_traces");
  out.begin_list();
  for (std::size_t device = 0; device < maps.size(); ++device) {
    out.begin_list();
    out.end_list();
  }
  out.end_list();
  out.end_dictionary();
  Result<TextFile> file = TextFile::create(path);
  if (!file) {
    return file.failure();
  }
  *file << std::move(out).finish();
  return file->finish();
}

}  // namespace tenure
