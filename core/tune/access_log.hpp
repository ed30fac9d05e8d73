// How a type's objects are used, as far as uses are noted: from the addresses of the last of them.
//
// Invariant: of each type no more is kept than the last addresses and four counts, and of no more types
// than there may be.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <unordered_map>

namespace tenure {

/// Uses of one type.
struct AccessFigures {
  double accesses = 0;
  double steps = 0;   // from one use to the next
  double near = 0;    // of those, under 1 KiB
  double reused = 0;  // uses of one of the last used
  double beside = 0;  // uses near one of them, and not of it
  double writes = 0;

  [[nodiscard]] double sequential() const { return part(near, steps); }
  [[nodiscard]] double temporal() const { return part(reused, steps); }
  [[nodiscard]] double spatial() const { return part(beside, steps); }
  [[nodiscard]] double written() const { return part(writes, accesses); }

 private:
  [[nodiscard]] static double part(double of, double whole) { return whole > 0 ? of / whole : 0; }
};

/// threads  one at a time
class AccessLog {
 public:
  void note(std::uint32_t type, std::uintptr_t address, bool is_write = false);
  /// Zero where none was noted.
  [[nodiscard]] AccessFigures figures(std::uint32_t type) const;
  /// Calls `visit(type, figures)` for each type that was used.
  template <class Visit>
  void for_each(Visit visit) const {
    for (const auto& [type, row] : types_) {
      visit(type, row.figures);
    }
  }
  void clear() { types_.clear(); }

 private:
  static constexpr std::size_t kKept = 32;
  static constexpr std::size_t kMostTypes = 1024;
  static constexpr std::uintptr_t kNearStep = 1024;   // bytes
  static constexpr std::uintptr_t kNearPlace = 4096;  // bytes: a page
  static constexpr double kHalved = 65'536;           // uses, after which what was counts half

  struct Type {
    std::array<std::uintptr_t, kKept> last{};  // distinct, in a ring
    std::size_t count = 0;                     // ever put there
    std::uintptr_t previous = 0;
    AccessFigures figures;
  };

  std::unordered_map<std::uint32_t, Type> types_;
};

}  // namespace tenure
