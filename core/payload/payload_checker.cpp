#include "core/payload/payload_checker.hpp"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <utility>

#include "core/base/check.hpp"

namespace tenure {

namespace {

std::string words_of(StreamId stream) {
  return "stream " + std::to_string(static_cast<std::uint32_t>(stream));
}

std::string words_of(SiteId site) {
  return site == SiteId::kUnknown ? "an unknown site"
                                  : "site " + std::to_string(static_cast<std::uint32_t>(site));
}

// "stream 0", "streams 0, 1 and 4".
std::string words_of(const std::vector<StreamId>& streams) {
  std::string text = streams.size() == 1 ? "stream " : "streams ";
  for (std::size_t k = 0; k < streams.size(); ++k) {
    text += k == 0 ? "" : k + 1 == streams.size() ? " and " : ", ";
    text += std::to_string(static_cast<std::uint32_t>(streams[k]));
  }
  return text;
}

std::string address(const std::byte* place) {
  char text[24];
  std::snprintf(text, sizeof(text), "%p", static_cast<const void*>(place));
  return text;
}

}  // namespace

PayloadChecker::PayloadChecker(std::string device, OnFault on_fault)
    : device_(std::move(device)), on_fault_(std::move(on_fault)) {}

void PayloadChecker::report(const std::string& fault) const {
  if (on_fault_) {
    on_fault_(fault);
    return;
  }
  fail("check=payload found a fault: " + fault);
}

std::string PayloadChecker::words_of(const CheckedPayload& payload) const {
  return "a payload of " + to_string(payload.size) + " at " + address(payload.data) + " (" +
         std::string(to_string(payload.kind)) + " memory of " + device_ + ", leased by " +
         tenure::words_of(payload.site) + ", used on " + tenure::words_of(payload.streams) + ")";
}

void PayloadChecker::lease(CheckedPayload payload) {
  std::string fault;
  {
    const Lock lock(mutex_);
    fault = fault_of_lease(payload);
    cut_used(payload.begin, payload.whole);
    const std::byte* const begin = payload.begin;
    payloads_.insert_or_assign(begin, std::move(payload));
    ended_.erase(begin);
  }
  if (!fault.empty()) {
    report(fault);
  }
}

std::string PayloadChecker::fault_of_lease(const CheckedPayload& payload) const {
  if (const CheckedPayload* const other = payload_over(payload.begin, payload.whole)) {
    return "two payloads share memory: " + words_of(payload) + " and " + words_of(*other) +
           (other->is_returned ? ", which was handed back and is kept from reuse" : "");
  }
  std::string fault;
  const StreamId home = payload.streams.front();
  for_each_used(payload.begin, payload.whole, [&](const Used& used) {
    for (const StreamClocks::Moment use : used.uses) {
      if (fault.empty() && !is_lost_ && !clocks_.is_behind(home, use)) {
        fault = "memory was reused before a use of it was over: " + words_of(payload) +
                " takes memory of a payload of " + to_string(used.size) + " of " +
                tenure::words_of(used.site) + ", which " + tenure::words_of(use.stream) +
                " may still be using: nothing puts " + tenure::words_of(home) + " behind that";
      }
    }
  });
  return fault;
}

void PayloadChecker::use(const std::byte* begin, StreamId stream) {
  const Lock lock(mutex_);
  const auto found = payloads_.find(begin);
  if (found == payloads_.end()) {
    return;
  }
  std::vector<StreamId>& streams = found->second.streams;
  if (std::find(streams.begin(), streams.end(), stream) == streams.end()) {
    streams.push_back(stream);
  }
}

bool PayloadChecker::hand_back(const std::byte* begin) {
  std::string fault;
  {
    const Lock lock(mutex_);
    const auto found = payloads_.find(begin);
    if (found == payloads_.end()) {
      fault = "foreign pointer: what was handed back at " + address(begin) + " is no payload of " +
              device_;
    } else if (found->second.is_returned) {
      fault = "double free: " + words_of(found->second) + " was handed back twice";
    } else {
      found->second.is_returned = true;
      std::vector<StreamClocks::Moment>& uses = ended_[begin];
      for (const StreamId stream : found->second.streams) {
        uses.push_back(clocks_.tick(stream));
      }
    }
  }
  if (!fault.empty()) {
    report(fault);
  }
  return fault.empty();
}

void PayloadChecker::set_free(const std::byte* begin) {
  const Lock lock(mutex_);
  const auto found = payloads_.find(begin);
  if (found == payloads_.end()) {
    return;
  }
  const CheckedPayload& payload = found->second;
  Used used{begin + payload.whole.count(), std::move(ended_[begin]), payload.site, payload.size};
  used_.insert_or_assign(begin, std::move(used));
  ended_.erase(begin);
  payloads_.erase(found);
}

void PayloadChecker::forget(const std::byte* begin) {
  const Lock lock(mutex_);
  payloads_.erase(begin);
  ended_.erase(begin);
}

Result<StreamEvent> PayloadChecker::record(const std::function<Result<StreamEvent>()>& record) {
  // Why held over the call: a use that ends in between would count as one that the event is behind.
  const Lock lock(mutex_);
  Result<StreamEvent> event = record();
  if (event) {
    clocks_.recorded(*event);
  }
  return event;
}

void PayloadChecker::wait(StreamId waiter, StreamEvent event) {
  const Lock lock(mutex_);
  clocks_.waited(waiter, event);
}

void PayloadChecker::observe(StreamEvent event) {
  const Lock lock(mutex_);
  clocks_.observed(event);
}

void PayloadChecker::lose() {
  const Lock lock(mutex_);
  is_lost_ = true;
}

void PayloadChecker::unmap(const std::byte* base, Bytes size) {
  std::string fault;
  {
    const Lock lock(mutex_);
    fault = fault_of_unmap(base, size);
    cut_used(base, size);
  }
  if (!fault.empty()) {
    report(fault);
  }
}

std::string PayloadChecker::fault_of_unmap(const std::byte* base, Bytes size) const {
  if (const CheckedPayload* const payload = payload_over(base, size)) {
    return "memory was given back under " + words_of(*payload);
  }
  std::string fault;
  for_each_used(base, size, [&](const Used& used) {
    for (const StreamClocks::Moment use : used.uses) {
      if (fault.empty() && !is_lost_ && !clocks_.is_over(use)) {
        fault = "memory was given back before a use of it was over: of a payload of " +
                to_string(used.size) + " of " + tenure::words_of(used.site) + ", which " +
                tenure::words_of(use.stream) + " may still be using";
      }
    }
  });
  return fault;
}

void PayloadChecker::touch(StreamId stream, const std::byte* data, Bytes size) {
  std::string fault;
  {
    const Lock lock(mutex_);
    const CheckedPayload* const payload = payload_over(data, size);
    if (payload != nullptr && payload->is_returned) {
      fault = "use after free: " + tenure::words_of(stream) + " copies or fills " +
              to_string(size) + " of " + words_of(*payload) + ", which was handed back";
    }
  }
  if (!fault.empty()) {
    report(fault);
  }
}

Result<void> PayloadChecker::may_use(StreamId stream, const std::byte* data, Bytes size) const {
  const Lock lock(mutex_);
  const auto bad = [](std::string what) { return Error{ErrorCode::kBadArgument, std::move(what)}; };
  const CheckedPayload* const payload = payload_over(data, size);
  if (payload == nullptr) {
    return bad("foreign pointer: at " + address(data) + " there is no payload of " + device_);
  }
  if (payload->is_returned) {
    return bad("use after free: " + words_of(*payload) + " was handed back");
  }
  if (data < payload->data || data + size.count() > payload->data + payload->size.count()) {
    return bad(to_string(size) + " at " + address(data) + " reach out of " + words_of(*payload));
  }
  const std::vector<StreamId>& streams = payload->streams;
  if (std::find(streams.begin(), streams.end(), stream) == streams.end()) {
    return bad("nobody said that " + tenure::words_of(stream) + " uses " + words_of(*payload) +
               ": call used_on before it is handed back");
  }
  return {};
}

std::optional<CheckedPayload> PayloadChecker::find(const std::byte* begin) const {
  const Lock lock(mutex_);
  const auto found = payloads_.find(begin);
  return found == payloads_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<CheckedPayload> PayloadChecker::leased() const {
  const Lock lock(mutex_);
  std::vector<CheckedPayload> leased;
  for (const auto& [begin, payload] : payloads_) {
    if (!payload.is_returned) {
      leased.push_back(payload);
    }
  }
  return leased;
}

// The first payload that has a byte in the stretch.
const CheckedPayload* PayloadChecker::payload_over(const std::byte* data, Bytes size) const {
  auto next = payloads_.upper_bound(data);
  if (next != payloads_.begin()) {
    const CheckedPayload& before = std::prev(next)->second;
    if (before.begin + before.whole.count() > data) {
      return &before;
    }
  }
  return next != payloads_.end() && next->first < data + size.count() ? &next->second : nullptr;
}

template <class Visit>
void PayloadChecker::for_each_used(const std::byte* base, Bytes size, Visit visit) const {
  auto next = used_.upper_bound(base);
  if (next != used_.begin() && std::prev(next)->second.end > base) {
    --next;
  }
  for (; next != used_.end() && next->first < base + size.count(); ++next) {
    visit(next->second);
  }
}

// Forgets the uses of a stretch; what lies before and behind it keeps them.
void PayloadChecker::cut_used(const std::byte* base, Bytes size) {
  const std::byte* const end = base + size.count();
  auto next = used_.upper_bound(base);
  if (next != used_.begin() && std::prev(next)->second.end > base) {
    --next;
  }
  while (next != used_.end() && next->first < end) {
    if (next->second.end > end) {
      used_.emplace(end, next->second);
    }
    if (next->first < base) {
      next->second.end = base;
      ++next;
    } else {
      next = used_.erase(next);
    }
  }
}

}  // namespace tenure
