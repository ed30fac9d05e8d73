#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include "core/runtime/state.hpp"
#include "tenure/tensor.hpp"
#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {
namespace {

constexpr Bytes kTenth{100u << 20};  // of the device, nearly

// 1 GiB of device.
class PressureTest : public RuntimeTest {
 protected:
  void fill(std::size_t tenths) {
    while (held.size() < tenths) {
      held.push_back(value_or_throw(runtime.lease(kTenth)));
    }
  }
  std::vector<PayloadLease> held;
};

TEST_F(PressureTest, IsReadFromPoolsHeapAndMachine) {
  fill(5);

  const Pressure pressure = runtime.pressure();

  ASSERT_EQ(pressure.pools.size(), 1u);
  EXPECT_EQ(pressure.pools[0].kind, MemoryKind::kDevice);
  EXPECT_EQ(pressure.pools[0].leased, kTenth * 5);
  EXPECT_EQ(pressure.pools[0].limit, 1_GiB);
  EXPECT_NEAR(pressure.pools[0].share, 0.488, 0.001);
  EXPECT_EQ(pressure.heap_limit, 64_MiB);
  EXPECT_GE(pressure.share, pressure.pools[0].share);
  EXPECT_GE(pressure.system_total, pressure.system_available);
}

TEST_F(PressureTest, SaysWhatCollectionsCouldGiveBack) {
  const Handle<Tensor> kept(value_or_throw(make_tensor(*mutator, {100 << 18})));
  EXPECT_EQ(runtime.pressure().reclaimable, kTenth);

  collect_full();

  EXPECT_EQ(runtime.pressure().reclaimable, 0_B);
}

TEST_F(PressureTest, TellsEachLevelOnceOnTheWayUp) {
  std::vector<PressureLevel> told;
  (void)runtime.on_pressure([&](const PressureCall& call) {
    EXPECT_EQ(call.kind, MemoryKind::kDevice);
    EXPECT_EQ(call.wanted, 0_B);
    told.push_back(call.level);
  });

  for (int k = 0; k < 34; ++k) {
    held.push_back(value_or_throw(runtime.lease(30_MiB)));
  }

  EXPECT_EQ(told, (std::vector{PressureLevel::kModerate, PressureLevel::kHigh,
                               PressureLevel::kCritical}));
}

TEST_F(PressureTest, AsksCallbacksBeforeARequestIsRefused) {
  fill(10);
  Bytes wanted;
  const PressureCallbackId id = runtime.on_pressure([&](const PressureCall& call) {
    EXPECT_EQ(call.level, PressureLevel::kCritical);
    wanted = call.wanted;
    held.pop_back();
  });

  const Result<PayloadLease> lease = runtime.lease(kTenth);

  EXPECT_TRUE(lease.ok());
  EXPECT_EQ(wanted, kTenth * 11 - 1_GiB);
  const PressureStatistics pressure = runtime.statistics().pressure;
  EXPECT_EQ(pressure.climbs, 1u);
  EXPECT_EQ(pressure.relieved, 1u);
  EXPECT_EQ(pressure.steps[static_cast<std::size_t>(PressureStep::kCallbacks)].helped, 1u);
  EXPECT_EQ(pressure.steps[static_cast<std::size_t>(PressureStep::kCallbacks)].gained, kTenth);
  EXPECT_TRUE(runtime.remove_pressure_callback(id));
  EXPECT_FALSE(runtime.remove_pressure_callback(id));
}

TEST_F(PressureTest, AsksAnotherCollectorWhoseCyclesHoldPayloads) {
  int collected = 0;
  (void)runtime.register_collector("cycles", [&](const PressureCall&) {
    ++collected;
    held.clear();
  });

  for (int k = 0; k < 100; ++k) {  // a hundred times the device in all
    held.push_back(value_or_throw(runtime.lease(kTenth)));
  }

  EXPECT_GE(collected, 9);
  EXPECT_LE(collected, 25);
}

TEST_F(PressureTest, CountsTheCollectionAfterAnotherCollectorLetGoAsAForeignRequest) {
  std::vector<Handle<Tensor>> tensors;
  for (int k = 0; k < 10; ++k) {
    tensors.emplace_back(value_or_throw(make_tensor(*mutator, {100 << 18})));
  }
  (void)runtime.register_collector("cycles", [&](const PressureCall& call) {
    if (!call.wanted.is_zero()) {
      tensors.clear();
    }
  });

  EXPECT_TRUE(runtime.lease(kTenth).ok());

  const auto by = runtime.statistics().collections_by_trigger;
  EXPECT_EQ(by[static_cast<std::size_t>(CollectionTrigger::kForeignRequest)], 1u);
  EXPECT_EQ(to_string(recent_collections(runtime).back().trigger), "foreign request");
}

TEST_F(PressureTest, RefusesOnceNobodyHelpedAndNamesWhoWasAsked) {
  fill(10);
  (void)runtime.register_collector("python", [](const PressureCall&) {});

  const Result<PayloadLease> lease = runtime.lease(kTenth);

  ASSERT_FALSE(lease.ok());
  EXPECT_NE(lease.failure().message.find("foreign collectors (0 B came back"), std::string::npos)
      << lease.failure().message;
  EXPECT_EQ(lease.failure().message.find("copy on the device"), std::string::npos)
      << "there is no copy here, so that giving it up was not tried";
  EXPECT_EQ(runtime.statistics().pressure.relieved, 0u);
}

TEST_F(PressureTest, ACallbackThatLeasesItselfCausesNoFurtherCalls) {
  fill(10);
  int calls = 0;
  (void)runtime.on_pressure([&](const PressureCall&) {
    ++calls;
    EXPECT_FALSE(runtime.lease(kTenth).ok());
  });

  EXPECT_FALSE(runtime.lease(kTenth).ok());

  EXPECT_EQ(calls, 1);
}

TEST_F(PressureTest, CountsCallbacksThatThrowAndCallsTheOthers) {
  fill(10);
  (void)runtime.on_pressure([](const PressureCall&) { throw std::runtime_error("no cache here"); });
  (void)runtime.on_pressure([&](const PressureCall&) { held.pop_back(); });

  EXPECT_TRUE(runtime.lease(kTenth).ok());

  const PressureStatistics pressure = runtime.statistics().pressure;
  EXPECT_EQ(pressure.failures, 1u);
  EXPECT_EQ(pressure.failure, "a pressure callback: no cache here");
}

TEST_F(PressureTest, ACallbackMayRemoveItself) {
  fill(10);
  PressureCallbackId id{};
  int calls = 0;
  id = runtime.on_pressure([&](const PressureCall&) {
    ++calls;
    EXPECT_TRUE(runtime.remove_pressure_callback(id));
  });

  EXPECT_FALSE(runtime.lease(kTenth).ok());
  EXPECT_FALSE(runtime.lease(kTenth).ok());

  EXPECT_EQ(calls, 1);
}

// As a foreign collector waits for its interpreter's lock, whose holder wants to collect here.
TEST_F(PressureTest, HoldsUpNoCollectionWhileForeignCodeRuns) {
  fill(10);
  std::mutex mutex;
  std::condition_variable changed;
  bool called = false;
  bool collected = false;
  (void)runtime.register_collector("waits", [&](const PressureCall&) {
    std::unique_lock lock(mutex);
    called = true;
    changed.notify_all();
    changed.wait(lock, [&] { return collected; });
    held.pop_back();
  });
  std::thread other([&] {
    Mutator own(runtime);
    {
      const Away away(own);
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return called; });
    }
    EXPECT_TRUE(runtime.collect(Collect::kFull).ok());
    const std::scoped_lock lock(mutex);
    collected = true;
    changed.notify_all();
  });

  EXPECT_TRUE(runtime.lease(kTenth).ok());

  other.join();
}

