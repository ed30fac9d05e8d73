#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {
namespace {

using Roots = RuntimeTest;

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
  auto first = std::make_unique<Local<Node>>(make_node(1));
  auto second = std::make_unique<Local<Node>>(make_node(2));
  auto third = std::make_unique<Local<Node>>(make_node(3));

  second.reset();
  collect_young();

  EXPECT_EQ((*first)->value, 1);
  EXPECT_EQ((*third)->value, 3);
  EXPECT_EQ(objects(), 2u);
  first.reset();
  third.reset();
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

}  // namespace
}  // namespace tenure::testing
