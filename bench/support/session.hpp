// What a bench is given: it measures its cases here, and the rows stay.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bench/support/measure.hpp"
#include "bench/support/mimalloc.hpp"
#include "bench/support/row.hpp"

namespace tenure::bench {

class Session {
 public:
  /// moment   everything is small and runs once, to see that it runs
  Session(const Effort& effort, bool moment, const Mimalloc& mimalloc)
      : effort_(effort), moment_(moment), mimalloc_(mimalloc) {}
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// The rows from here on are of this bench.
  void begin(std::string_view bench) { bench_ = bench; }

  /// Measures a case, and keeps its rows.
  Measured measure(const Case& asked);

  /// Keeps the rows of a case whose figures came from elsewhere: the runs of another one, seen
  /// otherwise.
  void add(const Case& of, const Measured& measured);

  /// Says, below the table, what a reader of the figures must know.
  void note(std::string sentence) { notes_.push_back(std::move(sentence)); }

  /// The size of a bench's world: as it should be, or as a moment allows.
  template <class T>
  [[nodiscard]] T pick(T full, T for_a_moment) const {
    return moment_ ? for_a_moment : full;
  }

  [[nodiscard]] const Mimalloc& mimalloc() const { return mimalloc_; }
  [[nodiscard]] const std::vector<Row>& rows() const { return rows_; }
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }

 private:
  Effort effort_;
  bool moment_;
  const Mimalloc& mimalloc_;  // outlives the session
  std::string bench_;
  std::vector<Row> rows_;
  std::vector<std::string> notes_;
};

}  // namespace tenure::bench
