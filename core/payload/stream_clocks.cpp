#include "core/payload/stream_clocks.hpp"

#include <algorithm>
#include <iterator>

namespace tenure {

StreamClocks::Moment StreamClocks::tick(StreamId stream) {
  Clock& clock = row_of(stream).clock;
  const auto number = static_cast<std::size_t>(stream);
  clock.resize(std::max(clock.size(), number + 1));
  return {stream, ++clock[number]};
}

void StreamClocks::recorded(StreamEvent event) {
  Row& row = row_of(event.stream);
  Clock& kept = row.events[event.sequence];
  kept = row.clock;
  join(kept, host_);
}

void StreamClocks::waited(StreamId waiter, StreamEvent event) {
  const Row& of = row_of(event.stream);
  const auto found = of.events.find(event.sequence);
  if (found == of.events.end()) {
    return;  // seen reached, so that all are behind it; or recorded by somebody else
  }
  const Clock known = found->second;  // Why a copy: the waiter's row may be made now
  join(row_of(waiter).clock, known);
}

void StreamClocks::observed(StreamEvent event) {
  std::map<std::uint64_t, Clock>& events = row_of(event.stream).events;
  const auto end = events.upper_bound(event.sequence);
  if (end == events.begin()) {
    return;
  }
  join(host_, std::prev(end)->second);
  events.erase(events.begin(), end);
}

bool StreamClocks::is_behind(StreamId stream, Moment moment) const {
  const auto number = static_cast<std::size_t>(stream);
  return stream == moment.stream || reaches(host_, moment) ||
         (number < rows_.size() && reaches(rows_[number].clock, moment));
}

std::uint64_t StreamClocks::events() const {
  std::uint64_t count = 0;
  for (const Row& row : rows_) {
    count += row.events.size();
  }
  return count;
}

StreamClocks::Row& StreamClocks::row_of(StreamId stream) {
  const auto number = static_cast<std::size_t>(stream);
  if (rows_.size() <= number) {
    rows_.resize(number + 1);
  }
  return rows_[number];
}

bool StreamClocks::reaches(const Clock& clock, Moment moment) {
  const auto number = static_cast<std::size_t>(moment.stream);
  return number < clock.size() && clock[number] >= moment.tick;
}

void StreamClocks::join(Clock& clock, const Clock& other) {
  clock.resize(std::max(clock.size(), other.size()));
  for (std::size_t k = 0; k < other.size(); ++k) {
    clock[k] = std::max(clock[k], other[k]);
  }
}

}  // namespace tenure
