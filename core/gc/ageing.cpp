#include "core/gc/ageing.hpp"

#include <algorithm>

namespace tenure {

Ageing::Ageing(const PerGeneration& most, std::uint32_t generations) {
  for (std::uint32_t generation = 0; generation + 1 < generations; ++generation) {
    rows_[generation].most = rows_[generation].age = most[generation];
  }
}

void Ageing::learn(std::uint32_t last, const Survivors& survivors) {
  for (std::uint32_t generation = 0; generation <= last; ++generation) {
    learn(rows_[generation], survivors[generation]);
  }
}

void Ageing::learn(Row& row, const std::array<std::uint64_t, kAgeLimit + 1>& survivors) {
  const std::uint32_t age = row.age;
  ++row.quiet;
  if (age > 1 && row.waiting > 0) {
    row.came += row.waiting;
    row.survived += std::min(row.waiting, survivors[age - 1]);
    ++row.measured;
  }
  decide(row);
  // Of those that just went up nobody waits, so after a step more there is nothing to measure yet.
  const bool is_known = row.age > 1 && row.age <= age;
  row.waiting = is_known ? survivors[row.age - 2] : 0;
}

void Ageing::decide(Row& row) {
  if (row.age == 1) {
    if (row.quiet >= row.patience && row.most > 1) {
      set_age(row, 2);
    }
    return;
  }
  if (row.measured < kEnough) {
    return;
  }
  const double died = 1.0 - static_cast<double>(row.survived) / static_cast<double>(row.came);
  if (died < kWorth) {
    // Why twice as long: what was not worth it once seldom is soon after.
    row.patience = std::min(kMostPatience, 2 * row.patience);
    set_age(row, row.age - 1);
  } else if (row.age < row.most && row.quiet >= row.patience) {
    row.patience = kLeastPatience;
    set_age(row, row.age + 1);
  } else {
    row.came = row.survived = row.measured = 0;
  }
}

void Ageing::set_age(Row& row, std::uint32_t age) {
  row.age = age;
  row.came = row.survived = row.measured = row.quiet = 0;
}

}  // namespace tenure
