// Who holds how much of a pool: libraries of one process share an arena, each with limits of its own.
//
// Numbers in, decisions out; the pool's lock guards it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tenure/payload.hpp"
#include "tenure/statistics.hpp"

namespace tenure {

class ClientAccounts {
 public:
  /// name     for refusals
  void set_limits(ClientId client, std::string_view name, const ClientLimits& limits) {
    row(client).name = name;
    row(client).limits = limits;
  }

  /// Whether `client` may hold `size` more. A refusal is counted by `refuse`.
  [[nodiscard]] bool admits(ClientId client, Bytes size) const;
  void refuse(ClientId client) { ++row(client).refusals; }

  /// Payloads of nobody's are not counted. Why inline so far: each lease and return comes by here.
  void charge(ClientId client, Bytes size) {
    if (client != ClientId::kNone) [[unlikely]] {
      charge_account(row(client), size);
    }
  }
  void credit(ClientId client, Bytes size) {
    if (client != ClientId::kNone) [[unlikely]] {
      credit_account(row(client), size);
    }
  }

  /// Whether its soft limit was passed since it was last asked.
  [[nodiscard]] bool take_passed(ClientId client);

  /// One for each that ever held something, or has limits.
  [[nodiscard]] std::vector<ClientStatistics> statistics() const;
  [[nodiscard]] ClientStatistics of(ClientId client) const;

  void reset_peaks();

 private:
  struct Row {
    std::string name;  // empty until it has limits
    ClientLimits limits;
    Bytes live{};
    Bytes peak{};
    std::uint64_t refusals = 0;
    bool is_above = false;  // the soft limit
    bool passed = false;    // and nobody was told
  };
  Row& row(ClientId client);
  static void charge_account(Row& account, Bytes size);
  static void credit_account(Row& account, Bytes size);
  [[nodiscard]] const Row* find(ClientId client) const;

  std::vector<Row> rows_;  // by number, from 1
};

}  // namespace tenure
