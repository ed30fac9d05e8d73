#include "core/gc/parallel_marker.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

namespace tenure {

namespace {

// Of a queue with one span nothing is stolen while its owner takes spans: it is about to read that
// one too, and a list would be handed to and fro. Measured: 16 cores took 0.6 us an object of a list
// for which one took 0.03.
constexpr std::uint64_t kSurplus = 2;
constexpr std::uint32_t kYields = 128;
constexpr std::chrono::microseconds kNap{50};

// Work is usually there at once, or, beside a long list, not for seconds.
void rest_a_while(std::uint32_t round) {
  if (round < kYields) {
    std::this_thread::yield();
  } else {
    std::this_thread::sleep_for(kNap);
  }
}

}  // namespace

ParallelMarker::ParallelMarker(Team& team, std::uint64_t alone) : team_(team), alone_(alone) {
  for (std::uint32_t member = 0; member < team.size(); ++member) {
    members_.push_back(std::make_unique<Member>(spans_, pieces_));
    members_.back()->seen.resize(team.size());
  }
}

void ParallelMarker::begin(const MarkJob& job) {
  for (const std::unique_ptr<Member>& member : members_) {
    // A marking that was given up leaves spans and arrays behind.
    for (std::uint32_t span = member->queue.pop(); span != kNoSpan; span = member->queue.pop()) {
      (void)spans_.take_grey(span);
    }
    member->reader.begin(job.heap);
  }
  pieces_.clear();
  spans_.clear();
  add(job.roots);
}

void ParallelMarker::add(std::span<const ObjectIndex> objects) {
  members_[0]->reader.reach(objects);
}

bool ParallelMarker::advance(std::uint64_t budget) {
  if (!has_work()) {
    return true;  // nobody is woken for nothing: weak maps and finalizers ask round after round
  }
  if (budget == kNoBudget && is_read_alone()) {
    return true;
  }
  const auto members =
      static_cast<std::uint32_t>(std::clamp<std::uint64_t>(budget / kAlone, 1, team_.size()));
  working_.store(members, std::memory_order_relaxed);
  const std::uint64_t share = budget == kNoBudget ? kNoBudget : budget / members;
  ++team_runs_;
  team_.run(members, [&](std::uint32_t member) { work(member, share); });
  return !has_work();
}

// The caller's head start: a small heap is read before anybody has woken, and of a large one there are
// spans for the others by then.
bool ParallelMarker::is_read_alone() {
  working_.store(1, std::memory_order_relaxed);
  work(0, alone_);
  return !has_work();
}

MarkStats ParallelMarker::complete() {
  advance(kNoBudget);
  spans_.clear();
  MarkStats sum;
  for (const std::unique_ptr<Member>& member : members_) {
    sum.objects += member->reader.stats().objects;
    sum.references += member->reader.stats().references;
  }
  return sum;
}

std::uint64_t ParallelMarker::steals() const {
  std::uint64_t sum = 0;
  for (const std::unique_ptr<Member>& member : members_) {
    sum += member->steals;
  }
  return sum;
}

void ParallelMarker::work(std::uint32_t member, std::uint64_t budget) {
  auto& reader = members_[member]->reader;
  while (budget > 0) {
    if (!reader.read_some(budget) && !steal(member) && !wait_for_work(member)) {
      return;
    }
  }
  reader.rest();  // others may take what is left
  working_.fetch_sub(1, std::memory_order_seq_cst);
}

bool ParallelMarker::steal(std::uint32_t member) {
  StealableSpanQueue* const victim = find_victim(member);
  const std::uint32_t span = victim == nullptr ? kNoSpan : victim->pop();
  if (span == kNoSpan) {
    return false;
  }
  members_[member]->reader.open(span);
  ++members_[member]->steals;
  return true;
}

// One with spans to spare, or with a last one that its owner has not come to since this member looked.
StealableSpanQueue* ParallelMarker::find_victim(std::uint32_t member) {
  for (std::uint32_t k = 1; k < members_.size(); ++k) {
    const std::size_t other = (member + k) % members_.size();
    StealableSpanQueue& queue = members_[other]->queue;
    const std::uint64_t taken = queue.taken();
    const std::uint64_t size = queue.size();
    std::uint64_t& seen = members_[member]->seen[other];
    if (size >= kSurplus || (size > 0 && taken == seen)) {
      return &queue;
    }
    seen = taken;
  }
  return nullptr;
}

// Only who is at work makes work, and who comes here has none and has no span of its own. So once
// nobody works and nothing waits, all is done. Who leaves while another just took the last span leaves
// that one to finish it.
bool ParallelMarker::wait_for_work(std::uint32_t member) {
  working_.fetch_sub(1, std::memory_order_seq_cst);
  for (std::uint32_t round = 0;; ++round) {
    if (!pieces_.empty() || find_victim(member) != nullptr) {
      working_.fetch_add(1, std::memory_order_seq_cst);
      return true;
    }
    if (working_.load(std::memory_order_seq_cst) == 0 && !has_work()) {
      return false;
    }
    rest_a_while(round);
  }
}

bool ParallelMarker::has_work() const {
  return !pieces_.empty() || std::any_of(members_.begin(), members_.end(),
                                         [](const auto& member) { return !member->queue.empty(); });
}

}  // namespace tenure