TEST_F(PressureTest, RemovalWaitsForCallsOfOtherThreads) {
  fill(10);
  std::atomic<bool> inside{false};
  std::atomic<bool> let_go{false};
  std::atomic<bool> ended{false};
  const PressureCallbackId id = runtime.on_pressure([&](const PressureCall&) {
    inside = true;
    while (!let_go) {
      std::this_thread::yield();
    }
    ended = true;
  });
  std::thread asks([&] { EXPECT_FALSE(runtime.lease(kTenth).ok()); });
  {
    const Away away(*mutator);
    while (!inside) {
      std::this_thread::yield();
    }
  }
  std::thread opens([&] {
    EXPECT_TRUE(runtime.collect(Collect::kFull).ok());  // the remover does not hold it up
    let_go = true;
  });

  EXPECT_TRUE(runtime.remove_pressure_callback(id));
  EXPECT_TRUE(ended);

  asks.join();
  opens.join();
}

TEST_F(PressureTest, StepsThatGiveNothingComeLastFromThenOn) {
  fill(10);
  for (int k = 0; k < 40; ++k) {
    EXPECT_FALSE(runtime.lease(kTenth).ok());
  }

  const PressureStatistics pressure = runtime.statistics().pressure;
  EXPECT_EQ(pressure.climbs, 40u);
  const auto& full = pressure.steps[static_cast<std::size_t>(PressureStep::kFullCollection)];
  EXPECT_EQ(full.runs, 40u);  // before each refusal all is tried
  EXPECT_GE(full.put_last, 30u);
}

