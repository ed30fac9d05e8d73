// Snapshots against walks of their own, and what they say of each kind of root.
#include "tenure/snapshot.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "tenure/tensor.hpp"
#include "tests/support/object_walk.hpp"
#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {
namespace {

class SnapshotTest : public RuntimeTest {
 protected:
  HeapSnapshot take() { return value_or_throw(take_snapshot(runtime)); }

  /// The number of an object in a snapshot; kNoObject where it is not in it.
  static std::uint32_t number_of(const HeapSnapshot& snapshot, ObjectIndex place) {
    const auto at = std::lower_bound(
        snapshot.objects.begin(), snapshot.objects.end(), place,
        [](const SnapshotObject& object, ObjectIndex wanted) { return object.place < wanted; });
    return at != snapshot.objects.end() && at->place == place
               ? static_cast<std::uint32_t>(at - snapshot.objects.begin())
               : kNoObject;
  }
  template <class Object>
  std::string path_to(const Object& object) {
    const HeapSnapshot snapshot = take();
    const std::uint32_t number = number_of(snapshot, object.index());
    return number == kNoObject ? "none" : retention_path(snapshot, number);
  }

  static void expect_equal(const HeapSnapshot& snapshot, const ObjectWalk& walk) {
    ASSERT_EQ(snapshot.objects.size(), walk.found().size());
    ASSERT_EQ(snapshot.first_edge.back(), snapshot.edges.size());
    std::uint32_t number = 0;
    for (const auto& [place, found] : walk.found()) {
      ASSERT_EQ(snapshot.objects[number].place, place);
      ObjectWalk::Edges edges;
      for (const SnapshotEdge& edge : snapshot.references(number)) {
        edges.emplace_back(edge.slot, snapshot.objects[edge.target].place);
      }
      ASSERT_EQ(edges, found.edges) << "object " << number;
      expect_shortest(snapshot, number, found.distance);
      ++number;
    }
  }
  // A chain of edges that are there, from an object that a root names, and no longer than need be.
  static void expect_shortest(const HeapSnapshot& snapshot, std::uint32_t object,
                              std::uint32_t distance) {
    const std::vector<std::uint32_t> chain = retention_chain(snapshot, object);
    ASSERT_EQ(chain.size(), distance + 1);
    ASSERT_EQ(chain.back(), object);
    ASSERT_EQ(snapshot.roots[retaining_root(snapshot, object)].object, chain.front());
    for (std::size_t k = 0; k + 1 < chain.size(); ++k) {
      const auto edges = snapshot.references(chain[k]);
      ASSERT_TRUE(std::any_of(edges.begin(), edges.end(), [&](const SnapshotEdge& edge) {
        return edge.target == chain[k + 1];
      }));
    }
  }
};

TEST_F(SnapshotTest, EqualsAnIndependentWalkOfRandomGraphs) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomVertices vertices(*mutator, seed);
    for (int round = 0; round < 6; ++round) {
      vertices.grow(1000);
      if (round == 2) {
        collect_full();
      }
      const HeapSnapshot snapshot = take();

      ObjectWalk walk;
      vertices.walk(walk);
      expect_equal(snapshot, walk);
      ASSERT_EQ(snapshot.roots.size(), vertices.kept());
      const Census census = take_census(runtime);
      EXPECT_EQ(census.total.objects, snapshot.objects.size() + snapshot.floating.objects);
      EXPECT_EQ(census.total.bytes, snapshot.total().heap + snapshot.floating.heap);
    }
  }
}

TEST_F(SnapshotTest, SaysWhereAnObjectIs) {
  Handle<Node> old(make_node(1));
  collect_full();
  const Local<Node> young = make_node(2);
  const Pinned<Node> pin(young);
  ASSERT_TRUE(set_finalizer(*mutator, young, [](Local<Node>) {}).ok());

  const HeapSnapshot snapshot = take();

  const SnapshotObject& first = snapshot.objects[number_of(snapshot, old.index())];
  EXPECT_EQ(first.generation, runtime.config().generations - 1);
  EXPECT_EQ(first.size(), 24_B);
  EXPECT_FALSE(first.is_pinned);
  EXPECT_FALSE(first.has_finalizer);
  const SnapshotObject& second = snapshot.objects[number_of(snapshot, young.index())];
  EXPECT_EQ(second.generation, 0u);
  EXPECT_TRUE(second.is_pinned);
  EXPECT_TRUE(second.has_finalizer);
  EXPECT_EQ(snapshot.type_of(number_of(snapshot, young.index())).name, "Node");
}

