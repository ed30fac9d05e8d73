#include "core/plan/tape.hpp"

#include <algorithm>

namespace tenure {

namespace {

constexpr std::size_t kFirstRows = std::size_t{1} << 10;

}  // namespace

Tape::Tape() : rows_(kFirstRows), mask_(kFirstRows - 1), met_(kContexts) {}

void Tape::make_room() {
  std::vector<Row> larger(2 * rows_.size());
  for (std::uint64_t lease = oldest_; lease + 1 < next_; ++lease) {
    larger[lease & (larger.size() - 1)] = row(lease);
  }
  rows_ = std::move(larger);
  mask_ = rows_.size() - 1;
}

void Tape::compare(std::uint64_t now, std::uint64_t key) {
  has_candidates_ = false;
  for (Candidate& candidate : candidates_) {
    if (candidate.period == 0) {
      continue;
    }
    if (key_before(now, candidate.period) != key) {
      candidate = {};
      continue;
    }
    has_candidates_ = true;
    if (--candidate.left == 0) {
      candidate.left = candidate.period;
      if (now + 1 >= oldest_ + 2 * candidate.period && found_.leases < candidate.period) {
        found_ = {.first = now + 1 - 2 * candidate.period, .leases = candidate.period};
      }
    }
  }
}

void Tape::add_candidate(std::uint64_t period) {
  Candidate* free = nullptr;
  for (Candidate& candidate : candidates_) {
    if (candidate.period == period) {
      return;
    }
    free = candidate.period == 0 ? &candidate : free;
  }
  if (free != nullptr) {
    *free = {.period = period, .left = period};
    has_candidates_ = true;
  }
}

bool Tape::note_empty() {
  if (episode_ == next_) {
    return false;
  }
  const Found episode{.first = episode_, .leases = next_ - episode_, .from_empty = true};
  last_episode_hash_ = episode_hash_;
  episode_ = next_;
  episode_hash_ = 0;
  if (episode.leases < kLeastPeriod || episode.first < oldest_) {
    return false;
  }
  if (episode.leases >= kLongestLife) {
    return false;  // a block that lived through all of it would seem to end a lease too early
  }
  found_ = episode;
  return true;
}

std::optional<Iteration> Tape::take() {
  const Found found = found_;
  found_ = {};
  if (found.leases == 0 || found.first < oldest_) {
    return std::nullopt;
  }
  Iteration iteration;
  iteration.from_empty = found.from_empty;
  for (std::uint64_t lease = found.first; lease < found.first + found.leases; ++lease) {
    const Row& of = row(lease);
    iteration.keys.push_back(of.key);
    iteration.bytes.push_back(of.bytes());
    iteration.lives.push_back(of.life() > found.leases ? 0 : static_cast<std::uint32_t>(of.life()));
  }
  return iteration;
}

std::uint64_t Tape::context_of(const std::vector<std::uint64_t>& round_before) {
  std::uint64_t context = 0;
  const std::size_t keys = round_before.size();
  for (std::size_t k = keys - std::min<std::size_t>(keys, kContext); k < keys; ++k) {
    context = context * kBase + round_before[k];
  }
  return context;
}

}  // namespace tenure
