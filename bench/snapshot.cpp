// Snapshots of a large heap, and how long mutators stand still for one.
//
// Models: a service with 10^6 small objects that somebody looks into as it runs: nodes of 24 bytes with
// two references each, in an array, while another thread goes on making some and storing them there.
//
// What is measured: the stop as the runtime's own account has it, the whole snapshot, and what is worked
// out of it afterwards. The rival of the stop is one memcpy of as many bytes, by one thread, into
// memory that is there.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/benches.hpp"
#include "bench/support/random.hpp"
#include "tenure/retention.hpp"
#include "tenure/runtime.hpp"
#include "tenure/snapshot.hpp"
#include "tenure/snapshot_files.hpp"

namespace tenure::bench {

namespace {

struct Node {
  Ref<Node> left;
  Ref<Node> right;
  std::int64_t value = 0;
  static auto tenure_type() {
    return describe("Node", &Node::left, &Node::right).named("left", "right");
  }
};

constexpr double kMostStopMs = 5;
constexpr double kNanosecondsPerMs = 1e6;
constexpr int kSnapshots = 15;
constexpr int kBurst = 10;  // replaced by the service between two waits
constexpr std::uint64_t kSeed = 17;

// The service: it fills an array, says so, and goes on replacing its elements.
void serve(Runtime& runtime, std::uint32_t objects, std::atomic<bool>& is_filled,
           const std::atomic<bool>& ends) {
  Mutator mutator(runtime);
  Random random(kSeed);
  const Local<RefArray<Node>> all = make_array<Node>(mutator, objects);
  const auto replace = [&](std::uint32_t at, std::uint32_t known) {
    const Local<Node> node = make<Node>(mutator);
    node->left = (*all)[random.below(known)];
    node->right = (*all)[random.below(known)];
    (*all)[at] = node;
  };
  for (std::uint32_t k = 0; k < objects; ++k) {
    replace(k, k + 1);
  }
  (void)runtime.collect();
  is_filled = true;
  while (!ends.load(std::memory_order_relaxed)) {
    for (int k = 0; k < kBurst; ++k) {
      const std::uint32_t at = random.below(objects);
      (*all)[at]->left = nullptr;  // what is replaced is not kept by chains of its like
      (*all)[at]->right = nullptr;
      replace(at, objects);
    }
    const Away away(mutator);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

template <class Work>
double ms_of(Work work) {
  const Stopwatch watch;
  work();
  return watch.ns() / kNanosecondsPerMs;
}

// The rival's pass over as many bytes.
class Copying {
 public:
  explicit Copying(std::uint64_t bytes) : from_(bytes, 1), to_(bytes, 2) {}
  double run() {
    return ms_of([this] { std::memcpy(to_.data(), from_.data(), from_.size()); });
  }

 private:
  std::vector<char> from_;
  std::vector<char> to_;
};

}  // namespace

void bench_snapshot(Session& session) {
  const std::uint32_t objects = session.pick(1'000'000u, 10'000u);
  Config config;
  config.device = "host";
  config.watch_system_ms = 0;
  Runtime runtime = value_or_throw(Runtime::open(config));
  std::atomic<bool> is_filled{false};
  std::atomic<bool> ends{false};
  std::thread service([&] { serve(runtime, objects, is_filled, ends); });
  while (!is_filled) {
    std::this_thread::yield();
  }
  Samples stops;
  Samples whole;
  Samples copies;
  HeapSnapshot last;
  for (int k = 0; k < session.pick(kSnapshots, 2); ++k) {
    // As a caller does who wants the shortest stop: what is dead in the nursery is copied, too.
    (void)runtime.collect(Collect::kYoung);
    last = value_or_throw(take_snapshot(runtime));
    stops.push_back(static_cast<double>(last.cost.stop_ns) / kNanosecondsPerMs);
    whole.push_back(static_cast<double>(last.cost.total_ns) / kNanosecondsPerMs);
    Copying copying(last.cost.copied.count());
    copies.push_back(copying.run());
  }
  ends = true;
  service.join();

  const std::string world = std::to_string(objects) + " objects of 24 bytes: ";
  const auto add = [&](const std::string& name, Samples samples, std::optional<double> limit = {}) {
    session.add({.name = world + name, .unit = "ms", .limit = limit},
                {.ours = std::move(samples), .rivals = {}});
  };
  const double longest = *std::max_element(stops.begin(), stops.end());
  session.add({.name = world + "the stop",
               .unit = "ms",
               .limit = kMostStopMs,
               .rivals = {{.name = "memcpy, one thread"}}},
              {.ours = stops, .rivals = {copies}});
  add("the stop, longest", {longest}, kMostStopMs);
  add("the whole snapshot", whole);
  Retention retention;
  add("retained sizes", {ms_of([&] { retention = find_retention(last); })});
  add("cycles", {ms_of([&] { (void)find_cycles(last); })});
  add("totals by type", {ms_of([&] { (void)totals_by_type(last, retention); })});
  const std::string path = std::filesystem::temp_directory_path() / "tenure_bench.heapsnapshot";
  add("written for DevTools",
      {ms_of([&] { value_or_throw(write_snapshot(last, path, SnapshotFormat::kHeapSnapshot)); })});
  session.note("the file for DevTools has " + to_string(Bytes{std::filesystem::file_size(path)}) +
               "; " + to_string(last.cost.copied) + " were copied in the last stop");
  std::filesystem::remove(path);
}

}  // namespace tenure::bench
