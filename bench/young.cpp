// A young collection, by how much of a full nursery survives it.
//
// Models: a program that fills tables whose entries hang in chains, while most of what it makes is
// garbage. Objects are made until the nursery is full; of each hundred, so many are kept: hung into
// one of 1,024 chains at random, with a second reference to some other chain's newest entry. Then
// the nursery is collected. Before the next filling all chains are dropped.
//
// The rival knows the same objects at the same places in memory of its own, and copies what its
// chains reach by Cheney's loop: no types, no ages, no cards, no generations, no threads to stop.
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "bench/benches.hpp"
#include "bench/support/random.hpp"
#include "core/backend/platform.hpp"
#include "core/base/check.hpp"
#include "tenure/runtime.hpp"

namespace tenure::bench {

namespace {

constexpr std::uint32_t kChains = 1024;
constexpr std::uint32_t kPerHundred = 100;

// How a nursery is filled: the same draws for both sides.
struct Filling {
  std::uint64_t objects = 0;
  std::uint32_t kept_per_hundred = 0;

  // Calls `keep(chain, other)` or `drop()` for each object.
  template <class Keep, class Drop>
  std::uint64_t replay(Keep keep, Drop drop) const {
    Random random;
    std::uint64_t kept = 0;
    for (std::uint64_t k = 0; k < objects; ++k) {
      if (random.below(kPerHundred) < kept_per_hundred) {
        const std::uint32_t chain = random.below(kChains);
        keep(chain, random.below(kChains));
        ++kept;
      } else {
        drop();
      }
    }
    return kept;
  }
};

struct Entry {
  Ref<Entry> next;
  Ref<Entry> other;
  std::int64_t value = 0;
  static auto tenure_type() { return describe("Entry", &Entry::next, &Entry::other); }
};
constexpr std::uint32_t kEntryGranules = 3;
static_assert(sizeof(Entry) + kGranuleBytes == kEntryGranules * kGranuleBytes);

class Ours {
 public:
  Ours(Bytes nursery, const Filling& filling)
      : filling_(filling),
        runtime_(value_or_throw(Runtime::open(config_for(nursery)))),
        mutator_(runtime_),
        chains_(make_array<Entry>(mutator_, kChains)) {
    collect(Collect::kFull);  // the table of chains is old from here on
  }

  // One collection's nanoseconds.
  double collect_once() {
    for (Ref<Entry>& chain : *chains_) {
      chain = nullptr;
    }
    const std::uint64_t before = runtime_.statistics().collections;
    const std::uint64_t kept = filling_.replay(
        [this](std::uint32_t chain, std::uint32_t other) {
          const Local<Entry> entry = make<Entry>(mutator_);
          RefArray<Entry>& chains = *chains_;
          entry->next = chains[chain];
          entry->other = chains[other];
          chains[chain] = entry;
        },
        [this] { (void)make<Entry>(mutator_); });
    check(runtime_.statistics().collections == before, "the nursery was filled too far");
    const Stopwatch watch;
    const CollectionReport report = collect(Collect::kYoung);
    const double ns = watch.ns();
    check(report.objects_copied + report.objects_promoted == kept,
          "a young collection did not copy what was kept");
    return ns;
  }

 private:
  static Config config_for(Bytes nursery) {
    Config config;
    config.nursery = nursery;
    config.max_pause_us = 60'000'000;  // a nursery is full when we say so, whatever it costs
    return config;
  }
  CollectionReport collect(Collect what) { return value_or_throw(runtime_.collect(what)); }

  const Filling& filling_;
  Runtime runtime_;
  Mutator mutator_;
  Local<RefArray<Entry>> chains_;
};

// The rival's memory: huge pages like the cage's.
class Space {
 public:
  explicit Space(Bytes size)
      : size_(round_up(size, Bytes{kAlignment})),
        base_(value_or_throw(host_platform().reserve(size_, Bytes{kAlignment}))) {
    check(host_platform().commit(base_, size_, PageUse::kDense).ok(), "no memory for the rival");
  }
  Space(const Space&) = delete;
  Space& operator=(const Space&) = delete;
  ~Space() { host_platform().release(base_, size_); }

  [[nodiscard]] std::uint64_t* granules() const { return reinterpret_cast<std::uint64_t*>(base_); }

 private:
  static constexpr std::uint64_t kAlignment = std::uint64_t{2} << 20;
  Bytes size_;
  std::byte* base_;
};

// Three granules an object: a word that is 0 or its new place, two references, a number. Places are
// granules of `from` and, once copied, of `to`; 0 is none.
class ByHand {
 public:
  ByHand(Bytes nursery, const Filling& filling)
      : filling_(filling), from_(nursery), to_(nursery), chains_(kChains) {}