TEST_F(SnapshotTest, NamesEachKindOfRoot) {
  const Handle<Node> handle = [&] {
    const Local<Node> local = make_node(1);
    EXPECT_EQ(path_to(local), "local of mutator 1 -> Node");
    return Handle<Node>(local);
  }();
  EXPECT_EQ(path_to(handle), "handle -> Node");

  const Pinned<Node> pin = [&] { return Pinned<Node>(make_node(2)); }();
  EXPECT_EQ(path_to(pin), "pin -> Node");

  Node* kept = nullptr;
  runtime.add_root_callback([&](RootVisitor& visitor) { visitor.visit(kept); }, "sessions");
  kept = make_node(3).get();
  const ObjectIndex place = detail::object_at(kept);
  const HeapSnapshot snapshot = take();
  EXPECT_EQ(retention_path(snapshot, number_of(snapshot, place)),
            "root callback \"sessions\" -> Node");
}

TEST_F(SnapshotTest, CountsAnObjectThatAwaitsItsFinalizerAsRootedThere) {
  bool ran = false;
  {
    const Local<Node> node = make_node(1);
    node->left = make_node(2);
    ASSERT_TRUE(set_finalizer(*mutator, node, [&](Local<Node>) { ran = true; }).ok());
  }
  collect_full();
  ASSERT_FALSE(ran);

  const HeapSnapshot snapshot = take();

  ASSERT_EQ(snapshot.objects.size(), 2u);
  ASSERT_EQ(snapshot.roots.size(), 1u);
  EXPECT_EQ(snapshot.roots[0].kind, RootKind::kFinalizer);
  EXPECT_EQ(retention_path(snapshot, snapshot.roots[0].object), "finalizer queue -> Node");
  (void)run_finalizers(*mutator);
  EXPECT_TRUE(ran);
}

TEST_F(SnapshotTest, PrintsFieldsByNameAndElementsByNumber) {
  const Local<Vertex> root = make<Vertex>(*mutator);
  root->many = make_array<Vertex>(*mutator, 10);
  const Local<Vertex> element = make<Vertex>(*mutator);
  (*root->many)[7] = element;
  element->leaf = make<Leaf>(*mutator);
  const Handle<Vertex> handle(root);
  const Local<Leaf> leaf(*mutator, element->leaf);
  const ObjectIndex place = leaf.index();

  const HeapSnapshot snapshot = take();

  std::vector<std::string> steps;
  for (const ObjectIndex step : {root->many.index(), element.index(), place}) {
    const std::uint32_t number = number_of(snapshot, step);
    ASSERT_NE(number, kNoObject);
    steps.push_back(snapshot.type_of(number).name);
  }
  EXPECT_EQ(steps, (std::vector<std::string>{"Vertex[]", "Vertex", "tenure::testing::Leaf"}));
  EXPECT_EQ(describe_edge(snapshot, number_of(snapshot, root->many.index()), 7), "Vertex[][7]");
  EXPECT_EQ(describe_edge(snapshot, number_of(snapshot, root.index()), 2), "Vertex.many");
  const Local<Node> plain = make_node(1);
  const HeapSnapshot later = take();
  EXPECT_EQ(describe_edge(later, number_of(later, plain.index()), 1), "Node.#1");
}

