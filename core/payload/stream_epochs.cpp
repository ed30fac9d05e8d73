#include "core/payload/stream_epochs.hpp"

#include <algorithm>
#include <string>

#include "core/base/check.hpp"

namespace tenure {

Result<void> StreamEpochs::meet(StreamId stream) {
  if (knows(stream)) {
    return {};
  }
  const auto number = static_cast<std::uint32_t>(stream);
  if (number >= kMaxStreams) {
    return Error{ErrorCode::kUnsupported, "stream " + std::to_string(number) +
                                              " is past the 65000 that a pool can tell apart; "
                                              "make fewer streams"};
  }
  if (!backend_.has_stream(stream)) {
    return Error{ErrorCode::kBadArgument, "there is no stream " + std::to_string(number) + " on " +
                                              backend_.name() +
                                              "; use the default stream or one that it made"};
  }
  admit(stream);
  return {};
}

void StreamEpochs::admit(StreamId stream) {
  if (knows(stream)) {
    return;
  }
  const auto number = static_cast<std::uint32_t>(stream);
  if (rows_.size() <= number) {
    rows_.resize(number + std::size_t{1});
  }
  rows_[number] = std::make_unique<Row>();
  known_.push_back(stream);
}

Result<void> StreamEpochs::end_epoch(StreamId stream) {
  Row& row = row_of(stream);
  if (row.uses_in_epoch == 0) {
    return {};
  }
  const Result<StreamEvent> event = backend_.record(stream);
  if (!event) {
    return event.failure();
  }
  row.events.push_back(event->sequence);
  row.behind_at_event = row.behind;
  row.uses_in_epoch = 0;
  ++row.epoch;
  if (row.events.size() > kUsesInEpoch) {
    refresh(stream);  // so that a stream nobody asks about does not gather events
  }
  return {};
}

Result<void> StreamEpochs::end_epochs() {
  Result<void> outcome;
  for (const StreamId stream : known_) {
    if (Result<void> ended = end_epoch(stream); !ended) {
      outcome = ended;
    }
  }
  return outcome;
}

void StreamEpochs::refresh(StreamId stream) {
  Row& row = row_of(stream);
  if (row.events.empty()) {
    return;
  }
  const std::uint64_t reached = backend_.reached(stream);
  while (!row.events.empty() && row.events.front() <= reached) {
    row.events.pop_front();
    ++row.reached_epoch;
  }
}

void StreamEpochs::refresh() {
  for (const StreamId stream : known_) {
    refresh(stream);
  }
}

Result<void> StreamEpochs::wait_for_all() {
  Result<void> outcome = end_epochs();
  for (const StreamId stream : known_) {
    const Row& row = row_of(stream);
    if (row.events.empty()) {
      continue;
    }
    if (Result<void> waited = backend_.synchronize({stream, row.events.back()}); !waited) {
      outcome = waited;
    }
  }
  refresh();
  return outcome;
}

Result<void> StreamEpochs::order_behind(StreamId waiter, StreamUse use) {
  check(has_event(use), "a stream was to wait for a use that has no event");
  if (is_behind(waiter, use)) {
    return {};
  }
  const Row& of = row_of(use.stream());
  const std::uint64_t event = of.events.at(use.epoch() - of.reached_epoch - 1);
  if (Result<void> placed = backend_.wait(waiter, {use.stream(), event}); !placed) {
    return placed;
  }
  ++waits_placed_;
  Clock& clock = row_of(waiter).behind;
  raise(clock, use.stream(), use.epoch());
  if (use.epoch() + 1 == of.epoch) {
    // What the stream was behind when it recorded that event, the waiter now is too.
    for (std::uint32_t other = 0; other < of.behind_at_event.size(); ++other) {
      raise(clock, static_cast<StreamId>(other), of.behind_at_event[other]);
    }
  }
  return {};
}

void StreamEpochs::raise(Clock& clock, StreamId stream, std::uint64_t epoch) {
  const auto number = static_cast<std::uint32_t>(stream);
  if (clock.size() <= number) {
    clock.resize(number + 1);
  }
  clock[number] = std::max(clock[number], epoch);
}

}  // namespace tenure
