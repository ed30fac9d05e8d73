// A heap that every marker in turn marks, and the bits that each of them has to leave: those that the
// first one left.
#pragma once

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bench/gpu/big_heap.hpp"
#include "bench/gpu/device.hpp"
#include "bench/gpu/shuffle.hpp"
#include "core/model/marker.hpp"

namespace tenure::bench {

/// What one marking, begun to completed, took.
struct Took {
  double seconds = 0;
  double cpu_seconds = 0;  // of all threads of this process
};

class CheckedHeap {
 public:
  /// threads  that make it
  CheckedHeap(const BigHeapOptions& options, std::uint32_t threads)
      : name_(in_words(options)), shape_(options.shape), heap_(options, threads) {}

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] BigShape shape() const { return shape_; }
  [[nodiscard]] std::uint32_t objects() const { return heap_.objects(); }
  [[nodiscard]] std::uint64_t bytes() const { return heap_.bytes(); }  // of regions with references
  [[nodiscard]] MarkJob job() { return heap_.job(); }
  void clear_marks() { heap_.clear_marks(); }

  /// Ends the section where the bits are not those that the first marker left.
  Took mark(Marker& marker, const MarkJob& job) {
    heap_.clear_marks();
    const double begin = seconds_now();
    const std::clock_t cpu_begin = std::clock();
    marker.begin(job);
    (void)marker.advance(Marker::kNoBudget);
    const MarkStats stats = marker.complete();
    const Took took{seconds_now() - begin,
                    static_cast<double>(std::clock() - cpu_begin) / CLOCKS_PER_SEC};
    must_be_expected(stats.objects);
    return took;
  }
  /// The shortest of three; of a list one, which one lane after the other takes a second and more for.
  ///
  /// figures  gives what the marker says of the last one; that of the shortest is kept
  template <class Figures>
  [[nodiscard]] auto best_of_some(Marker& marker, const MarkJob& job, Figures figures) {
    Took took = mark(marker, job);
    std::pair best{took, figures()};
    for (int k = shape_ == BigShape::kList ? 1 : 3; k > 1; --k) {
      took = mark(marker, job);
      if (took.seconds < best.first.seconds) {
        best = {took, figures()};
      }
    }
    return best;
  }

  /// Ends the section where so many objects, or the bits that are set, are not what is expected.
  void must_be_expected(std::uint64_t objects) {
    if (objects != heap_.objects()) {
      throw std::runtime_error(name_ + ": " + std::to_string(objects) + " objects marked of " +
                               std::to_string(heap_.objects()));
    }
    if (expected_.empty()) {
      expected_.assign(heap_.marks().begin(), heap_.marks().end());
    } else if (!std::equal(expected_.begin(), expected_.end(), heap_.marks().begin())) {
      throw std::runtime_error(name_ + ": a marker's bits are not those of the first");
    }
  }

  /// A hundredth of the cards of the regions that hold references, spread evenly.
  [[nodiscard]] std::vector<std::uint32_t> some_cards() const {
    constexpr std::uint64_t kRegionBytes = std::uint64_t{kGranulesPerRegion} * kGranuleBytes;
    const auto regions = static_cast<std::uint32_t>(heap_.bytes() / kRegionBytes);
    const Shuffle shuffle(regions * kCardsPerRegion);
    std::vector<std::uint32_t> cards(std::max(regions * kCardsPerRegion / 100, 1u));
    for (std::uint32_t k = 0; k < cards.size(); ++k) {
      cards[k] = kCardsPerRegion + shuffle(k);  // region 0 holds nothing
    }
    return cards;
  }

 private:
  std::string name_;
  BigShape shape_;
  BigHeap heap_;
  std::vector<std::uint32_t> expected_;  // bits of the first marker
};

}  // namespace tenure::bench