TEST_F(SnapshotTest, ShortensALongChain) {
  const Handle<Node> list = [&] { return Handle<Node>(make_list(100'000)); }();
  const HeapSnapshot snapshot = take();
  std::uint32_t last = 0;
  for (std::uint32_t k = 0; k < snapshot.objects.size(); ++k) {
    last = snapshot.references(k).empty() ? k : last;
  }

  const std::string path = retention_path(snapshot, last);

  EXPECT_EQ(retention_chain(snapshot, last).size(), 100'000u);
  EXPECT_LT(path.size(), 1000u);
  EXPECT_NE(path.find("... 99960 more ..."), std::string::npos) << path;
}

TEST_F(SnapshotTest, TakesNoWeakReferenceForAnEdge) {
  const Handle<Node> holder(make_node(1));
  const Weak<Node> weak = [&] { return Weak<Node>(make_node(2)); }();

  const HeapSnapshot snapshot = take();

  EXPECT_EQ(snapshot.objects.size(), 1u);
  EXPECT_EQ(snapshot.floating.objects, 1u);
  EXPECT_EQ(snapshot.floating.heap, 24_B);
}

TEST_F(SnapshotTest, HasAWeakMapsKeyHoldItsValue) {
  WeakMap<Node, Node> map(*mutator);
  const Handle<Node> key = [&] {
    const Local<Node> node = make_node(1);
    map.set(node, make_node(2));
    map.set(make_node(3), make_node(4));  // its key is dead: so is its value
    return Handle<Node>(node);
  }();

  const HeapSnapshot snapshot = take();

  ASSERT_EQ(snapshot.objects.size(), 2u);
  EXPECT_EQ(snapshot.floating.objects, 2u);
  const std::uint32_t holder = number_of(snapshot, key.index());
  ASSERT_EQ(snapshot.references(holder).size(), 1u);
  EXPECT_EQ(snapshot.references(holder)[0].slot, SnapshotEdge::kWeakMapValue);
  EXPECT_EQ(retention_path(snapshot, snapshot.references(holder)[0].target),
            "handle -> Node (weak map) -> Node");
}

TEST_F(SnapshotTest, CountsPayloadsWithTheirOwners) {
  const auto make_one = [&](std::int64_t elements, MemoryKind kind) {
    return value_or_throw(make_tensor(
        *mutator, Shape({elements}),
        {.element = ElementType::kUint8, .kind = kind, .site = static_cast<SiteId>(7)}));
  };
  const Handle<Tensor> device(make_one(3000, MemoryKind::kDevice));
  const Handle<Tensor> host(make_one(500, MemoryKind::kHost));
  { (void)make_one(111, MemoryKind::kPinned); }
  const Handle<Tensor> released(make_one(9000, MemoryKind::kDevice));
  released.get()->release();
  const Local<Tensor> view = value_or_throw(make_view(
      *mutator, Local<Tensor>(*mutator, device), Shape({10}), std::vector<std::int64_t>{1}, 5));

  const HeapSnapshot snapshot = take();

  ASSERT_EQ(snapshot.payloads.size(), 2u);
  const std::uint32_t owner = number_of(snapshot, device.index());
  ASSERT_EQ(snapshot.payloads_of(owner).size(), 1u);
  EXPECT_EQ(snapshot.payloads_of(owner)[0].size, 3000_B);
  EXPECT_EQ(snapshot.payloads_of(owner)[0].kind, MemoryKind::kDevice);
  EXPECT_EQ(snapshot.payloads_of(owner)[0].site, static_cast<SiteId>(7));
  EXPECT_EQ(snapshot.total().payloads[static_cast<std::size_t>(MemoryKind::kHost)], 500_B);
  EXPECT_EQ(snapshot.floating.payloads[static_cast<std::size_t>(MemoryKind::kPinned)], 111_B);
  EXPECT_EQ(describe_edge(snapshot, number_of(snapshot, view.index()), 0), "Tensor.base");
}

TEST(CheckedSnapshot, CountsPayloadsWithoutTheirRedzones) {
  Config config = small_config();
  config.check = Check::kPayload;
  Runtime runtime = value_or_throw(Runtime::open(config));
  Mutator mutator(runtime);
  const Handle<Tensor> tensor(value_or_throw(make_tensor(mutator, {750})));

  const HeapSnapshot snapshot = value_or_throw(take_snapshot(runtime));

  ASSERT_EQ(snapshot.payloads.size(), 1u);
  EXPECT_EQ(snapshot.payloads[0].size, 3000_B);
}

TEST_F(SnapshotTest, CopiesNoDataOfLargeObjects) {
  const Local<Leaf> big = make_with_tail<Leaf>(*mutator, 8_MiB);
  std::vector<Handle<Leaf>> middling;
  for (int k = 0; k < 1000; ++k) {
    middling.emplace_back(make_with_tail<Leaf>(*mutator, 2_KiB));
  }
  collect_full();

  const HeapSnapshot snapshot = take();

  EXPECT_EQ(snapshot.objects.size(), 1001u);
  EXPECT_GT(snapshot.total().heap, 9_MiB);
  EXPECT_LT(snapshot.cost.copied, 64_KiB);
}

TEST_F(SnapshotTest, CountsItsStopAmongThePauses) {
  const Handle<Node> list(make_list(1000));
  const std::uint64_t pauses = runtime.statistics().pauses.count();

  const HeapSnapshot snapshot = take();

  EXPECT_EQ(runtime.statistics().pauses.count(), pauses + 2) << "one to measure, one to copy";
  EXPECT_GE(runtime.statistics().pauses.total_ns(), snapshot.cost.stop_ns);
  EXPECT_GT(snapshot.cost.stop_ns, 0u);
  EXPECT_GE(snapshot.cost.total_ns, snapshot.cost.stop_ns);
  EXPECT_GE(snapshot.cost.copied, 24_B * 1000);
}

TEST_F(SnapshotTest, IsEmptyWhereNothingLives) {
  const HeapSnapshot snapshot = take();

  EXPECT_TRUE(snapshot.objects.empty());
  EXPECT_EQ(snapshot.total(), HeldBytes{});
}

TEST_F(SnapshotTest, IsRefusedOnceTheRuntimeIsClosed) {
  mutator.reset();
  runtime.close();

  const Result<HeapSnapshot> snapshot = take_snapshot(runtime);

  ASSERT_FALSE(snapshot.ok());
  EXPECT_EQ(snapshot.failure().code, ErrorCode::kClosed);
}

}  // namespace
}  // namespace tenure::testing
