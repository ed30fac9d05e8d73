// A heap looked into from outside, as values: for tests, stress runs and reports. All of it stops
// the mutators and walks the heap.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "tenure/bytes.hpp"
#include "tenure/object.hpp"
#include "tenure/result.hpp"
#include "tenure/statistics.hpp"

namespace tenure {

class Runtime;

/// What one walk over all objects found; dead ones that nobody swept or evacuated count too.
struct Census {
  struct Row {
    std::uint64_t objects = 0;
    Bytes bytes{};
  };
  std::map<std::string, Row> by_type;
  std::array<Row, kMaxGenerations> by_generation{};
  /// Of the young generations: by collections survived in the present one, as headers say. The last
  /// row's 15 is never reached, since an object of its generation's age has left it.
  std::array<Row, kAgeLimit + 1> by_age{};
  /// The same for each young generation.
  std::array<std::array<Row, kAgeLimit + 1>, kMaxGenerations> by_generation_and_age{};
  Row total{};
};

/// Counts the objects of the heap.
[[nodiscard]] Census take_census(Runtime& runtime);

/// Walks the heap and checks every invariant of docs/design.md, the remembered cards, free lists,
/// payload blocks and owners included.
///
/// errors   kBadArgument with the first thing that is not as it should be, in a sentence
[[nodiscard]] Result<void> verify_heap(Runtime& runtime);

}  // namespace tenure
