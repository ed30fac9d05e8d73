#include "host/use_order.hpp"

#include <algorithm>
#include <iterator>

namespace tenure {

namespace {

constexpr std::size_t kMostFaults = 100;  // one missing wait makes many; the first ones tell

std::string words_of(StreamId stream, std::uint64_t number, Access access) {
  return std::string(access == Access::kWrite ? "write" : "read") + " by work " +
         std::to_string(number) + " of stream " +
         std::to_string(static_cast<std::uint32_t>(stream));
}

}  // namespace

void UseOrder::make_stream() {
  streams_.emplace_back();
  streams_.back().clock.resize(streams_.size());
}

void UseOrder::join(Clock& clock, const Clock& other) {
  clock.resize(std::max(clock.size(), other.size()));
  for (std::size_t k = 0; k < other.size(); ++k) {
    clock[k] = std::max(clock[k], other[k]);
  }
}

void UseOrder::submit(StreamId stream, const std::vector<DeviceUse>& uses) {
  Stream& target = at(stream);
  join(target.clock, host_);
  const std::uint64_t number = ++target.clock[static_cast<std::size_t>(stream)];
  for (const DeviceUse& next : uses) {
    if (!next.bytes.size.is_zero()) {
      use({stream, number, next.access}, next.bytes.data,
          next.bytes.data + next.bytes.size.count());
    }
  }
}

void UseOrder::record(StreamId stream) { at(stream).events.push_back(at(stream).clock); }

void UseOrder::wait(StreamId waiter, StreamEvent event) {
  if (event.sequence != 0) {
    join(at(waiter).clock, at(event.stream).events.at(event.sequence - 1));
  }
}

void UseOrder::observe(StreamEvent event) {
  if (event.sequence != 0) {
    join(host_, at(event.stream).events.at(event.sequence - 1));
  }
}

void UseOrder::forget(const std::byte* base, Bytes size) {
  split_at(base);
  split_at(base + size.count());
  stretches_.erase(stretches_.lower_bound(base), stretches_.lower_bound(base + size.count()));
}

// Makes `place` the border of two stretches, where it lies inside one.
void UseOrder::split_at(const std::byte* place) {
  const auto next = stretches_.lower_bound(place);
  if (next == stretches_.begin()) {
    return;
  }
  Stretch& before = std::prev(next)->second;
  if (before.end > place) {
    stretches_.emplace_hint(next, place, before);
    before.end = place;
  }
}

void UseOrder::use(const Use& next, const std::byte* const begin, const std::byte* end) {
  split_at(begin);
  split_at(end);
  const std::byte* first = begin;
  for (auto known = stretches_.lower_bound(first); first != end;) {
    if (known == stretches_.end() || known->first != first) {
      const std::byte* const gap_end =
          known == stretches_.end() ? end : std::min(end, known->first);
      known = stretches_.emplace_hint(known, first, Stretch{gap_end, {}});
    }
    use_stretch(next, first, known->second);
    first = known->second.end;
    ++known;
  }
  if (next.access == Access::kWrite) {
    // All of it has this one use now. Why made one: cut at every byte where something ever ended, a
    // long run would have a stretch for each.
    const auto whole = stretches_.find(begin);
    stretches_.erase(std::next(whole), stretches_.lower_bound(end));
    whole->second.end = end;
  }
}

void UseOrder::use_stretch(const Use& next, const std::byte* first, Stretch& stretch) {
  const Clock& clock = at(next.stream).clock;
  for (const Use& use : stretch.uses) {
    const bool may_cross = use.access == Access::kRead && next.access == Access::kRead;
    const auto stream = static_cast<std::size_t>(use.stream);
    const bool is_before = stream < clock.size() && clock[stream] >= use.number;
    if (!may_cross && !is_before && faults_.size() < kMostFaults) {
      const Bytes size{static_cast<std::uint64_t>(stretch.end - first)};
      faults_.push_back("the " + words_of(next.stream, next.number, next.access) + " of " +
                        to_string(size) + " is not ordered behind the " +
                        words_of(use.stream, use.number, use.access));
    }
  }
  if (next.access == Access::kWrite) {
    stretch.uses.clear();
  }
  std::erase_if(stretch.uses, [&](const Use& use) {
    return use.stream == next.stream && use.access == next.access;
  });
  stretch.uses.push_back(next);
}

}  // namespace tenure
