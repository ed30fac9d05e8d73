#include "core/payload/client_accounts.hpp"

#include <algorithm>

#include "core/base/check.hpp"

namespace tenure {

ClientAccounts::Row& ClientAccounts::row(ClientId client) {
  check(client != ClientId::kNone, "payloads of nobody's have no account");
  const auto number = static_cast<std::size_t>(client);
  if (rows_.size() < number) {
    rows_.resize(number);
  }
  return rows_[number - 1];
}

const ClientAccounts::Row* ClientAccounts::find(ClientId client) const {
  const auto number = static_cast<std::size_t>(client);
  return number == 0 || number > rows_.size() ? nullptr : &rows_[number - 1];
}

bool ClientAccounts::admits(ClientId client, Bytes size) const {
  const Row* const account = find(client);
  return account == nullptr ||
         (size <= account->limits.hard && account->live <= account->limits.hard - size);
}

void ClientAccounts::charge_account(Row& account, Bytes size) {
  account.live += size;
  account.peak = std::max(account.peak, account.live);
  if (account.live > account.limits.soft && !account.is_above) {
    account.is_above = account.passed = true;
  }
}

void ClientAccounts::credit_account(Row& account, Bytes size) {
  account.live -= size;
  // Why some way below: a client that stands on its limit is told of once.
  constexpr std::uint64_t kPart = 16;
  const Bytes below = account.limits.soft - Bytes{account.limits.soft.count() / kPart};
  account.is_above = account.is_above && account.live > below;
}

bool ClientAccounts::take_passed(ClientId client) {
  const Row* const account = find(client);
  return account != nullptr && account->passed && !(row(client).passed = false);
}

ClientStatistics ClientAccounts::of(ClientId client) const {
  ClientStatistics statistics;
  statistics.client = client;
  if (const Row* const account = find(client)) {
    statistics.name = account->name;
    statistics.limits = account->limits;
    statistics.live = account->live;
    statistics.peak_live = account->peak;
    statistics.refusals = account->refusals;
  }
  return statistics;
}

std::vector<ClientStatistics> ClientAccounts::statistics() const {
  std::vector<ClientStatistics> all;
  for (std::size_t number = 1; number <= rows_.size(); ++number) {
    all.push_back(of(static_cast<ClientId>(number)));
  }
  return all;
}

void ClientAccounts::reset_peaks() {
  for (Row& account : rows_) {
    account.peak = account.live;
  }
}

}  // namespace tenure
