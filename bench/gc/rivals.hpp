// Rivals that a machine may have or not: bdwgc, opened at run time, and a Java machine.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "bench/gc/plain.hpp"
#include "tenure/bytes.hpp"
#include "tenure/result.hpp"

namespace tenure::bench {

/// The Boehm-Demers-Weiser collector, of which a process has one.
struct Bdwgc {
  PlainHeap heap;
  std::string described;  // "bdwgc 8.2.2"

  /// Gives it all of `limit` at once, so that it collects as seldom as it may.
  ///
  /// errors   kUnsupported: the library is not there
  [[nodiscard]] static Result<Bdwgc> load(Bytes limit);

  /// Lets it grow as it likes from now on.
  void lift_limit() const;

 private:
  void (*set_limit_)(std::size_t bytes) = nullptr;
};

struct JavaRun {
  std::uint64_t sum = 0;
  double ns = 0;
};

/// The programs compiled for the Java machine there is, in a folder that goes with it.
class Java {
 public:
  /// errors   kUnsupported: no java or javac; kFile: it did not compile
  [[nodiscard]] static Result<Java> compile();
  Java(Java&& from) noexcept;
  Java(const Java&) = delete;
  Java& operator=(const Java&) = delete;
  ~Java();

  /// Runs a program in a machine of its own: `warm` times, then `timed` times, of which the fastest
  /// counts.
  ///
  /// collector  "Serial", "Parallel", "G1"
  /// errors     kUnsupported: it did not print what it should
  [[nodiscard]] Result<JavaRun> run(const std::string& collector, Bytes limit, GcProgram program,
                                    const GcSizes& sizes, std::uint32_t warm,
                                    std::uint32_t timed) const;

 private:
  explicit Java(std::filesystem::path folder) : folder_(std::move(folder)) {}
  std::filesystem::path folder_;  // empty once it was moved from
};

}  // namespace tenure::bench
