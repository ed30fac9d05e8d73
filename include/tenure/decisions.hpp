// What a runtime changed of its own by what it measured: how much nursery, which ages, how much room, and
// how the oldest generation is marked.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tenure {

class Runtime;

/// What is adapted while a program runs. Where `Config` sets a value for good, it is not.
enum class Adapted : std::uint8_t {
  kNursery,  // bytes; between 128 KiB and `Config::nursery`, or what the program set it to since
  kPromotionAge,  // survivals before an object leaves `generation`; 1 to what `Config` allows
  kOldLimit,  // bytes in the oldest generation, past which it is collected; `Config::old_start` at least
  kMarking,  // 0: in one stop, 1: in slices, 2: by a thread beside the program
  // Of optimizer.hpp: where a trial was kept, or what it set was reverted.
  kNurseryLimit,     // bytes: the most that kNursery may be
  kLargeObject,      // bytes: objects at least this big are born old
  kBatchCollection,  // 1: the nursery is collected where the program marks the end of a batch
  kCopiesAhead,      // whose reading waits while others are copied; 1: children lie beside parents
};
inline constexpr std::size_t kAdaptedParameters = 8;
/// "nursery", "promotion_age", "old_limit", "marking", "nursery_limit", "large_object", "batch_collection",
/// "copies_ahead".
[[nodiscard]] std::string_view to_string(Adapted parameter);

/// One change, with what it was made of.
struct Decision {
  std::uint64_t time_ns = 0;     // by the platform's clock
  std::uint64_t collection = 0;  // of the runtime, counted from 1, after which it was made
  Adapted parameter = Adapted::kNursery;
  std::uint32_t generation = 0;  // of kPromotionAge
  double before = 0;
  double after = 0;
  std::string reason;  // "1.2 MiB of 32 MiB survived, and the stop took 9.1 ms of 10 ms"
};

/// The last 256 changes, the oldest first. Sizes count as changed from a tenth on, against the last one told.
/// None in manual mode.
///
/// cost     a lock, that a collection takes once
/// threads  anyone
[[nodiscard]] std::vector<Decision> decisions(const Runtime& runtime);

}  // namespace tenure
