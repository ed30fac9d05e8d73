#include "core/pressure/payload_trigger.hpp"

#include <algorithm>

namespace tenure {

Bytes PayloadTrigger::Kind::owned_since(Bytes owned) const {
  // What was owned before may be released since, so that the sum falls below what it was.
  return owned > owned_then ? owned - owned_then : Bytes{};
}

bool PayloadTrigger::Kind::is_due(Bytes owned, Bytes leased) const {
  return owned_since(owned) >= std::max(kNotWorthIt, Bytes{leased.count() / kWhole * share});
}

void PayloadTrigger::Kind::learn(Bytes owned, Bytes retired) {
  constexpr std::uint64_t kLittle = 8;  // less than an eighth of what could have come
  const bool paid = retired * kLittle >= owned_since(owned);
  share = paid ? std::max(least, share / 2) : std::min(most, share * 2);
  owned_then = owned;
}

PayloadAdvice PayloadTrigger::advise(Bytes owned, Bytes leased) const {
  if (young_.is_due(owned, leased)) {
    return PayloadAdvice::kCollectYoung;
  }
  return full_.is_due(owned, leased) ? PayloadAdvice::kCollectFull : PayloadAdvice::kGrow;
}

void PayloadTrigger::learn_young(Bytes owned, Bytes retired) { young_.learn(owned, retired); }

void PayloadTrigger::learn_full(Bytes owned, Bytes retired) {
  full_.learn(owned, retired);
  young_.owned_then = owned;  // it looked at the young ones too
}

}  // namespace tenure
