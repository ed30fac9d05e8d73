// What tests of a device's markers have in common: a substitute with emulated kernels, and a heap that is
// one list.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>

#include "core/model/marker.hpp"
#include "tests/cuda/substitute/substitute.hpp"
#include "tests/simt/launch_hook.hpp"
#include "tests/support/plain_graph.hpp"

namespace tenure::testing {

// Kernels run when the substitute says, in the order of their streams.
inline void play(const substitute::Machine& machine, bool is_cooperative = true) {
  substitute::reset(machine);
  simt::set_emulated_grid({.is_cooperative = is_cooperative, .processors = 2, .blocks = 4});
  simt::set_launch_hook([](CUstream_st* stream, std::function<void()> run) {
    return static_cast<int>(substitute::enqueue(stream, std::move(run)));
  });
}

// What a destructor could not give back is left, whoever asks.
inline bool is_of_the_end(const std::string& call) {
  for (const char* const name :
       {"cudaStreamDestroy", "cudaEventDestroy", "cudaFree", "cudaFreeHost", "cuMemUnmap",
        "cuMemAddressFree", "cuMemRelease"}) {
    if (call == name) {
      return true;
    }
  }
  return false;
}

// A list through all objects, in cells of four references: none of them is alone on its card.
class ListHeap {
 public:
  static constexpr std::uint32_t kObjects = 60'000;

  ListHeap() : graph_(kObjects, 4) {
    for (std::uint32_t k = 0; k + 1 < kObjects; ++k) {
      graph_.set_slot(graph_.object(k), 0, graph_.object(k + 1));
    }
  }
  /// Cuts the list behind object k, which changes what lies on one card.
  std::uint32_t cut(std::uint32_t k) {
    graph_.set_slot(graph_.object(k), 0, ObjectIndex::kNull);
    return static_cast<std::uint32_t>(graph_.object(k)) / kGranulesPerCard;
  }
  /// Has object k lead to another.
  void link(std::uint32_t k, std::uint32_t to) { graph_.set_slot(graph_.object(k), 0, object(to)); }
  [[nodiscard]] ObjectIndex object(std::uint32_t k) const { return graph_.object(k); }
  [[nodiscard]] MarkJob job(std::span<const std::uint32_t> written) {
    MarkJob job = first_job();
    job.written = written;
    return job;
  }
  [[nodiscard]] MarkJob first_job() {
    graph_.clear_marks();
    return graph_.job({&root_, 1});
  }
  [[nodiscard]] std::uint64_t marked() const { return graph_.marked(); }
  [[nodiscard]] std::uint64_t bytes() const {
    return std::uint64_t{kObjects} * graph_.cell() * kGranuleBytes;
  }

 private:
  PlainGraph graph_;
  ObjectIndex root_ = graph_.object(0);
};

}  // namespace tenure::testing
