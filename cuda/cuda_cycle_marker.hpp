// The marker that has a device mark while mutators run. What the heap was like at one stop is marked
// there; what was written since is the host's, as in any cycle.
//
//   rounds        running  what the copy lacks is sent, noted in stops before
//   begin         stop     the last of it, and the roots; kernels are launched
//   on device     running  advance asks whether they are done, and waits for nothing
//   coming home   running  their bits, a piece at a time
//   on host       running  what was added since: objects promoted and born, cards read again
//
// Why that is sound: with the bits home all that was reachable at that stop is marked, and read as it
// was then. Stores since are on cards that the cycle reads again, as it does for a host's marker.
//
// Where the device shares the host's memory there is no copy, and no such stop: the host marks.
//
// Invariant: whatever fails, the host's marker does it from the start, and the bits are clear then.
// Until the device's bits are home the host sets none.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/model/marker.hpp"
#include "cuda/marking_device.hpp"
#include "tenure/bytes.hpp"
#include "tenure/result.hpp"

namespace tenure {

/// threads  as Marker says; `advance` and `copy_some` beside mutators
class CudaCycleMarker final : public Marker {
 public:
  /// host     can be advanced beside mutators; takes up what the device leaves
  CudaCycleMarker(std::unique_ptr<Marker> host, std::shared_ptr<MarkingDevice> device)
      : host_(std::move(host)), device_(std::move(device)) {}

  [[nodiscard]] bool keeps_copy() const override { return true; }
  [[nodiscard]] bool note_for_copy(const MarkJob& job) override;
  bool copy_some() override;

  void begin(const MarkJob& job) override;
  bool advance(std::uint64_t budget) override;
  [[nodiscard]] bool is_waiting() const override { return step_ == Step::kOnDevice; }
  void add(std::span<const ObjectIndex> objects) override;
  MarkStats complete() override;
  void abandon() override;

 private:
  enum class Step : std::uint8_t { kIdle, kOnDevice, kComingHome, kOnHost };

  [[nodiscard]] Result<void> begin_on_device();
  [[nodiscard]] Result<void> go_on(bool waits);
  void go_on_with_host();
  void fall_back(const Error& fault);

  std::unique_ptr<Marker> host_;
  std::shared_ptr<MarkingDevice> device_;

  Step step_ = Step::kIdle;
  MarkJob job_;                     // its roots are `roots_`
  std::vector<ObjectIndex> roots_;  // of the stop that it began in
  std::vector<ObjectIndex> added_;  // since; the host's to read once the bits are home
  std::uint64_t next_bits_ = 0;     // of the bitmap, that come home next
  std::optional<Error> fault_;      // of a round: the host is to mark
  bool has_noted_ = false;          // for the marking to come
  Bytes last_due_;                  // when the last round was noted
  MarkStats stats_;                 // what the device did
};

}  // namespace tenure
