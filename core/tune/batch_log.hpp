// The batches of a program, as it marks their ends: how many bytes the last of them allocated.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "tenure/bytes.hpp"

namespace tenure {

/// threads  one at a time
class BatchLog {
 public:
  static constexpr std::size_t kKept = 16;

  void note(Bytes allocated) { last_[count_++ % kKept] = allocated; }
  void clear() { count_ = 0; }

  [[nodiscard]] std::uint64_t count() const { return count_; }
  /// Of the last ones.
  [[nodiscard]] Bytes largest() const {
    return count_ == 0 ? Bytes{} : *std::max_element(last_.begin(), last_.begin() + kept());
  }
  /// Their mean, and their deviation as a part of it.
  [[nodiscard]] double mean() const {
    double sum = 0;
    for (std::ptrdiff_t k = 0; k < kept(); ++k) {
      sum += static_cast<double>(last_[static_cast<std::size_t>(k)].count());
    }
    return count_ == 0 ? 0 : sum / static_cast<double>(kept());
  }
  [[nodiscard]] double unevenness() const {
    const double middle = mean();
    double squares = 0;
    for (std::ptrdiff_t k = 0; k < kept(); ++k) {
      const double off = static_cast<double>(last_[static_cast<std::size_t>(k)].count()) - middle;
      squares += off * off;
    }
    return middle == 0 ? 0 : std::sqrt(squares / static_cast<double>(kept())) / middle;
  }

 private:
  [[nodiscard]] std::ptrdiff_t kept() const {
    return static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(count_, kKept));
  }

  std::array<Bytes, kKept> last_{};
  std::uint64_t count_ = 0;
};

}  // namespace tenure
