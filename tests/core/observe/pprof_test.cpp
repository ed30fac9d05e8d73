// The profile that pprof opens, read back by a reader of its own.
#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tenure/export.hpp"
#include "tests/support/protobuf_reader.hpp"

namespace tenure::testing {
namespace {

std::string unzipped(std::string packed) {
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, MAX_WBITS + 16), Z_OK);
  std::string out(1u << 20, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

StackFrame frame(std::uintptr_t address, const std::string& function) {
  StackFrame made;
  made.address = address;
  made.function = function;
  made.module = "/bin/program";
  made.offset = address - 0x400000;
  return made;
}

AllocationSite site(const std::string& what, std::vector<StackFrame> stack, double allocations,
                    Bytes bytes) {
  AllocationSite made;
  made.what = what;
  made.stack = std::move(stack);
  made.total_allocations = allocations;
  made.total_bytes = bytes;
  made.live_allocations = allocations / 2;
  made.live_bytes = Bytes{bytes.count() / 2};
  return made;
}

class Pprof : public ::testing::Test {
 protected:
  Pprof() {
    profile.sample_interval = 512_KiB;
    profile.since_ns = 10;
    profile.taken_ns = 1'000'010;
    const StackFrame main = frame(0x401000, "main");
    profile.sites = {site("Node", {frame(0x402000, "grow(int)"), main}, 1000, 300_KiB),
                     site("device payload", {frame(0x402345, "train()"), main}, 10, 7_GiB),
                     site("Leaf", {}, 1, 16_B)};
  }

  [[nodiscard]] ProtobufReader written() const {
    return ProtobufReader(unzipped(to_pprof(profile)));
  }

  Profile profile;
};

TEST_F(Pprof, HasTheValuesOfAHeapProfile) {
  const ProtobufReader read = written();
  const std::vector<std::string> strings = read.all(6);
  ASSERT_FALSE(strings.empty());
  EXPECT_EQ(strings[0], "") << "as the format demands";

  std::vector<std::string> types;
  for (const std::string& bytes : read.all(1)) {
    const ProtobufReader type(bytes);
    types.push_back(strings.at(type.number(1)) + "/" + strings.at(type.number(2)));
  }
  EXPECT_EQ(types, (std::vector<std::string>{"alloc_objects/count", "alloc_space/bytes",
                                             "inuse_objects/count", "inuse_space/bytes"}));
  EXPECT_EQ(read.number(12), (512_KiB).count());
  EXPECT_EQ(read.number(10), 1'000'000u);
  EXPECT_EQ(strings.at(read.number(14)), "inuse_space");
}

TEST_F(Pprof, HasEachSiteWithItsStackAndType) {
  const ProtobufReader read = written();
  const std::vector<std::string> strings = read.all(6);
  std::map<std::uint64_t, std::string> functions;
  for (const std::string& bytes : read.all(5)) {
    const ProtobufReader function(bytes);
    functions[function.number(1)] = strings.at(function.number(2));
  }
  std::map<std::uint64_t, std::string> places;
  for (const std::string& bytes : read.all(4)) {
    const ProtobufReader place(bytes);
    EXPECT_EQ(place.number(2), 1u) << "of the one module";
    places[place.number(1)] = functions.at(ProtobufReader(place.all(4).at(0)).number(1));
  }
  std::map<std::string, std::vector<std::uint64_t>> samples;
  for (const std::string& bytes : read.all(2)) {
    const ProtobufReader sample(bytes);
    const ProtobufReader label(sample.all(3).at(0));
    EXPECT_EQ(strings.at(label.number(1)), "type");
    std::string name = strings.at(label.number(2));
    for (const std::uint64_t id : sample.packed(1)) {
      name += " < " + places.at(id);
    }
    samples[name] = sample.packed(2);
  }

  EXPECT_EQ(samples.size(), 3u);
  EXPECT_EQ(samples["Node < grow(int) < main"],
            (std::vector<std::uint64_t>{1000, 307'200, 500, 153'600}));
  EXPECT_EQ(samples["device payload < train() < main"],
            (std::vector<std::uint64_t>{10, 7'516'192'768, 5, 3'758'096'384}));
  EXPECT_EQ(samples["Leaf"], (std::vector<std::uint64_t>{1, 16, 1, 8}));
  EXPECT_EQ(places.size(), 3u) << "the frame of main is one place";
}

TEST_F(Pprof, SaysWhereTheModuleLay) {
  const ProtobufReader read = written();

  ASSERT_EQ(read.all(3).size(), 1u);
  const ProtobufReader module(read.all(3)[0]);
  EXPECT_EQ(module.number(1), 1u);
  EXPECT_EQ(module.number(2), 0x400000u);
  EXPECT_EQ(module.number(3), 0x403000u);
  EXPECT_EQ(read.all(6).at(module.number(5)), "/bin/program");
}

TEST_F(Pprof, MayBeEmpty) {
  profile.sites.clear();

  EXPECT_EQ(written().all(2).size(), 0u);
  EXPECT_EQ(written().all(1).size(), 4u);
}

}  // namespace
}  // namespace tenure::testing
