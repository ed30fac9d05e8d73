// Sizes as a type of their own. A number of bytes is never a bare integer in a public call, so that
// bytes, granules and element counts cannot be mixed up.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <string>

namespace tenure {

/// A number of bytes. Explicit on the way in and out, so that bytes and granules do not mix.
class Bytes {
 public:
  constexpr Bytes() = default;
  constexpr explicit Bytes(std::uint64_t count) : count_(count) {}

  [[nodiscard]] constexpr std::uint64_t count() const { return count_; }
  [[nodiscard]] constexpr bool is_zero() const { return count_ == 0; }

  friend constexpr auto operator<=>(Bytes, Bytes) = default;

  constexpr Bytes& operator+=(Bytes other) {
    count_ += other.count_;
    return *this;
  }
  constexpr Bytes& operator-=(Bytes other) {
    count_ -= other.count_;
    return *this;
  }
  friend constexpr Bytes operator+(Bytes a, Bytes b) { return a += b; }
  friend constexpr Bytes operator-(Bytes a, Bytes b) { return a -= b; }
  friend constexpr Bytes operator*(Bytes a, std::uint64_t times) { return Bytes{a.count_ * times}; }
  friend constexpr Bytes operator*(std::uint64_t times, Bytes a) { return a * times; }
  friend constexpr Bytes operator/(Bytes a, std::uint64_t parts) { return Bytes{a.count_ / parts}; }
  friend constexpr std::uint64_t operator/(Bytes a, Bytes b) { return a.count_ / b.count_; }

 private:
  std::uint64_t count_ = 0;
};

/// No limit at all, where a limit is asked for.
inline constexpr Bytes kUnlimited{std::numeric_limits<std::uint64_t>::max()};

inline namespace literals {
constexpr Bytes operator""_B(unsigned long long count) { return Bytes{count}; }
constexpr Bytes operator""_KiB(unsigned long long count) { return Bytes{count << 10}; }
constexpr Bytes operator""_MiB(unsigned long long count) { return Bytes{count << 20}; }
constexpr Bytes operator""_GiB(unsigned long long count) { return Bytes{count << 30}; }
constexpr Bytes operator""_TiB(unsigned long long count) { return Bytes{count << 40}; }
}  // namespace literals

/// The smallest multiple of `step` that is at least `size`.
///
/// step     a power of two
/// size     at most 2^64 - step
[[nodiscard]] constexpr Bytes round_up(Bytes size, Bytes step) {
  return Bytes{(size.count() + step.count() - 1) & ~(step.count() - 1)};
}

/// The largest multiple of `step` that is at most `size`.
///
/// step     a power of two
[[nodiscard]] constexpr Bytes round_down(Bytes size, Bytes step) {
  return Bytes{size.count() & ~(step.count() - 1)};
}

/// A size as a person reads it: "512 B", "1.5 MiB", "80 GiB". Three digits or so, so it is not exact.
[[nodiscard]] std::string to_string(Bytes size);

}  // namespace tenure
