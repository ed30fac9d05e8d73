#include <gtest/gtest.h>
#include <ucontext.h>

#include <memory>
#include <thread>
#include <vector>

#include "core/gc/verifier.hpp"
#include "core/runtime/state.hpp"
#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {
namespace {

class Locals : public RuntimeTest {
 protected:
  [[nodiscard]] const detail::LocalWindow& window() { return mutator->core().window; }
  [[nodiscard]] bool is_linked() { return mutator->core().locals != nullptr; }

  // One local a frame; the objects move while all of them wait, and are looked at afterwards.
  [[gnu::noinline]] void go_down(std::int64_t depth) {
    const Local<Node> node = make_node(depth);
    if (depth == 0) {
      collect_young();
      collect_full();
    } else {
      go_down(depth - 1);
    }
    EXPECT_EQ(node->value, depth);
  }
};

TEST_F(Locals, AreFoundInEveryFrameOfADeepRecursion) {
  constexpr std::int64_t kDepth = 2000;

  go_down(kDepth);

  EXPECT_FALSE(is_linked());
  collect_full();
  EXPECT_EQ(objects(), 0u);
}

TEST_F(Locals, LeaveNothingToLookThroughOnceADeepRecursionIsOver) {
  constexpr std::int64_t kDepth = 2000;
  go_down(kDepth);
  const std::uintptr_t deep = window().bytes;

  const Local<Node> last = make_node(7);
  collect_young();

  EXPECT_GT(deep, std::uintptr_t{kDepth} * sizeof(Local<Node>));
  EXPECT_LT(window().bytes, deep / 2);
  EXPECT_EQ(last->value, 7);
}

TEST_F(Locals, ThatEndedAreNotFoundAgain) {
  const auto make_and_drop = [this]() __attribute__((noinline)) {
    const Local<Node> node = make_node(1);
    EXPECT_EQ(node->value, 1);
  };

  make_and_drop();
  collect_full();

  EXPECT_EQ(objects(), 0u);
}

TEST_F(Locals, MayLieInAContainer) {
  std::vector<std::unique_ptr<Local<Node>>> kept;
  for (int k = 0; k < 3; ++k) {
    kept.push_back(std::make_unique<Local<Node>>(make_node(k)));
  }
  EXPECT_TRUE(is_linked());

  kept.erase(kept.begin() + 1);
  collect_full();

  EXPECT_EQ(objects(), 2u);
  EXPECT_EQ((*kept.front())->value, 0);
  EXPECT_EQ((*kept.back())->value, 2);
}

TEST_F(Locals, OfTwoRuntimesOnOneStackAreEachTheirOwns) {
  Runtime other = value_or_throw(Runtime::open(small_config()));
  {
    Mutator beside(other);
    const Local<Node> here = make_node(1);
    const Local<Node> there = make<Node>(beside);
    there->value = 2;

    collect_full();
    (void)value_or_throw(other.collect(Collect::kFull));
    collect_young();

    EXPECT_EQ(here->value, 1);
    EXPECT_EQ(there->value, 2);
    EXPECT_EQ(objects(), 1u);
    EXPECT_EQ(take_census(other).total.objects, 1u);
  }
}

// Threads that share a mutator come and go with their stacks.
TEST_F(Locals, OfASharedMutatorAreLinkedWhateverStackTheyLieOn) {
  mutator.reset();
  SharedMutator shared(runtime);
  Handle<Node> kept;
  std::thread([&] {
    SharedMutator::Use use(shared);
    Local<Node> node = make<Node>(use.mutator());
    node->value = 3;
    EXPECT_EQ(use.mutator().core().locals, static_cast<void*>(&node));
    (void)value_or_throw(runtime.collect(Collect::kFull));
    EXPECT_EQ(node->value, 3);
    kept = Handle<Node>(node);
  }).join();

  (void)value_or_throw(runtime.collect(Collect::kFull));

  SharedMutator::Use use(shared);
  EXPECT_EQ(use.mutator().core().window.bytes, 0u);
  EXPECT_EQ(kept->value, 3);
  kept.reset();
}

struct Fiber {
  Runtime& runtime;
  Mutator& mutator;
  ucontext_t inside{};
  ucontext_t outside{};
  std::vector<std::byte> stack = std::vector<std::byte>(256 * 1024);
};
Fiber* running = nullptr;

void run_fiber() {
  Fiber& fiber = *running;
  const Local<Node> node = make<Node>(fiber.mutator);
  node->value = 5;
  swapcontext(&fiber.inside, &fiber.outside);
  EXPECT_EQ(node->value, 5);
}

TEST_F(Locals, OnAnotherStackOfTheSameThreadAreFoundWhileItWaits) {
  Fiber fiber{runtime, *mutator};
  running = &fiber;
  ASSERT_EQ(getcontext(&fiber.inside), 0);
  fiber.inside.uc_stack.ss_sp = fiber.stack.data();
  fiber.inside.uc_stack.ss_size = fiber.stack.size();
  fiber.inside.uc_link = &fiber.outside;
  makecontext(&fiber.inside, run_fiber, 0);
  swapcontext(&fiber.outside, &fiber.inside);

  const Local<Node> here = make_node(1);
  collect_full();
  EXPECT_EQ(objects(), 2u);

  swapcontext(&fiber.outside, &fiber.inside);
  collect_full();
  EXPECT_EQ(objects(), 1u);
  EXPECT_EQ(here->value, 1);
}

// What throws in the middle leaves a whole object behind, of which nobody knows.
struct Thrower {
  Ref<Node> node;
  explicit Thrower(int thrown) : node(find(thrown)) {}
  static Node* find(int thrown) { throw thrown; }
  static auto tenure_type() { return describe("Thrower", &Thrower::node); }
};

TEST_F(Locals, AConstructorThatThrowsLeavesAnObjectThatCanBeWalked) {
  for (int k = 0; k < 100; ++k) {
    make_node(-1)->left = make_node(-1);
  }
  collect_young();

  // Takes a buffer, and has the next object's slot where a header was.
  const Local<Plain> first = make<Plain>(*mutator);
  EXPECT_THROW((void)make<Thrower>(*mutator, 1), int);

  Result<void> verified;
  runtime.state().conductor().in_stop(runtime.state().self(),
                                      [&] { verified = verify(runtime.state().heap()); });
  EXPECT_TRUE(verified.ok()) << (verified.ok() ? "" : verified.failure().message);
  EXPECT_EQ(objects(), 2u);
}

// The nursery is used again as it was left.
TEST_F(Locals, ObjectsThatNothingConstructsAreZeroInAUsedNursery) {
  const TypeId words = register_type({.name = "words", .data_bytes = 64});
  for (int round = 0; round < 3; ++round) {
    for (int k = 0; k < 2000; ++k) {
      const ObjectIndex object = value_or_throw(allocate_object(*mutator, words, Bytes{64}));
      auto* const data = reinterpret_cast<std::uint64_t*>(detail::data_of(object));
      for (int word = 0; word < 8; ++word) {
        ASSERT_EQ(data[word], 0u);
        data[word] = ~std::uint64_t{0};
      }
    }
    collect_young();
  }
  const Local<RefArray<Node>> array = make_array<Node>(*mutator, 500);
  for (const Ref<Node>& slot : *array) {
    EXPECT_FALSE(slot);
  }
  struct Text {
    std::uint64_t length = 0;
  };
  const Local<Text> text = make_with_tail<Text>(*mutator, Bytes{100});
  for (int k = 0; k < 100; ++k) {
    EXPECT_EQ(tail_of(text.get())[k], std::byte{0});
  }
}

}  // namespace
}  // namespace tenure::testing
