// What is written is read by Python's own unpickler, and says what the maps say.
#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tenure/payload_map.hpp"

namespace tenure::testing {
namespace {

// Stands for the viewer: it adds block sizes to a segment's address, and asks for these names.
constexpr const char* kReader = R"(
import pickle, sys
class Plain(pickle.Unpickler):
    def find_class(self, module, name):
        raise pickle.UnpicklingError(f"{module}.{name}: a snapshot is made of plain values alone")
with open(sys.argv[1], "rb") as file:
    snapshot = Plain(file).load()
print("devices", len(snapshot["device_traces"]), "events", sum(map(len, snapshot["device_traces"])))
for segment in snapshot["segments"]:
    print("segment", segment["device"], hex(segment["address"]), segment["total_size"],
          segment["allocated_size"], segment["active_size"], segment["requested_size"],
          segment["stream"], segment["segment_type"], segment["frames"])
    address = segment["address"]
    for block in segment["blocks"]:
        assert block["address"] == address
        address += block["size"]
        print("block", block["size"], block["requested_size"], block["state"],
              [(f["filename"], f["line"], f["name"]) for f in block["frames"]])
    assert address == segment["address"] + segment["total_size"]
)";

class TorchSnapshot : public ::testing::Test {
 protected:
  TorchSnapshot()
      : folder_(std::filesystem::temp_directory_path() /
                ("tenure_torch_snapshot_" + std::to_string(::getpid()))) {
    std::filesystem::create_directory(folder_);
  }
  ~TorchSnapshot() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::string file() const { return (folder_ / "snapshot.pickle").string(); }

  std::string read_back() {
    const std::string script = (folder_ / "reader.py").string();
    std::ofstream(script) << kReader;
    const std::string out = (folder_ / "out").string();
    const std::string command = "python3 '" + script + "' '" + file() + "' > '" + out + "' 2>&1";
    EXPECT_EQ(std::system(command.c_str()), 0);
    std::ifstream stream(out);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  std::filesystem::path folder_;
};

TEST_F(TorchSnapshot, SaysWhatTheMapsSay) {
  const std::vector<PayloadMap> maps{
      {.kind = MemoryKind::kHost,
       .backend = "host",
       .runs = {{.address = 0x1000,
                 .places = {{.state = PlaceState::kFree, .size = 512_B},
                            {.state = PlaceState::kPlanned, .size = 1_KiB}}}},
       .clients = {""}},
      {.kind = MemoryKind::kDevice,
       .backend = "sim:1GiB",
       .runs = {{.address = 0x7fff'8000'0000,
                 .places = {{.state = PlaceState::kLeased,
                             .size = Bytes{std::uint64_t{5} << 30},
                             .asked = Bytes{(std::uint64_t{5} << 30) - 1},
                             .stream = static_cast<StreamId>(3),
                             .site = static_cast<SiteId>(12),
                             .client = static_cast<ClientId>(1)},
                            {.state = PlaceState::kEvicted, .size = 1_KiB, .asked = 700_B}}}},
       .clients = {"", "torch"}}};
  value_or_throw(write_torch_snapshot(maps, file()));
  EXPECT_EQ(read_back(),
            "devices 2 events 0\n"
            "segment 0 0x1000 1536 0 0 0 0 large []\n"
            "block 512 512 inactive []\n"
            "block 1024 1024 inactive []\n"
            "segment 1 0x7fff80000000 5368710144 5368710144 5368710144 5368709819 0 large []\n"
            "block 5368709120 5368709119 active_allocated "
            "[('device', 0, 'site 12, client torch, stream 3')]\n"
            "block 1024 700 active_allocated [('device', 0, 'unknown site, stream 0, evicted')]\n");
}

TEST_F(TorchSnapshot, IsThereWhereNothingWasLeased) {
  value_or_throw(write_torch_snapshot({}, file()));
  EXPECT_EQ(read_back(), "devices 0 events 0\n");
}

TEST_F(TorchSnapshot, LeavesWhatWasThereWhereItCannotBeWritten) {
  const std::string path = (folder_ / "missing" / "snapshot.pickle").string();
  const Result<void> refused = write_torch_snapshot({}, path);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.failure().code, ErrorCode::kFile);
  EXPECT_NE(refused.failure().message.find(path), std::string::npos);

  // A folder in its place: the renaming fails, and nothing is left beside it.
  std::filesystem::create_directories(folder_ / "taken" / "inside");
  ASSERT_FALSE(write_torch_snapshot({}, (folder_ / "taken").string()).ok());
  EXPECT_TRUE(std::filesystem::exists(folder_ / "taken" / "inside"));
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    EXPECT_EQ(entry.path().string().find(".part"), std::string::npos) << entry.path();
  }
}

}  // namespace
}  // namespace tenure::testing
