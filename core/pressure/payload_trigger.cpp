#include "core/pressure/payload_trigger.hpp"

#include <algorithm>

namespace tenure {

Bytes PayloadTrigger::Kind::owned_since(Bytes owned) const {
  // What was owned before may be released since, so that the sum falls below what it was.
  return owned > owned_then ? owned - owned_then : Bytes{};
}

bool PayloadTrigger::Kind::is_due(Bytes owned, Bytes leased, std::uint64_t now_ns) const {
  return now_ns >= rests_until_ns &&
         owned_since(owned) >= std::max(kNotWorthIt, Bytes{leased.count() / kWhole * share});
}

void PayloadTrigger::Kind::learn(const Outcome& outcome) {
  constexpr std::uint64_t kLittle = 8;  // less than an eighth of what could have come
  const bool paid = outcome.retired * kLittle >= owned_since(outcome.owned);
  share = paid ? std::max(least, share / 2) : std::min(most, share * 2);
  owned_then = outcome.owned;
  rests_until_ns = outcome.took_ns < kTrifle ? 0 : outcome.ended_ns + kRestsTimes * outcome.took_ns;
}

PayloadAdvice PayloadTrigger::advise(Bytes owned, Bytes leased, std::uint64_t now_ns) const {
  if (young_.is_due(owned, leased, now_ns)) {
    return PayloadAdvice::kCollectYoung;
  }
  return full_.is_due(owned, leased, now_ns) ? PayloadAdvice::kCollectFull : PayloadAdvice::kGrow;
}

void PayloadTrigger::learn_young(const Outcome& outcome) { young_.learn(outcome); }

void PayloadTrigger::learn_full(const Outcome& outcome) {
  full_.learn(outcome);
  young_.owned_then = outcome.owned;  // it looked at the young ones too
}

void PayloadTrigger::settle_full(Bytes owned) { young_.owned_then = full_.owned_then = owned; }

}  // namespace tenure
