// A program with ten leaks, each of a kind of its own, among caches that are bounded: all are found,
// each with the way that keeps it, and nothing else is.
#include "tenure/heap_leak.hpp"

#include <gtest/gtest.h>

#include <array>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <regex>
#include <string>
#include <thread>
#include <vector>

#include "tenure/tensor.hpp"
#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {
namespace {

constexpr int kRounds = 4;
constexpr std::uint32_t kPerRound = 400;
constexpr Bytes kAtLeast = 64_KiB;
using Bulk = std::array<std::int64_t, 24>;  // what a leak is measured by

struct Forgotten {
  Bulk bulk{};
};
struct CacheEntry {
  Bulk bulk{};
  static auto tenure_type() { return describe_leaf<CacheEntry>("CacheEntry"); }
};
struct Cache {
  Ref<RefArray<CacheEntry>> entries;
  std::int64_t used = 0;
  static auto tenure_type() { return describe("Cache", &Cache::entries).named("entries"); }
};
struct Listener {
  Ref<Listener> next;
  Bulk bulk{};
  static auto tenure_type() { return describe("Listener", &Listener::next).named("next"); }
};
struct Subject {
  Ref<Listener> listeners;
  static auto tenure_type() { return describe("Subject", &Subject::listeners).named("listeners"); }
};
struct Request;
struct Session {
  Ref<Request> requests;
  static auto tenure_type() { return describe("Session", &Session::requests).named("requests"); }
};
struct Request {
  Ref<Session> session;  // and back: a cycle
  Ref<Request> next;
  Bulk bulk{};
  static auto tenure_type() {
    return describe("Request", &Request::session, &Request::next).named("session", "next");
  }
};
struct Preview {
  Ref<Tensor> view;
  Ref<Preview> next;
  static auto tenure_type() {
    return describe("Preview", &Preview::view, &Preview::next).named("view", "next");
  }
};
struct Work {
  Ref<Work> next;
  Bulk bulk{};
  static auto tenure_type() { return describe("Work", &Work::next).named("next"); }
};
struct Backlog {
  Ref<Work> first;
  static auto tenure_type() { return describe("Backlog", &Backlog::first).named("first"); }
};
struct Zombie {
  Ref<Zombie> next;
  Bulk bulk{};
  static auto tenure_type() { return describe("Zombie", &Zombie::next).named("next"); }
};
struct Graveyard {
  Ref<Zombie> dead;
  static auto tenure_type() { return describe("Graveyard", &Graveyard::dead).named("dead"); }
};
struct PinnedBuffer {
  std::array<std::int64_t, 600> bulk{};  // few of them: each holds back its region
  static auto tenure_type() { return describe_leaf<PinnedBuffer>("PinnedBuffer"); }
};
struct MapKey {
  Bulk bulk{};
  static auto tenure_type() { return describe_leaf<MapKey>("MapKey"); }
};
struct MapValue {
  Ref<MapKey> key;
  Ref<MapValue> next;
  static auto tenure_type() {
    return describe("MapValue", &MapValue::key, &MapValue::next).named("key", "next");
  }
};
struct Recent {
  Ref<MapValue> values;
  static auto tenure_type() { return describe("Recent", &Recent::values).named("values"); }
};
struct Plugin {
  Bulk bulk{};
  static auto tenure_type() { return describe_leaf<Plugin>("Plugin"); }
};
struct Registry {
  Ref<RefArray<Plugin>> slots;
  static auto tenure_type() { return describe("Registry", &Registry::slots).named("slots"); }
};
/// Of the caches that are bounded.
struct Page {
  Bulk bulk{};
  std::int64_t number = 0;
};

constinit Handle<Registry> registry;

// A thread that keeps one local for its whole life, and works when it is told to.
class Worker {
 public:
  explicit Worker(Runtime& runtime) : thread_([this, &runtime] { run(runtime); }) { settle(); }
  ~Worker() {
    tell(Order::kEnd);
    thread_.join();
  }
  void work() {
    tell(Order::kWork);
    settle();
  }

 private:
  enum class Order { kNone, kWork, kEnd };
  void tell(Order order) {
    const std::scoped_lock lock(mutex_);
    order_ = order;
    changed_.notify_all();
  }
  void settle() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return idle_ && order_ == Order::kNone; });
  }
  void run(Runtime& runtime) {
    Mutator mutator(runtime);
    const Local<Backlog> backlog = make<Backlog>(mutator);  // never left
    for (;;) {
      const Order order = next(mutator);
      if (order == Order::kEnd) {
        return;
      }
      for (std::uint32_t k = 0; k < kPerRound; ++k) {
        const Local<Work> work = make<Work>(mutator);
        work->next = backlog->first;
        backlog->first = work;
      }
    }
  }
  Order next(Mutator& mutator) {
    const Away away(mutator);
    std::unique_lock lock(mutex_);
    idle_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return order_ != Order::kNone; });
    idle_ = false;
    return std::exchange(order_, Order::kNone);
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool idle_ = false;           // guarded by mutex_
  Order order_ = Order::kNone;  // guarded by mutex_
  std::thread thread_;
};

