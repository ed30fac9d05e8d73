// Whether the host or a device marks next, by what markings took on this machine of late.
//
// Pure: numbers in, a decision out; no clock of its own.
#pragma once

#include <cstdint>
#include <optional>

namespace tenure {

enum class MarkingSide : std::uint8_t { kHost, kDevice };

/// threads  stopped world
class MarkingChoice {
 public:
  /// Below so many objects a marking is over before a device has begun: 10^6 take 16 cores 2 to 9 ms.
  /// Source: `gpu_checks`, marking, on an H200.
  static constexpr std::uint64_t kFewObjects = 100'000;
  /// A device that was never asked is tried from so many on. There 10^6 objects were marked 1.6 to 5
  /// times as fast as by 16 cores with all of them shipped, 4 to 19 times with the copy in place.
  static constexpr std::uint64_t kWorthATry = 300'000;

  /// Who is to mark a heap of about so many live objects. The device is tried once where it is not
  /// known; the side is changed only where the other was better by far twice in a row.
  [[nodiscard]] MarkingSide choose(std::uint64_t objects);

  /// A marking took so long.
  void learn(MarkingSide side, std::uint64_t objects, std::uint64_t ns);

  /// The device could not do it: it is not asked again before as many markings were the host's as
  /// it has failed in a row, doubled each time.
  void note_failure();

 private:
  [[nodiscard]] std::optional<double>& rate_of(MarkingSide side) {
    return side == MarkingSide::kHost ? host_ns_ : device_ns_;
  }

  std::optional<double> host_ns_;    // an object, smoothed
  std::optional<double> device_ns_;  // likewise; what is sent and brought home included
  MarkingSide side_ = MarkingSide::kHost;
  std::uint32_t better_ = 0;    // times in a row that the other side was predicted better
  std::uint32_t failures_ = 0;  // in a row
  std::uint64_t wait_ = 0;      // markings that the host does before the device is asked again
};

}  // namespace tenure
