// Making small objects, the young collections that follow included.
//
// Models: a program that works through a stream of records and always holds the last so many: a
// parser, a queue, an undo history. A step makes a record that refers to the one before it, puts it
// into the window in the place of the oldest, and cuts the oldest off. "dropped at once" is the other
// end: a record that is made, looked at, and forgotten.
//
// Both sides hold 24 bytes a record: ours are header, two references and a number; the rivals' two
// pointers and a number. The rivals free the oldest, ours leave it to the collector. Runtimes are
// as they come, with a nursery of 32 MiB.
#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "bench/benches.hpp"
#include "core/base/check.hpp"
#include "tenure/runtime.hpp"

namespace tenure::bench {

namespace {

constexpr double kTarget = 0.6;  // of mimalloc's time

struct Record {
  Ref<Record> previous;
  Ref<Record> other;
  std::int64_t value = 0;
  static auto tenure_type() { return describe("Record", &Record::previous, &Record::other); }
};
constexpr std::size_t kRecordBytes = 24;
static_assert(sizeof(Record) + kGranuleBytes == kRecordBytes);

class Window {
 public:
  Window(Mutator& mutator, std::uint32_t length)
      : mutator_(mutator), length_(length), slots_(make_array<Record>(mutator, length)) {
    for (std::uint32_t place = 0; place < length; ++place) {
      (*slots_)[place] = make<Record>(mutator_, nullptr, nullptr, place);
    }
  }

  [[gnu::noinline]] void slide(std::uint64_t steps) {
    const std::uint32_t mask = length_ - 1;
    const std::uint32_t first = std::exchange(next_, next_ + static_cast<std::uint32_t>(steps));
    const std::uint32_t end = next_;
    Local<Record> previous(mutator_, (*slots_)[(first - 1) & mask]);
    for (std::uint32_t at = first; at != end; ++at) {
      const Local<Record> fresh = make<Record>(mutator_, previous, nullptr, at);
      (*slots_)[(at + 1) & mask]->previous = nullptr;
      (*slots_)[at & mask] = fresh;
      previous = fresh;
    }
  }

  void verify() const {
    const std::int64_t newest = (*slots_)[(next_ - 1) & (length_ - 1)]->value;
    check(static_cast<std::uint32_t>(newest) == next_ - 1, "a window lost its newest record");
  }

 private:
  Mutator& mutator_;
  std::uint32_t length_;    // a power of two
  std::uint32_t next_ = 0;  // the next record's number; it wraps
  Local<RefArray<Record>> slots_;
};

struct PlainRecord {
  PlainRecord* previous;
  PlainRecord* other;
  std::int64_t value;
};
static_assert(sizeof(PlainRecord) == kRecordBytes);

// The calls of an allocator as the compiler sees a library's: addresses that it knows nothing of.
struct Allocator {
  void* (*allocate)(std::size_t size);
  void (*free)(void* block);

  [[nodiscard]] PlainRecord* make(PlainRecord* previous, std::int64_t value) const {
    return ::new (allocate(sizeof(PlainRecord))) PlainRecord{previous, nullptr, value};
  }
};

class PlainWindow {
 public:
  PlainWindow(const Allocator& allocator, std::uint32_t length)
      : allocator_(allocator), slots_(length) {
    for (PlainRecord*& slot : slots_) {
      slot = allocator_.make(nullptr, 0);
    }
  }
  PlainWindow(const PlainWindow&) = delete;
  PlainWindow& operator=(const PlainWindow&) = delete;
  ~PlainWindow() {
    for (PlainRecord* const slot : slots_) {
      allocator_.free(slot);
    }
  }

  [[gnu::noinline]] void slide(std::uint64_t steps) {
    const auto mask = static_cast<std::uint32_t>(slots_.size() - 1);
    PlainRecord** const slots = slots_.data();
    const std::uint32_t first = std::exchange(next_, next_ + static_cast<std::uint32_t>(steps));
    const std::uint32_t end = next_;
    PlainRecord* previous = slots[(first - 1) & mask];
    for (std::uint32_t at = first; at != end; ++at) {
      PlainRecord* const fresh = allocator_.make(previous, at);
      PlainRecord* const oldest = slots[at & mask];
      slots[(at + 1) & mask]->previous = nullptr;
      slots[at & mask] = fresh;
      allocator_.free(oldest);
      previous = fresh;
    }
  }

 private:
  Allocator allocator_;
  std::uint32_t next_ = 0;
  std::vector<PlainRecord*> slots_;  // [a power of two]
};

[[gnu::noinline]] void make_and_drop(Mutator& mutator, std::uint64_t records) {
  for (std::uint64_t k = 0; k < records; ++k) {
    const Local<Record> record =
        make<Record>(mutator, nullptr, nullptr, static_cast<std::int64_t>(k));
    benchmark::DoNotOptimize(record.get());
  }
}

[[gnu::noinline]] void make_and_free(const Allocator& allocator, std::uint64_t records) {
  for (std::uint64_t k = 0; k < records; ++k) {
    PlainRecord* record = allocator.make(nullptr, static_cast<std::int64_t>(k));
    benchmark::DoNotOptimize(record);
    allocator.free(record);
  }
}

// A run's nanoseconds for each record that `work` makes.
template <class Work>
Run per_record(Work work) {
  return [work](std::uint64_t records) {
    const Stopwatch watch;
    work(records);
    return watch.ns() / static_cast<double>(records);
  };
}

}  // namespace

void bench_allocate(Session& session) {
  Runtime runtime = value_or_throw(Runtime::open());
  Mutator mutator(runtime);
  const Allocator mimalloc{session.mimalloc().allocate, session.mimalloc().free};
  const Allocator plain{std::malloc, std::free};

  session.measure(
      {.name = "24 B records, each dropped at once",
       .unit = "ns per object",
       .ours = per_record([&](std::uint64_t n) { make_and_drop(mutator, n); }),
       .rivals = {
           {"mimalloc", kTarget, per_record([&](std::uint64_t n) { make_and_free(mimalloc, n); })},
           {"malloc", {}, per_record([&](std::uint64_t n) { make_and_free(plain, n); })}}});

  for (const std::uint32_t length : {64u, 1024u, 65536u}) {
    Window ours(mutator, length);
    PlainWindow rival(mimalloc, length);
    PlainWindow other(plain, length);
    session.measure(
        {.name = "24 B records, the last " + std::to_string(length) + " live",
         .unit = "ns per object",
         .ours = per_record([&](std::uint64_t n) { ours.slide(n); }),
         .rivals = {{"mimalloc", kTarget, per_record([&](std::uint64_t n) { rival.slide(n); })},
                    {"malloc", {}, per_record([&](std::uint64_t n) { other.slide(n); })}}});
    ours.verify();
  }
}

}  // namespace tenure::bench