/// A cache that keeps a number of pages that wavers, and throws the others away.
class BoundedCache {
 public:
  BoundedCache(Mutator& mutator, std::uint64_t seed)
      : mutator_(mutator), random_(seed), pages_(make_array<Page>(mutator, kPages)) {}
  void churn() {
    RefArray<Page>* const pages = pages_.get();
    for (std::uint32_t slot = 0; slot < kPages; ++slot) {
      if (random_() % 8 == 0) {
        (*pages)[slot] = nullptr;
      }
    }
    for (std::uint32_t k = 0; k < 2 * kPages; ++k) {
      const Local<Page> page = make<Page>(mutator_);
      (*pages_)[static_cast<std::uint32_t>(random_() % kPages)] = page;
    }
  }

 private:
  static constexpr std::uint32_t kPages = 300;
  Mutator& mutator_;
  std::mt19937_64 random_;
  Handle<RefArray<Page>> pages_;
};

// Pins that are never undone hold back a part of the nursery each.
Config roomy_config() {
  Config config = small_config();
  config.nursery = 16_MiB;
  config.heap_limit = 128_MiB;
  return config;
}

class HeapLeaks : public RuntimeTest {
 protected:
  HeapLeaks() : RuntimeTest(roomy_config()) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      caches.emplace_back(*mutator, seed);
    }
  }
  std::vector<HeapLeak> look() { return watch.look(value_or_throw(take_snapshot(runtime))); }
  void churn() {
    for (BoundedCache& cache : caches) {
      cache.churn();
    }
  }

  LeakWatch watch{{.at_least = kAtLeast}};
  std::vector<BoundedCache> caches;
};

