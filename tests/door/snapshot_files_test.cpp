// Snapshots as files, read back by a parser of its own.
#include "tenure/snapshot_files.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "tenure/tensor.hpp"
#include "tests/support/object_walk.hpp"
#include "tests/support/random_snapshot.hpp"
#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {
namespace {

class SnapshotFiles : public RuntimeTest {
 protected:
  SnapshotFiles() { std::filesystem::create_directory(folder); }
  ~SnapshotFiles() override { std::filesystem::remove_all(folder); }

  /// What the parser has to say of both formats; "" where all is well.
  std::string faults_of(const HeapSnapshot& snapshot) {
    const std::string v8 = folder + "/it.heapsnapshot";
    const std::string json = folder + "/it.json";
    EXPECT_TRUE(write_snapshot(snapshot, v8, SnapshotFormat::kHeapSnapshot).ok());
    EXPECT_TRUE(write_snapshot(snapshot, json, SnapshotFormat::kJson).ok());
    const std::string said = folder + "/said";
    const std::string command = std::string("python3 -B ") + TENURE_TEST_CHECK + " " + v8 + " " +
                                json + " " + TENURE_TEST_SCHEMA + " > " + said + " 2>&1";
    return std::system(command.c_str()) == 0 ? "" : "refused: " + text_of(said);
  }
  static std::string text_of(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }

  const std::string folder = ::testing::TempDir() + "/tenure-snapshot-" + std::to_string(getpid());
};

TEST_F(SnapshotFiles, HoldARandomGraphWithItsRootsAndPayloads) {
  RandomVertices vertices(*mutator, 3);
  vertices.grow(300);
  WeakMap<Node, Node> map(*mutator);
  const Local<Node> key = make_node(1);
  map.set(key, make_node(2));
  const Pinned<Node> pin(key);
  Node* kept = nullptr;
  runtime.add_root_callback([&](RootVisitor& visitor) { visitor.visit(kept); },
                            "a \"name\"\twith \\ in it");
  kept = make_node(3).get();
  const Handle<Tensor> tensor(
      value_or_throw(make_tensor(*mutator, Shape({100}), {.kind = MemoryKind::kDevice})));
  const Local<Tensor> other =
      value_or_throw(make_tensor(*mutator, Shape({7}), {.kind = MemoryKind::kHost}));

  EXPECT_EQ(faults_of(value_or_throw(take_snapshot(runtime))), "");
}

TEST_F(SnapshotFiles, HoldAnEmptyHeap) {
  EXPECT_EQ(faults_of(value_or_throw(take_snapshot(runtime))), "");
}

TEST_F(SnapshotFiles, HoldAGraphMadeByHand) { EXPECT_EQ(faults_of(random_snapshot(1, 200)), ""); }

TEST_F(SnapshotFiles, AreRefusedByTheParserWhereAnEdgeIsWrong) {
  HeapSnapshot snapshot = random_snapshot(4, 50);
  snapshot.nearer[49] = 49;  // no such edge leads there

  EXPECT_NE(faults_of(snapshot), "");
}

TEST_F(SnapshotFiles, AreWholeOrNotThere) {
  const HeapSnapshot snapshot = random_snapshot(5, 50);

  const Result<void> written =
      write_snapshot(snapshot, folder + "/no/such/folder.json", SnapshotFormat::kJson);

  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.failure().code, ErrorCode::kFile);
  const Result<void> full =
      write_snapshot(long_list(100'000), "/dev/full/x", SnapshotFormat::kJson);
  EXPECT_FALSE(full.ok());
  EXPECT_TRUE(std::filesystem::is_empty(folder));
}

TEST_F(SnapshotFiles, AreNamedByWord) {
  EXPECT_EQ(snapshot_format("heapsnapshot"), SnapshotFormat::kHeapSnapshot);
  EXPECT_EQ(snapshot_format("json"), SnapshotFormat::kJson);
  EXPECT_EQ(snapshot_format("hprof"), std::nullopt);
}

}  // namespace
}  // namespace tenure::testing
