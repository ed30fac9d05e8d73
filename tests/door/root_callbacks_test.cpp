// Roots in a program's own tables: asked for once a collection, rewritten, removed; and what holds
// when a callback throws.
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "core/model/region.hpp"
#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {
namespace {

class RootCallbacks : public RuntimeTest {
 protected:
  /// Adds a callback that names `table`, counts its calls, and throws where it is told to.
  RootCallbackId add() {
    return runtime.add_root_callback([this](RootVisitor& visitor) {
      ++calls;
      if (throws) {
        throw std::runtime_error("the table is being rebuilt");
      }
      for (Node*& node : table) {
        visitor.visit(node);
      }
    });
  }
  void fill(std::int64_t count) {
    for (std::int64_t k = 0; k < count; ++k) {
      table.push_back(nullptr);
      table.back() = make_node(k).get();
    }
  }
  void expect_whole() {
    for (std::size_t k = 0; k < table.size(); ++k) {
      ASSERT_EQ(table[k]->value, static_cast<std::int64_t>(k));
    }
  }

  std::vector<Node*> table;
  int calls = 0;
  bool throws = false;
};

TEST_F(RootCallbacks, KeepWhatTheyNameAndFollowIt) {
  add();
  fill(100);
  const std::vector<Node*> before = table;

  collect_young();
  EXPECT_NE(table, before) << "survivors moved";
  expect_whole();
  collect_full();

  expect_whole();
  EXPECT_EQ(objects(), 100u);
}

TEST_F(RootCallbacks, AreAskedOnceInEachCollectionYoungAndOld) {
  add();

  collect_young();
  EXPECT_EQ(calls, 1);
  ASSERT_TRUE(runtime.collect_up_to(1).ok());
  EXPECT_EQ(calls, 2);
  collect_full();

  EXPECT_EQ(calls, 3);
}

TEST_F(RootCallbacks, AreNotAskedAfterTheirRemoval) {
  const RootCallbackId id = add();
  fill(10);
  collect_young();

  EXPECT_TRUE(runtime.remove_root_callback(id));
  collect_full();

  EXPECT_EQ(calls, 1);
  EXPECT_EQ(objects(), 0u);
  EXPECT_FALSE(runtime.remove_root_callback(id)) << "twice";
}

TEST_F(RootCallbacks, AreRemovedOneByOne) {
  const RootCallbackId first = add();
  Node* only = nullptr;
  runtime.add_root_callback([&](RootVisitor& visitor) { visitor.visit(only); });
  EXPECT_EQ(runtime.statistics().root_callbacks, 2u);
  fill(3);
  only = make_node(77).get();

  runtime.remove_root_callback(first);
  collect_full();

  EXPECT_EQ(objects(), 1u);
  EXPECT_EQ(only->value, 77);
}

TEST_F(RootCallbacks, LoseWhatTheyNameNoLonger) {
  add();
  fill(10);
  collect_full();
  ASSERT_EQ(objects(), 10u);

  table.resize(4);
  collect_full();

  EXPECT_EQ(objects(), 4u);
  expect_whole();
}

TEST_F(RootCallbacks, RewriteIndicesAndTwinsAndSkipNulls) {
  ObjectIndex index = make_node(5).index();
  Node* twin = Local<Node>(mutator->core(), index).get();
  ObjectIndex none = ObjectIndex::kNull;
  Node* null = nullptr;
  runtime.add_root_callback([&](RootVisitor& visitor) {
    visitor.visit(index);
    visitor.visit(twin);
    visitor.visit(none);
    visitor.visit(null);
  });

  collect_young();
  collect_full();

  EXPECT_EQ(twin, Local<Node>(mutator->core(), index).get());
  EXPECT_EQ(twin->value, 5);
  EXPECT_EQ(objects(), 1u);
}

TEST_F(RootCallbacks, ThatThrowKeepTheirLastAnswerWhereItIsAndAreReported) {
  add();
  fill(10);
  collect_young();
  const std::vector<Node*> before = table;

  throws = true;
  for (int k = 0; k < 3; ++k) {
    const CollectionReport report = collect_full();
    EXPECT_EQ(report.root_callback_failures, 1u);
    EXPECT_EQ(report.root_callback_failure, "the table is being rebuilt");
    EXPECT_EQ(table, before) << "nobody rewrote the slots, so nothing may have moved";
    expect_whole();
  }
  EXPECT_EQ(runtime.statistics().root_callback_failures, 3u);
  EXPECT_EQ(runtime.statistics().root_callback_failure, "the table is being rebuilt");

  throws = false;
  collect_full();
  EXPECT_NE(table, before) << "they move again";
  expect_whole();
  table.clear();
  collect_full();
  EXPECT_EQ(objects(), 0u);
}

TEST_F(RootCallbacks, ThatThrowKeepWhatTheyNamedBeforeToo) {
  Node* early = make_node(1).get();
  Node* const place = early;
  runtime.add_root_callback([&](RootVisitor& visitor) {
    visitor.visit(early);
    throw 42;
  });

  const CollectionReport report = collect_young();

  EXPECT_EQ(report.root_callback_failures, 1u);
  EXPECT_FALSE(report.root_callback_failure.empty());
  EXPECT_EQ(early, place);
  EXPECT_EQ(early->value, 1);
}

TEST_F(RootCallbacks, ThatThrewLetGoWhenTheyAreRemoved) {
  const RootCallbackId id = add();
  fill(10);
  collect_young();
  throws = true;
  collect_young();
  ASSERT_EQ(objects(), 10u);

  runtime.remove_root_callback(id);
  collect_full();

  EXPECT_EQ(objects(), 0u);
  EXPECT_EQ(runtime.statistics().pinned_objects, 0u);
}

TEST_F(RootCallbacks, ThatNameNoObjectStopTheProgram) {
  // A process of its own: the child of a fork has pools, and no heap.
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  int stray = 0;
  int* address = &stray;
  runtime.add_root_callback([&](RootVisitor& visitor) { visitor.visit(address); });

  EXPECT_DEATH(collect_young(), "no object's");
}

TEST_F(RootCallbacks, ComeAndGoWhileAnotherThreadCollects) {
  std::thread collecting([&] {
    for (int k = 0; k < 300; ++k) {
      (void)runtime.collect(Collect::kYoung);
    }
  });

  for (int k = 0; k < 300; ++k) {
    std::vector<Node*> own(1);
    const RootCallbackId id =
        runtime.add_root_callback([&own](RootVisitor& visitor) { visitor.visit(own.front()); });
    own.front() = make_node(k).get();
    mutator->poll();
    ASSERT_EQ(own.front()->value, k);
    ASSERT_TRUE(runtime.remove_root_callback(id));
  }
  const Away away(*mutator);
  collecting.join();
}

}  // namespace
}  // namespace tenure::testing