// The machine's own pressure, as the thread that watches it would tell it.
class SystemPressureTest : public PressureTest {
 protected:
  void look_at(double used) {
    const Bytes total{1000u << 20};
    mutator.reset();  // a collection for the machine's sake has to stop whoever runs
    runtime.state().system_watch().look_at(
        {.total = total, .available = Bytes{static_cast<std::uint64_t>(1000 * (1 - used)) << 20}});
  }
  std::uint64_t collections() const {
    const auto trigger = static_cast<std::size_t>(CollectionTrigger::kSystemPressure);
    return runtime.statistics().collections_by_trigger[trigger];
  }
};

TEST_F(SystemPressureTest, IsToldToCallbacksAndGivesBackWhatIsUnused) {
  std::vector<PressureLevel> told;
  int collectors = 0;
  (void)runtime.on_pressure([&](const PressureCall& call) {
    EXPECT_TRUE(call.of_system);
    EXPECT_EQ(call.kind, MemoryKind::kHost);
    told.push_back(call.level);
    held.clear();
  });
  (void)runtime.register_collector("other", [&](const PressureCall&) { ++collectors; });
  fill(3);

  look_at(0.8);
  EXPECT_EQ(told, std::vector{PressureLevel::kModerate});
  EXPECT_EQ(collectors, 0);
  EXPECT_GT(runtime.statistics().pools[0].reserved, 0_B) << "too early";

  look_at(0.95);
  EXPECT_EQ(told.size(), 2u);
  EXPECT_EQ(collectors, 1);
  EXPECT_EQ(collections(), 0u);
  EXPECT_EQ(runtime.statistics().pools[0].reserved, 0_B);
  EXPECT_EQ(runtime.statistics().pressure.system_calls, 2u);
}

TEST_F(SystemPressureTest, CollectsWhereItIsCritical) {
  { const Local<Tensor> dropped = value_or_throw(make_tensor(*mutator, {100 << 18})); }

  look_at(0.98);

  EXPECT_EQ(collections(), 1u);
  EXPECT_EQ(runtime.statistics().pools[0].reserved, 0_B);
}

TEST(SystemPressure, IsWatchedOnceSomebodyWantsToKnowAndEndsWithTheRuntime) {
  Config config = small_config();
  config.watch_system_ms = 1;
  std::atomic<std::uint64_t> calls{0};
  for (int k = 0; k < 20; ++k) {
    Runtime runtime(value_or_throw(Runtime::open(config)));
    Mutator mutator(runtime);
    SystemWatch& watch = runtime.state().system_watch();
    EXPECT_EQ(watch.looks(), 0u) << "it is watched for nobody";
    (void)runtime.on_pressure([&](const PressureCall&) { ++calls; });
    while (watch.looks() == 0) {
      std::this_thread::yield();
    }
    (void)runtime.register_collector("other", [&](const PressureCall&) { ++calls; });
    for (int n = 0; n < 2'000; ++n) {  // it may be told, and collect, at any time
      (void)make<Node>(mutator);
    }
    runtime.close();  // by a thread that a collection under way would wait for
  }
}

}  // namespace
}  // namespace tenure::testing
