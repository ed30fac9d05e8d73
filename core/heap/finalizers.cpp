#include "core/heap/finalizers.hpp"

#include "tenure/detail/fast_path.hpp"

namespace tenure {

namespace {

// Why atomic: beside us other mutators pin the object, and a marker reads its header.
void flag(ObjectIndex object, bool finalizable) {
  const auto bit = static_cast<std::uint32_t>(ObjectFlag::kFinalizable);
  const std::atomic_ref meta(detail::header_of(object).meta);
  if (finalizable) {
    meta.fetch_or(bit, std::memory_order_relaxed);
  } else {
    meta.fetch_and(~bit, std::memory_order_relaxed);
  }
}

bool is_flagged(ObjectIndex object) {
  return ObjectHeader::has(
      std::atomic_ref(detail::header_of(object).meta).load(std::memory_order_relaxed),
      ObjectFlag::kFinalizable);
}

}  // namespace

bool Finalizers::set(ObjectIndex object, FinalizerCall call) {
  const std::scoped_lock lock(mutex_);
  auto [at, fresh] = rows_[generation_of(object)].try_emplace(object);
  if (!fresh && !at->second.call) {
    return false;
  }
  if (fresh && is_flagged(object)) {  // in the queue
    rows_[generation_of(object)].erase(at);
    return false;
  }
  std::swap(at->second.call, call);  // the one before ends with the caller's, without the lock
  if (fresh) {
    at->second.number = ++last_number_;
    ++set_;
    flag(object, true);
  }
  return true;
}

bool Finalizers::remove(ObjectIndex object) {
  Row removed;
  const std::scoped_lock lock(mutex_);
  auto& rows = rows_[generation_of(object)];
  const auto at = rows.find(object);
  if (at == rows.end() || !at->second.call) {
    return false;
  }
  removed = std::move(at->second);
  rows.erase(at);
  --set_;
  flag(object, false);
  return true;
}

std::optional<Finalizers::Due> Finalizers::take_due() {
  const std::scoped_lock lock(mutex_);
  if (due_.empty()) {
    return std::nullopt;
  }
  Due due = std::move(due_.front());
  due_.pop_front();
  due_count_.fetch_sub(1, std::memory_order_relaxed);
  flag(due.object, false);
  rows_[generation_of(due.object)].emplace(due.object, Row{due.number, {}});
  ++ran_;
  return due;
}

FinalizerCall Finalizers::take(ObjectIndex object) {
  const std::scoped_lock lock(mutex_);
  auto& rows = rows_[generation_of(object)];
  const auto at = rows.find(object);
  if (at == rows.end() || !at->second.call) {
    return {};
  }
  flag(object, false);
  --set_;
  ++ran_;
  return std::exchange(at->second.call, {});
}

void Finalizers::note_failure(std::string message) {
  const std::scoped_lock lock(mutex_);
  ++failed_;
  failure_ = std::move(message);
}

void Finalizers::queue_all() {
  const std::scoped_lock lock(mutex_);
  std::vector<Due> all;
  for (auto& rows : rows_) {
    std::erase_if(rows, [&](auto& entry) {
      if (!entry.second.call) {
        return false;
      }
      all.push_back({entry.second.number, entry.first, std::move(entry.second.call)});
      return true;
    });
  }
  std::sort(all.begin(), all.end(), [](const Due& a, const Due& b) { return a.number < b.number; });
  set_ -= all.size();
  for (Due& due : all) {
    enqueue(std::move(due));
  }
}

FinalizerStatistics Finalizers::statistics() const {
  const std::scoped_lock lock(mutex_);
  return {.set = set_, .waiting = due_.size(), .ran = ran_, .failed = failed_, .failure = failure_};
}

}  // namespace tenure