TEST_F(HeapLeaks, OfTenKindsAreEachFoundWithTheirWays) {
  std::vector<Handle<Forgotten>> forgotten;
  const Handle<Cache> cache(make<Cache>(*mutator));
  cache->entries = make_array<CacheEntry>(*mutator, kRounds * kPerRound);
  const Handle<Subject> subject(make<Subject>(*mutator));
  Session* session = make<Session>(*mutator).get();
  runtime.add_root_callback([&](RootVisitor& visitor) { visitor.visit(session); }, "sessions");
  const Handle<Preview> previews(make<Preview>(*mutator));
  std::optional<Worker> worker;
  {
    const Away away(*mutator);
    worker.emplace(runtime);
  }
  const Handle<Graveyard> graveyard(make<Graveyard>(*mutator));
  std::vector<Pinned<PinnedBuffer>> pins;
  WeakMap<MapKey, MapValue> map(*mutator);
  const Handle<Recent> recent(make<Recent>(*mutator));
  registry = Handle<Registry>(make<Registry>(*mutator));
  registry->slots = make_array<Plugin>(*mutator, kRounds * kPerRound);

  std::vector<HeapLeak> leaks;
  std::uint32_t made = 0;
  for (int round = 0; round < kRounds; ++round) {
    EXPECT_TRUE(leaks.empty()) << "found before it had grown three times";
    for (std::uint32_t k = 0; k < kPerRound; ++k, ++made) {
      forgotten.emplace_back(make<Forgotten>(*mutator));
      const Local<CacheEntry> entry = make<CacheEntry>(*mutator);
      (*cache->entries)[made] = entry;
      const Local<Listener> listener = make<Listener>(*mutator);
      listener->next = subject->listeners;
      subject->listeners = listener;
      const Local<Request> request = make<Request>(*mutator);
      request->session = session;
      request->next = session->requests;
      session->requests = request;
      if (k % 20 == 0) {
        pins.emplace_back(make<PinnedBuffer>(*mutator));
        const Local<Tensor> image = value_or_throw(
            make_tensor(*mutator, Shape({4096}),
                        {.element = ElementType::kUint8, .kind = MemoryKind::kDevice}));
        const Local<Tensor> view =
            value_or_throw(make_view(*mutator, image, Shape({4}), std::vector<std::int64_t>{1}, 0));
        const Local<Preview> preview = make<Preview>(*mutator);
        preview->view = view;
        preview->next = previews->next;
        previews->next = preview;
      }
      const Local<Zombie> zombie = make<Zombie>(*mutator);
      ASSERT_TRUE(set_finalizer(*mutator, zombie, [&graveyard](Local<Zombie> dying) {
                    dying->next = graveyard->dead;
                    graveyard->dead = dying;
                  }).ok());
      const Local<MapKey> key = make<MapKey>(*mutator);
      const Local<MapValue> value = make<MapValue>(*mutator);
      value->key = key;
      map.set(key, value);
      value->next = recent->values;
      recent->values = value;
      const Local<Plugin> plugin = make<Plugin>(*mutator);
      (*registry->slots)[made] = plugin;
    }
    {
      const Away away(*mutator);  // the worker may have to collect
      worker->work();
    }
    churn();
    collect_full();
    (void)run_finalizers(*mutator);
    leaks = look();
  }

  std::map<std::string, std::string> paths;
  std::map<std::string, std::string> holders;
  for (const HeapLeak& leak : leaks) {
    paths[leak.type] = std::regex_replace(leak.path, std::regex("\\[[0-9]+\\]"), "[any]");
    holders[leak.type] = leak.holder_type;
    EXPECT_GE(leak.now.total(), leak.before.total() + kAtLeast);
  }
  const std::map<std::string, std::string> expected{
      {"tenure::testing::{anonymous}::Forgotten",
       "handle -> tenure::testing::{anonymous}::Forgotten"},
      {"CacheEntry", "handle -> Cache.entries -> CacheEntry[][any] -> CacheEntry"},
      {"Listener", "handle -> Subject.listeners -> Listener"},
      {"Request", "root callback \"sessions\" -> Session.requests -> Request"},
      {"Tensor", "handle -> Preview.next -> Preview.view -> Tensor.base -> Tensor"},
      {"Work", "local of mutator 2 -> Backlog.first -> Work"},
      {"Zombie", "handle -> Graveyard.dead -> Zombie"},
      {"PinnedBuffer", "pin -> PinnedBuffer"},
      {"MapKey", "handle -> Recent.values -> MapValue.key -> MapKey"},
      {"Plugin", "handle -> Registry.slots -> Plugin[][any] -> Plugin"}};
  EXPECT_EQ(paths, expected);
  EXPECT_EQ(holders["CacheEntry"], "CacheEntry[]");
  EXPECT_EQ(holders["Listener"], "Subject");
  EXPECT_EQ(holders["Tensor"], "Preview");
  EXPECT_EQ(holders["Work"], "Backlog");
  EXPECT_EQ(holders["PinnedBuffer"], "");
  registry.reset();
  const Away away(*mutator);
  worker.reset();
}

TEST_F(HeapLeaks, OfAProgramWithBoundedCachesAreNone) {
  for (int round = 0; round < 20; ++round) {
    churn();
    const std::vector<HeapLeak> leaks = look();
    EXPECT_TRUE(leaks.empty()) << to_string(leaks.front());
  }
}

TEST_F(HeapLeaks, AreNoneWhereGrowthStopsOnce) {
  std::vector<Handle<Forgotten>> kept;
  for (const std::uint32_t more : {1000u, 1000u, 0u, 1000u, 1000u}) {
    for (std::uint32_t k = 0; k < more; ++k) {
      kept.emplace_back(make<Forgotten>(*mutator));
    }
    EXPECT_TRUE(look().empty());
  }
  kept.emplace_back(make<Forgotten>(*mutator));
  EXPECT_EQ(look().size(), 1u) << "the third growth in a row";
}

TEST_F(HeapLeaks, AreNoneBelowTheSizeAskedFor) {
  std::vector<Handle<Forgotten>> kept;
  for (int round = 0; round < 10; ++round) {
    for (int k = 0; k < 100; ++k) {  // 60 KB in three growths
      kept.emplace_back(make<Forgotten>(*mutator));
    }
    EXPECT_TRUE(look().empty());
  }
}

TEST_F(HeapLeaks, AreToldInASentence) {
  HeapLeak leak{.type = "Entry",
                .before = {.objects = 10, .heap = 1_MiB},
                .now = {.objects = 40, .heap = 4_MiB},
                .object = 7,
                .path = "handle -> Cache.entries -> Entry[][3] -> Entry",
                .holder = 2,
                .holder_type = "Entry[]",
                .held = {.objects = 39, .heap = 3_MiB}};

  EXPECT_EQ(to_string(leak),
            "Entry grew from 1 MiB to 4 MiB (40 objects), 3 MiB of it held by Entry[]: handle -> "
            "Cache.entries -> Entry[][3] -> Entry");
}

}  // namespace
}  // namespace tenure::testing