  double collect_once() {
    std::fill(chains_.begin(), chains_.end(), 0u);
    next_ = 1;
    const std::uint64_t kept = filling_.replay(
        [this](std::uint32_t chain, std::uint32_t other) {
          const std::uint32_t entry = take();
          std::uint32_t* const slots = slots_of(from_, entry);
          slots[0] = chains_[chain];
          slots[1] = chains_[other];
          chains_[chain] = entry;
        },
        [this] { (void)take(); });
    const Stopwatch watch;
    const std::uint64_t copied = collect();
    const double ns = watch.ns();
    check(copied == kept, "the rival did not copy what was kept");
    return ns;
  }

 private:
  std::uint32_t take() {
    const std::uint32_t place = next_;
    next_ += kEntryGranules;
    std::memset(from_.granules() + place, 0, kEntryGranules * kGranuleBytes);
    return place;
  }
  static std::uint32_t* slots_of(const Space& space, std::uint32_t place) {
    return reinterpret_cast<std::uint32_t*>(space.granules() + place + 1);
  }

  [[gnu::noinline]] std::uint64_t collect() {
    std::uint64_t* const from = from_.granules();
    std::uint64_t* const to = to_.granules();
    std::uint32_t free = 1;
    const auto forward = [&](std::uint32_t& slot) {
      if (slot == 0) {
        return;
      }
      std::uint64_t* const object = from + slot;
      if (object[0] == 0) {
        to[free] = 0;
        to[free + 1] = object[1];
        to[free + 2] = object[2];
        object[0] = free;
        free += kEntryGranules;
      }
      slot = static_cast<std::uint32_t>(object[0]);
    };
    for (std::uint32_t& chain : chains_) {
      forward(chain);
    }
    for (std::uint32_t scan = 1; scan < free; scan += kEntryGranules) {
      std::uint32_t* const slots = slots_of(to_, scan);
      forward(slots[0]);
      forward(slots[1]);
    }
    return (free - 1) / kEntryGranules;
  }

  const Filling& filling_;
  Space from_;
  Space to_;
  std::vector<std::uint32_t> chains_;
  std::uint32_t next_ = 1;
};

// The mean cost of one object that survives, or of one collection where none does.
template <class Side>
Run per_share(Side& side, double shares) {
  return [&side, shares](std::uint64_t collections) {
    double ns = 0;
    for (std::uint64_t k = 0; k < collections; ++k) {
      ns += side.collect_once();
    }
    return ns / static_cast<double>(collections) / shares;
  };
}

Samples times(Samples samples, double factor) {
  for (double& sample : samples) {
    sample *= factor;
  }
  return samples;
}

void measure_survival(Session& session, Bytes nursery, std::uint32_t kept_per_hundred) {
  // A mutator takes buffers of 32 KiB. The last one stays unused, so that nothing is collected
  // before its time.
  constexpr std::uint64_t kBuffer = std::uint64_t{32} << 10;
  constexpr std::uint64_t kPerBuffer = kBuffer / (kEntryGranules * kGranuleBytes);
  const Filling filling{.objects = (nursery.count() / kBuffer - 1) * kPerBuffer,
                        .kept_per_hundred = kept_per_hundred};
  const std::uint64_t kept = filling.replay([](std::uint32_t, std::uint32_t) {}, [] {});
  Ours ours(nursery, filling);
  ByHand rival(nursery, filling);
  const std::string world =
      to_string(nursery) + " nursery, " + std::to_string(kept_per_hundred) + " % of it survives";
  constexpr double kMicrosecond = 1e3;
  Case collection{.name = world, .unit = "us per collection", .rivals = {{.name = "copy by hand"}}};
  if (kept == 0) {
    collection.ours = per_share(ours, kMicrosecond);
    collection.rivals[0].run = per_share(rival, kMicrosecond);
    session.measure(collection);
    return;
  }
  const auto survivors = static_cast<double>(kept);
  const Measured measured =
      session.measure({.name = world,
                       .unit = "ns per survivor",
                       .ours = per_share(ours, survivors),
                       .rivals = {{.name = "copy by hand", .run = per_share(rival, survivors)}}});
  const double factor = survivors / kMicrosecond;
  session.add(collection, {.ours = times(measured.ours, factor),
                           .rivals = {times(measured.rivals[0], factor)}});
}

}  // namespace

void bench_young(Session& session) {
  for (const Bytes nursery : {4_MiB, 32_MiB}) {
    for (const std::uint32_t kept_per_hundred : {0u, 1u, 10u, 50u}) {
      measure_survival(session, nursery, kept_per_hundred);
    }
  }
}

}  // namespace tenure::bench
