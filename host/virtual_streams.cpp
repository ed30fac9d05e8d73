#include "host/virtual_streams.hpp"

#include <algorithm>
#include <limits>

#include "core/base/check.hpp"

namespace tenure {

namespace {

// An abandoned event's time.
constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

bool overlap(const std::byte* a, Bytes a_size, const std::byte* b, Bytes b_size) {
  return a < b + b_size.count() && b < a + a_size.count();
}

}  // namespace

VirtualStreams::Stream& VirtualStreams::at(StreamId stream) {
  return streams_.at(static_cast<std::size_t>(stream));
}

const VirtualStreams::Stream& VirtualStreams::at(StreamId stream) const {
  return streams_.at(static_cast<std::size_t>(stream));
}

StreamId VirtualStreams::make() {
  streams_.emplace_back();
  return static_cast<StreamId>(streams_.size() - 1);
}

void VirtualStreams::end(StreamId stream) { at(stream).is_open = false; }

bool VirtualStreams::had(StreamId stream) const {
  return static_cast<std::size_t>(stream) < streams_.size();
}

bool VirtualStreams::has(StreamId stream) const { return had(stream) && at(stream).is_open; }

void VirtualStreams::submit(StreamId stream, std::uint64_t duration_ns, Effect effect) {
  Stream& target = at(stream);
  target.idle_at_ns = std::max(target.idle_at_ns, now_ns_) + duration_ns;
  pending_.try_emplace({target.idle_at_ns, submitted_++}, std::move(effect));
}

StreamEvent VirtualStreams::record(StreamId stream) {
  Stream& target = at(stream);
  target.open.push_back({++target.recorded, target.idle_at_ns});
  return {stream, target.recorded};
}

std::uint64_t VirtualStreams::recorded(StreamId stream) const { return at(stream).recorded; }

std::uint64_t VirtualStreams::reached(StreamId stream) {
  Stream& target = at(stream);
  while (!target.open.empty() && target.open.front().time_ns <= now_ns_) {
    target.reached = target.open.front().sequence;
    target.open.pop_front();
  }
  return target.reached;
}

std::uint64_t VirtualStreams::time_of(StreamEvent event) const {
  const Stream& stream = at(event.stream);
  check(event.sequence <= stream.recorded, "an event that is waited for was recorded");
  if (event.sequence <= stream.reached) {
    return 0;
  }
  return stream.open.at(event.sequence - stream.open.front().sequence).time_ns;
}

void VirtualStreams::wait(StreamId waiter, StreamEvent event) {
  Stream& stream = at(waiter);
  stream.idle_at_ns = std::max(stream.idle_at_ns, time_of(event));
}

std::uint64_t VirtualStreams::idle_at() const {
  std::uint64_t time_ns = now_ns_;
  for (const Stream& stream : streams_) {
    time_ns = std::max(time_ns, stream.idle_at_ns);
  }
  return time_ns;
}

std::optional<Effect> VirtualStreams::take_due(std::uint64_t time_ns) {
  if (pending_.empty() || pending_.begin()->first.first > time_ns) {
    return std::nullopt;
  }
  const auto next = pending_.begin();
  now_ns_ = std::max(now_ns_, next->first.first);
  Effect effect = std::move(next->second);
  pending_.erase(next);
  return effect;
}

void VirtualStreams::set_time(std::uint64_t time_ns) {
  check(pending_.empty() || pending_.begin()->first.first > time_ns,
        "the clock does not pass work that was not done");
  now_ns_ = std::max(now_ns_, time_ns);
}

std::optional<PayloadView> VirtualStreams::pending_use(const std::byte* base, Bytes size) const {
  for (const auto& [end, effect] : pending_) {
    for (const DeviceUse& use : effect.uses) {
      if (overlap(use.bytes.data, use.bytes.size, base, size)) {
        return use.bytes;
      }
    }
  }
  return std::nullopt;
}

std::vector<Effect> VirtualStreams::abandon() {
  for (Stream& stream : streams_) {
    const bool is_done = stream.idle_at_ns <= now_ns_;
    stream.idle_at_ns = is_done ? stream.idle_at_ns : now_ns_;
    for (Event& event : stream.open) {
      event.time_ns = event.time_ns <= now_ns_ ? event.time_ns : kNever;
    }
  }
  std::vector<Effect> abandoned;
  for (auto& [end, effect] : pending_) {
    abandoned.push_back(std::move(effect));
  }
  pending_.clear();
  return abandoned;
}

}  // namespace tenure
