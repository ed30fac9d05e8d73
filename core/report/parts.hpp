// The parts of a report; each puts a member or several into the object that is open.
#pragma once

#include <vector>

#include "core/report/json_rows.hpp"
#include "tenure/config.hpp"
#include "tenure/decisions.hpp"
#include "tenure/events.hpp"
#include "tenure/payload_map.hpp"
#include "tenure/profile.hpp"
#include "tenure/snapshot.hpp"
#include "tenure/statistics.hpp"

namespace tenure {

void put_configuration(const std::vector<ConfigRow>& rows, JsonRows& out);
void put_statistics(const Statistics& statistics, JsonRows& out);
void put_decisions(const std::vector<Decision>& decisions, JsonRows& out);
void put_maps(const std::vector<PayloadMap>& maps, JsonRows& out);
void put_profile(const Profile& profile, JsonRows& out);
void put_events(const EventBatch& batch, JsonRows& out);
/// holders   of so many the path is put
void put_heap(const HeapSnapshot& snapshot, std::uint32_t holders, JsonRows& out);

}  // namespace tenure
