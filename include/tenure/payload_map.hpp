// What lies where in the pools, at one moment, as values: for reports, for people who look for holes, and
// for the viewer that PyTorch's users know.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tenure/bytes.hpp"
#include "tenure/payload.hpp"
#include "tenure/result.hpp"

namespace tenure {

class Runtime;

/// Who has a stretch of a pool.
enum class PlaceState : std::uint8_t {
  kFree,
  kLeased,
  kEvicted,      // leased, and its bytes are elsewhere
  kPlanned,      // a layout keeps it for requests to come
  kQuarantined,  // handed back, and kept from reuse by check=payload
};
inline constexpr std::size_t kPlaceStates = 5;
/// "free", "leased", "evicted", "planned", "quarantined".
[[nodiscard]] std::string_view to_string(PlaceState state);

/// A stretch of addresses that one payload has, or nobody.
struct PayloadPlace {
  PlaceState state = PlaceState::kFree;
  Bytes size{};
  Bytes asked{};  // of a payload, as it was asked for; where `check` is on it lies between redzones
  StreamId stream = StreamId::kDefault;  // of a payload: that it was leased for
  SiteId site = SiteId::kUnknown;
  ClientId client = ClientId::kNone;
};

/// Places that follow each other without a gap, between addresses without memory.
struct PayloadRun {
  std::uintptr_t address = 0;
  std::vector<PayloadPlace> places;  // by address, the first at `address`

  [[nodiscard]] Bytes size() const;
};

/// One pool. All of its runs together are what it has reserved.
struct PayloadMap {
  MemoryKind kind = MemoryKind::kHost;
  std::string backend;
  std::vector<PayloadRun> runs;  // by address, where the pool has one range; none while it sleeps
  std::vector<std::string> clients;  // names, by number; the first, of nobody, is empty

  /// Of all runs.
  [[nodiscard]] Bytes size() const;
};

/// A map of each pool that was opened.
///
/// cost     O(blocks), under each pool's lock in turn; no stop and no device call
/// errors   kClosed
/// threads  anyone; payloads that come and go meanwhile are as one pool had them at one moment
[[nodiscard]] Result<std::vector<PayloadMap>> take_payload_maps(Runtime& runtime);

/// Writes maps in the form of PyTorch's memory snapshots, which pytorch.org/memory_viz and
/// torch.cuda._memory_viz open: each pool is a device of that file, in the order given; a payload's
/// site, client and stream are in place of its stack. History of allocations is not in it.
///
/// path     is replaced as a whole, or stays as it was
/// errors   kFile
[[nodiscard]] Result<void> write_torch_snapshot(const std::vector<PayloadMap>& maps,
                                                const std::string& path);

}  // namespace tenure
