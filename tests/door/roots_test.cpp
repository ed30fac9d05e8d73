#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "core/runtime/state.hpp"
#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {
namespace {

class Roots : public RuntimeTest {
 protected:
  std::uint32_t generation_of(ObjectIndex object) {
    return runtime.state().heap().generation_of(object);
  }
};

TEST_F(Roots, LocalsHoldForTheirScopeAndNoLonger) {
  const Local<Node> outer = make_node(1);
  {
    const Local<Node> inner = make_node(2);
    collect_young();
    EXPECT_EQ(inner->value, 2);
    EXPECT_EQ(objects(), 2u);
  }

  collect_full();

  EXPECT_EQ(objects(), 1u);
  EXPECT_EQ(outer->value, 1);
}

TEST_F(Roots, LocalsMayEndInAnyOrder) {
  std::array<std::size_t, 4> order{0, 1, 2, 3};
  do {
    std::array<std::unique_ptr<Local<Node>>, 4> locals;
    for (std::size_t k = 0; k < locals.size(); ++k) {
      locals[k] = std::make_unique<Local<Node>>(make_node(static_cast<int>(k)));
    }
    std::size_t left = locals.size();
    for (const std::size_t ended : order) {
      locals[ended].reset();
      collect_full();
      EXPECT_EQ(objects(), --left);
      for (std::size_t k = 0; k < locals.size(); ++k) {
        EXPECT_TRUE(locals[k] == nullptr || (*locals[k])->value == static_cast<int>(k));
      }
    }
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_F(Roots, LocalsFollowAssignment) {
  Local<Node> node = make_node(1);
  const Local<Node> other = make_node(2);
  other->left = make_node(3);

  node = other->left;
  collect_full();

  EXPECT_EQ(node->value, 3);
  EXPECT_EQ(objects(), 2u);
}

TEST_F(Roots, HandlesHoldUntilTheyAreDropped) {
  Handle<Node> handle(make_node(5));
  collect_young();
  EXPECT_EQ(handle->value, 5);

  handle.reset();
  collect_full();

  EXPECT_FALSE(handle);
  EXPECT_EQ(objects(), 0u);
}

TEST_F(Roots, CopiesOfAHandleAreRootsOfTheirOwn) {
  Handle<Node> first(make_node(5));
  Handle<Node> second = first;

  first.reset();
  collect_full();

  EXPECT_EQ(second->value, 5);
}

TEST_F(Roots, AMovedHandleLeavesNothingBehind) {
  Handle<Node> first(make_node(5));

  const Handle<Node> second = std::move(first);

  EXPECT_FALSE(first);  // NOLINT: looked at on purpose
  EXPECT_EQ(runtime.statistics().handles, 1u);
  EXPECT_EQ(second->value, 5);
}

TEST_F(Roots, TenThousandHandlesFollowTheirObjects) {
  std::vector<Handle<Node>> handles;
  for (int k = 0; k < 10'000; ++k) {
    handles.emplace_back(make_node(k));
  }

  collect_young();
  collect_full();

  for (int k = 0; k < 10'000; ++k) {
    ASSERT_EQ(handles[static_cast<std::size_t>(k)]->value, k);
  }
}

TEST_F(Roots, AHandleOutlivesItsRuntimeAsNull) {
  const Handle<Node> handle(make_node(5));
  mutator.reset();
  { const Runtime ended = std::move(runtime); }

  EXPECT_FALSE(handle);
  const Handle<Node> copy = handle;
  EXPECT_FALSE(copy);
}

TEST_F(Roots, NullLocalsAndHandlesAreNoRoots) {
  const Local<Node> local(*mutator);
  const Handle<Node> handle(local);

  collect_full();

  EXPECT_FALSE(local);
  EXPECT_FALSE(handle);
  EXPECT_EQ(runtime.statistics().handles, 0u);
}

// A root with static storage needs no type of its own: a handle is constant-initialised, is filled
// once there is an object, and is inert past its runtime.
constinit Handle<Node> kept_by_the_program;

TEST_F(Roots, AHandleMayBeStatic) {
  kept_by_the_program = Handle<Node>(make_node(5));

  collect_young();
  collect_full();
  EXPECT_EQ(kept_by_the_program->value, 5);

  mutator.reset();
  runtime.close();
  EXPECT_FALSE(kept_by_the_program);
}

// Whatever holds an object, and whatever generation it is in: no collection takes it away.
TEST_F(Roots, OfAnyKindProtectInAnyGenerationAndInAnyCollection) {
  for (std::uint32_t generation = 0; generation < runtime.config().generations; ++generation) {
    for (std::uint32_t last = 0; last < runtime.config().generations; ++last) {
      SCOPED_TRACE("generation " + std::to_string(generation) + ", collected up to " +
                   std::to_string(last));
      // Survivors go up by age: the objects are made where they are wanted.
      std::vector<Handle<Node>> made;
      for (std::int64_t k = 0; k < 4; ++k) {
        made.emplace_back(make_node(k));
      }
      for (int k = 0; made[0] && k < 20 && generation_of(made[0].index()) < generation; ++k) {
        ASSERT_TRUE(runtime.collect_up_to(generation - 1).ok());
      }
      ASSERT_EQ(generation_of(made[0].index()), generation);
      const Local<Node> local(*mutator, made[0]);
      const Handle<Node> handle = made[1];
      const Pinned<Node> pinned(made[2]);
      Node* named = made[3].get();
      const RootCallbackId id =
          runtime.add_root_callback([&](RootVisitor& visitor) { visitor.visit(named); });
      made.clear();

      for (int k = 0; k < 3; ++k) {
        (void)make_node(-1);
        ASSERT_TRUE(runtime.collect_up_to(last).ok());
        EXPECT_EQ(local->value, 0);
        EXPECT_EQ(handle->value, 1);
        EXPECT_EQ(pinned->value, 2);
        EXPECT_EQ(named->value, 3);
      }
      runtime.remove_root_callback(id);
    }
  }
  collect_full();
  EXPECT_EQ(objects(), 0u);
}

TEST_F(Roots, HandlesAreEmptiedAndFilledAgain) {
  Handle<Node> handle(make_node(1));
  Handle<Node> none;

  handle.empty();
  collect_full();
  EXPECT_EQ(objects(), 0u);
  EXPECT_FALSE(handle);

  EXPECT_TRUE(handle.fill(make_node(2).index()));
  EXPECT_FALSE(none.fill(handle.index()));
  collect_full();
  EXPECT_EQ(handle->value, 2);
  EXPECT_EQ(runtime.statistics().handles, 1u);
}

}  // namespace
}  // namespace tenure::testing
