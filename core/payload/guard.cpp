#include "core/payload/guard.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/backend/access.hpp"
#include "core/backend/platform.hpp"
#include "core/payload/pool_core.hpp"

namespace tenure {

namespace {

// Bytes that programs seldom write, and that make odd and huge numbers of any type.
constexpr std::byte kRedzoneByte{0xFB};
constexpr std::byte kFreedByte{0xDD};

// So much of a payload that was handed back is painted, from either end: a stray write mostly starts
// where a payload does, and memory of a simulated device costs as soon as it is touched.
constexpr std::uint64_t kPaintedEnd = std::uint64_t{64} << 10;

// What a copy may still be written to, at any later time. Why kept and not let go: a leak checker would
// take it for one.
void keep_for_ever(std::unique_ptr<std::vector<std::byte>> bytes) {
  static std::mutex mutex;
  static auto& kept = *new std::vector<std::unique_ptr<std::vector<std::byte>>>;
  const std::scoped_lock lock(mutex);
  kept.push_back(std::move(bytes));
}

std::string at_byte(std::int64_t offset) {
  return offset < 0 ? std::to_string(-offset) + " bytes before the start of "
                    : "at byte " + std::to_string(offset) + " of ";
}

}  // namespace

PayloadGuard::PayloadGuard(CheckedBackend& backend, MemoryKind kind, const GuardOptions& options)
    : backend_(backend),
      options_(options),
      is_near_(backend.traits(kind).host_readable),
      contents_(options.contents) {}

PayloadGuard::Stretch PayloadGuard::before(const PayloadBlock& block) {
  return {block.data, kRedzone};
}

PayloadGuard::Stretch PayloadGuard::behind(const PayloadBlock& block) {
  std::byte* const at = block.data + kRedzone + asked_for(block).count();
  return {at, static_cast<std::uint64_t>(block.end() - at)};
}

std::vector<PayloadGuard::Stretch> PayloadGuard::ends(const PayloadBlock& block) {
  std::byte* const data = block.data + kRedzone;
  const std::uint64_t size = asked_for(block).count();
  if (size <= 2 * kPaintedEnd) {
    return {{data, size}};
  }
  return {{data, kPaintedEnd}, {data + size - kPaintedEnd, kPaintedEnd}};
}

void PayloadGuard::lease(const PayloadBlock& block, StreamId stream) {
  CheckedPayload payload;
  payload.begin = block.data;
  payload.whole = Bytes{block.size};
  payload.data = block.data + kRedzone;
  payload.size = asked_for(block);
  payload.site = block.own_site();
  payload.kind = block.core->kind;
  payload.leased_ns = host_platform().now_ns();
  payload.streams = {stream};
  backend_.checker().lease(std::move(payload));
  if (!contents_) {
    return;
  }
  for (const Stretch redzone : {before(block), behind(block)}) {
    paint(redzone, kRedzoneByte, stream);
    if (is_near_) {
      forbid_access(redzone.at, Bytes{redzone.size});
    }
  }
}

bool PayloadGuard::keep(PayloadBlock& block) {
  const bool waited = contents_ && wait_for_uses(block);
  if (!backend_.checker().hand_back(block.data)) {
    return false;
  }
  if (is_near_ && options_.contents) {
    allow_access(block.data, Bytes{block.size});
  }
  bool is_painted = false;
  if (waited) {
    find_overrun(block);
    for (const Stretch end : ends(block)) {
      paint(end, kFreedByte, block.uses.home());
    }
    is_painted = contents_;
    if (is_near_) {
      forbid_access(block.data, Bytes{block.size});
    }
  }
  quarantine_.push_back({&block, is_painted});
  kept_ += Bytes{block.size};
  return true;
}

PayloadBlock* PayloadGuard::take_excess() {
  return kept_ > options_.quarantine ? take_oldest() : nullptr;
}

PayloadBlock* PayloadGuard::take_oldest() {
  if (quarantine_.empty()) {
    return nullptr;
  }
  const Kept oldest = quarantine_.front();
  quarantine_.pop_front();
  PayloadBlock& block = *oldest.block;
  kept_ -= Bytes{block.size};
  if (is_near_ && options_.contents) {
    allow_access(block.data, Bytes{block.size});
  }
  if (oldest.is_painted) {
    for (const Stretch end : ends(block)) {
      expect(end, kFreedByte, block, "use after free: a byte was written ");
    }
    find_overrun(block);
  }
  backend_.checker().set_free(block.data);
  return &block;
}

bool PayloadGuard::keeps(const PayloadBlock& block) const {
  return std::any_of(quarantine_.begin(), quarantine_.end(),
                     [&](const Kept& kept) { return kept.block == &block; });
}

void PayloadGuard::abandon(const PayloadBlock& block) {
  if (is_near_ && options_.contents) {
    allow_access(block.data, Bytes{block.size});
  }
  if (backend_.checker().hand_back(block.data)) {
    backend_.checker().set_free(block.data);
  }
}

void PayloadGuard::report_twice(const PayloadBlock& block) const {
  const std::optional<CheckedPayload> payload = backend_.checker().find(block.data);
  backend_.checker().report(
      payload ? "double free: " + backend_.checker().words_of(*payload) + " was handed back twice"
              : "double free: a payload was handed back whose memory its pool has long had back");
}

void PayloadGuard::find_overrun(const PayloadBlock& block) {
  expect(before(block), kRedzoneByte, block, "underrun: a byte was written ");
  expect(behind(block), kRedzoneByte, block, "overrun: a byte was written ");
}

// All that was put on the block's streams so far is over. False where nobody can say so.
bool PayloadGuard::wait_for_uses(const PayloadBlock& block) {
  Backend& device = backend_.inner();
  bool known = true;
  block.uses.for_each([&](StreamUse use) {
    if (!device.has_stream(use.stream())) {
      known = false;  // it was ended, and its work may go on
      return;
    }
    const Result<StreamEvent> event = device.record(use.stream());
    if (!event || !device.synchronize(*event)) {
      known = false;
      give_up();
    }
  });
  return known;
}

void PayloadGuard::paint(Stretch stretch, std::byte value, StreamId stream) {
  if (is_near_) {
    std::memset(stretch.at, std::to_integer<int>(value), stretch.size);
  } else if (!backend_.inner().fill(stream, stretch.at, value, Bytes{stretch.size})) {
    give_up();
  }
}

void PayloadGuard::expect(Stretch stretch, std::byte value, const PayloadBlock& block,
                          const char* fault) {
  if (!contents_ || !read(stretch, block.uses.home())) {
    return;
  }
  const std::byte* const first = is_near_ ? stretch.at : read_->data();
  const std::byte* const end = first + stretch.size;
  const std::byte* const wrong =
      std::find_if(first, end, [&](std::byte found) { return found != value; });
  if (wrong == end) {
    return;
  }
  const std::int64_t offset = (stretch.at - (block.data + kRedzone)) + (wrong - first);
  const std::optional<CheckedPayload> payload = backend_.checker().find(block.data);
  backend_.checker().report(fault + at_byte(offset) +
                            (payload ? backend_.checker().words_of(*payload) : "a payload"));
}

// Brings bytes of the device home. Why on the block's own stream: its pool puts whoever gets the block
// behind that, also where nobody can say when the copy was done.
bool PayloadGuard::read(Stretch stretch, StreamId stream) {
  if (is_near_) {
    return true;
  }
  if (read_ == nullptr) {
    read_ = std::make_unique<std::vector<std::byte>>();
  }
  read_->resize(std::max<std::size_t>(read_->size(), stretch.size));
  Backend& device = backend_.inner();
  if (!device.has_stream(stream)) {
    return false;
  }
  if (!device.copy(stream, read_->data(), stretch.at, Bytes{stretch.size})) {
    give_up();
    return false;
  }
  const Result<StreamEvent> event = device.record(stream);
  if (!event || !device.synchronize(*event)) {
    keep_for_ever(std::move(read_));
    give_up();
    return false;
  }
  return true;
}

}  // namespace tenure
