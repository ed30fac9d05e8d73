// Made allocation traces of a training on several streams: one computes, one takes activations away to
// the host, the others bring them back ahead of their use, and gradients are reduced beside it all.
//
//   iteration   forward                  backward                      reduction
//   stream 0    a0 a1 .. use . free      uses f.. , gradients          .
//   stream 1       use a0 (offload)      .                             .
//   stream 2+      .                     f9 f8 .. (prefetch, in turn)  buckets, used on stream 0
//
// So each phase has its peak on another stream, and blocks of one stream are used on others.
//
// Invariant: a trace adds up: every use and free names a live block. It depends on its options alone.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "core/observe/trace_row.hpp"

namespace tenure::testing {

struct StreamTraceOptions {
  std::uint32_t streams = 4;  // 2 at least
  std::uint32_t layers = 96;  // a transformer of 48 blocks: attention and network of each
  std::uint32_t iterations = 4;
  std::uint32_t kinds = 4;                      // of layers, in turn; each has a size of its own
  std::uint64_t unit = std::uint64_t{1} << 20;  // bytes; activations take 8 to 40 of them
  double jitter =
      0.05;  // an iteration's sequences, and all its sizes, are so much shorter at the most
  std::uint64_t seed = 1;
};

struct StreamTraceEvent {
  enum class Kind : std::uint8_t { kAlloc, kUse, kFree };
  Kind kind = Kind::kAlloc;
  std::uint32_t block = 0;  // counted from 0 in the order of allocation
  std::uint64_t bytes = 0;  // of the block
  std::uint32_t stream = 0;
  std::uint32_t site = 0;
};

class StreamTrace {
 public:
  explicit StreamTrace(const StreamTraceOptions& options)
      : options_(options), random_(options.seed) {
    std::vector<std::uint64_t> kinds;
    for (std::uint32_t k = 0; k < options.kinds; ++k) {
      kinds.push_back((8 + random_() % 33) * options.unit);
    }
    for (std::uint32_t layer = 0; layer < options.layers; ++layer) {
      activation_.push_back(kinds[layer % options.kinds]);
    }
    std::vector<std::uint32_t> weights;
    for (std::uint32_t layer = 0; layer < options.layers; ++layer) {
      weights.push_back(alloc(activation_[layer] / 4, kCompute, kWeights));
    }
    for (std::uint32_t i = 0; i < options.iterations; ++i) {
      scale_ = 1 - options.jitter * static_cast<double>(random_() % 1024) / 1024;
      forward();
      backward();
      reduce();
    }
    for (const std::uint32_t block : weights) free(block);
  }

  [[nodiscard]] const std::vector<StreamTraceEvent>& events() const { return events_; }
  [[nodiscard]] std::uint32_t blocks() const { return blocks_; }
  [[nodiscard]] std::uint32_t streams() const { return options_.streams; }

  /// The most bytes that were live at one time.
  [[nodiscard]] std::uint64_t peak_live() const {
    std::uint64_t live = 0;
    std::uint64_t peak = 0;
    for (const StreamTraceEvent& event : events_) {
      live += event.kind == StreamTraceEvent::Kind::kAlloc ? event.bytes : 0;
      live -= event.kind == StreamTraceEvent::Kind::kFree ? event.bytes : 0;
      peak = std::max(peak, live);
    }
    return peak;
  }

  /// What allocators with a free list of each stream must reserve at the least, however well each is
  /// packed: what one stream freed serves that stream alone, so that each keeps its own peak.
  [[nodiscard]] std::uint64_t peak_of_free_lists_by_stream() const {
    std::map<std::uint32_t, std::uint64_t> live;
    std::map<std::uint32_t, std::uint64_t> peak;
    std::vector<std::uint32_t> home(blocks_);
    for (const StreamTraceEvent& event : events_) {
      if (event.kind == StreamTraceEvent::Kind::kAlloc) {
        home[event.block] = event.stream;
        live[event.stream] += event.bytes;
        peak[event.stream] = std::max(peak[event.stream], live[event.stream]);
      } else if (event.kind == StreamTraceEvent::Kind::kFree) {
        live[home[event.block]] -= event.bytes;
      }
    }
    std::uint64_t sum = 0;
    for (const auto& [stream, bytes] : peak) sum += bytes;
    return sum;
  }

  /// As a trace that `TraceData::read` takes; uses have no row there.
  [[nodiscard]] std::string to_csv() const {
    std::string text = std::string(kTraceHeader) + "\n";
    for (const StreamTraceEvent& event : events_) {
      if (event.kind != StreamTraceEvent::Kind::kUse) {
        text += event.kind == StreamTraceEvent::Kind::kAlloc ? "alloc," : "free,";
        text += std::to_string(event.block + 1) + "," + std::to_string(event.bytes) + "," +
                std::to_string(event.stream) + ",0,0," + std::to_string(event.site) + "\n";
      }
    }
    return text;
  }

 private:
  static constexpr std::uint32_t kCompute = 0;
  static constexpr std::uint32_t kOffload = 1;
  enum Site : std::uint32_t {
    kWeights = 1,
    kActivations,
    kWorkspaces,
    kFetched,
    kGradients,
    kBuckets
  };

  [[nodiscard]] std::uint64_t scaled(std::uint64_t bytes) const {
    return static_cast<std::uint64_t>(static_cast<double>(bytes) * scale_);
  }
  std::uint32_t alloc(std::uint64_t bytes, std::uint32_t stream, Site site) {
    bytes = std::max<std::uint64_t>(bytes, 1);
    sizes_.push_back(bytes);
    events_.push_back({StreamTraceEvent::Kind::kAlloc, blocks_, bytes, stream, site});
    return blocks_++;
  }
  void use(std::uint32_t block, std::uint32_t stream) {
    events_.push_back({StreamTraceEvent::Kind::kUse, block, sizes_[block], stream, 0});
  }
  void free(std::uint32_t block) {
    events_.push_back({StreamTraceEvent::Kind::kFree, block, sizes_[block], 0, 0});
  }

  void forward() {
    std::deque<std::uint32_t> waiting;  // to be taken away, and half of the layers behind
    for (std::uint32_t layer = 0; layer < options_.layers; ++layer) {
      waiting.push_back(alloc(scaled(activation_[layer]), kCompute, kActivations));
      const std::uint32_t workspace = alloc(scaled(activation_[layer] / 8), kCompute, kWorkspaces);
      use(waiting.back(), kCompute);
      free(workspace);
      if (waiting.size() > options_.layers / 2) {
        take_away(waiting);
      }
    }
    while (!waiting.empty()) take_away(waiting);
  }
  void take_away(std::deque<std::uint32_t>& waiting) {
    use(waiting.front(), kOffload);
    free(waiting.front());
    waiting.pop_front();
  }

  void backward() {
    std::deque<std::uint32_t> fetched;
    const auto consume = [&] {
      const std::uint32_t block = fetched.front();
      fetched.pop_front();
      const std::uint32_t gradient = alloc(sizes_[block] / 8, kCompute, kGradients);
      use(block, kCompute);
      free(block);
      free(gradient);
    };
    for (std::uint32_t layer = options_.layers; layer-- > 0;) {
      fetched.push_back(alloc(scaled(activation_[layer]), side(layer), kFetched));
      if (fetched.size() > options_.layers / 2) consume();
    }
    while (!fetched.empty()) consume();
  }

  void reduce() {
    std::vector<std::uint32_t> buckets;
    for (std::uint32_t layer = 0; layer < options_.layers / 2; ++layer) {
      buckets.push_back(alloc(scaled(activation_[layer]), options_.streams - 1, kBuckets));
    }
    std::shuffle(buckets.begin(), buckets.end(), random_);
    for (const std::uint32_t block : buckets) {
      use(block, kCompute);
      free(block);
    }
  }
  // Which stream fetches a layer.
  [[nodiscard]] std::uint32_t side(std::uint32_t layer) const {
    return options_.streams == 2 ? 1 : 2 + layer % (options_.streams - 2);
  }

  const StreamTraceOptions options_;
  std::mt19937_64 random_;
  std::vector<std::uint64_t> activation_;  // bytes, by layer
  double scale_ = 1;                       // of this iteration's sizes
  std::vector<std::uint64_t> sizes_;       // by block
  std::vector<StreamTraceEvent> events_;
  std::uint32_t blocks_ = 0;
};

}  // namespace tenure::testing
