// What the kernel writes of memory, in folders laid out as hosts and containers have them.
#include "host/memory_files.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "host/machine_files.hpp"
#include "host/pages.hpp"

namespace tenure {
namespace {

TEST(FieldOfTest, ReadsKibibytesWhereTheLineSaysSo) {
  const std::string text = "MemTotal:       24052196 kB\nMemFree:        23000000 kB\n";

  EXPECT_EQ(field_of(text, "MemTotal"), 24052196_KiB);
  EXPECT_EQ(field_of(text, "MemFree"), 23000000_KiB);
}

TEST(FieldOfTest, ReadsBytesWhereItDoesNot) {
  EXPECT_EQ(field_of("anon 4096\ninactive_file 512\n", "inactive_file"), 512_B);
}

TEST(FieldOfTest, TakesNoOtherLineThatBeginsAlike) {
  EXPECT_EQ(field_of("MemTotalHuge: 1 kB\nMemTotal: 2 kB", "MemTotal"), 2_KiB);
  EXPECT_EQ(field_of("total_inactive_file 9\n", "inactive_file"), std::nullopt);
}

TEST(FieldOfTest, FindsNothingWhereTheLineIsMissingOrHasNoNumber) {
  EXPECT_EQ(field_of("", "MemTotal"), std::nullopt);
  EXPECT_EQ(field_of("MemTotal:\n", "MemTotal"), std::nullopt);
  EXPECT_EQ(field_of("MemTotal: many kB\n", "MemTotal"), std::nullopt);
}

// A folder with a proc/ and a sys/ of its own, gone with the test.
class FilesTest : public ::testing::Test {
 protected:
  FilesTest() : root(std::filesystem::path(::testing::TempDir()) / name()) {
    std::filesystem::remove_all(root);
  }
  ~FilesTest() override { std::filesystem::remove_all(root); }

  static std::string name() {
    const auto* const info = ::testing::UnitTest::GetInstance()->current_test_info();
    return std::string("tenure_") + info->test_suite_name() + "_" + info->name();
  }
  void write(const std::string& path, const std::string& text) const {
    const std::filesystem::path file = root / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  // 8 GiB, of which 5 are available.
  void write_meminfo() const {
    write("proc/meminfo", "MemTotal: 8388608 kB\nMemFree: 1048576 kB\nMemAvailable: 5242880 kB\n");
  }

  std::filesystem::path root;
};

using GroupMemoryTest = FilesTest;

TEST_F(GroupMemoryTest, IsUnlimitedWhereThereAreNoGroups) {
  const GroupMemory memory = group_memory(root);

  EXPECT_EQ(memory.limit, kUnlimited);
  EXPECT_EQ(memory.available, kUnlimited);
}

TEST_F(GroupMemoryTest, ReadsTheLimitOfTheSecondGeneration) {
  write("proc/self/cgroup", "0::/user/job\n");
  write("sys/fs/cgroup/user/job/memory.max", "1073741824\n");
  write("sys/fs/cgroup/user/job/memory.current", "268435456\n");

  const GroupMemory memory = group_memory(root);

  EXPECT_EQ(memory.limit, 1_GiB);
  EXPECT_EQ(memory.available, 768_MiB);
}

TEST_F(GroupMemoryTest, CountsFilePagesNotLatelyUsedAsFree) {
  write("proc/self/cgroup", "0::/job\n");
  write("sys/fs/cgroup/job/memory.max", "1073741824\n");
  write("sys/fs/cgroup/job/memory.current", "805306368\n");
  write("sys/fs/cgroup/job/memory.stat", "anon 1\ninactive_file 536870912\n");

  EXPECT_EQ(group_memory(root).available, 768_MiB);
}

TEST_F(GroupMemoryTest, HasNothingLeftPastItsLimit) {
  write("proc/self/cgroup", "0::/job\n");
  write("sys/fs/cgroup/job/memory.max", "1000\n");
  write("sys/fs/cgroup/job/memory.current", "3000\n");

  EXPECT_EQ(group_memory(root).available, Bytes{});
}

TEST_F(GroupMemoryTest, TakesMaxForNoLimit) {
  write("proc/self/cgroup", "0::/job\n");
  write("sys/fs/cgroup/job/memory.max", "max\n");
  write("sys/fs/cgroup/job/memory.current", "268435456\n");

  EXPECT_EQ(group_memory(root).limit, kUnlimited);
}

TEST_F(GroupMemoryTest, TakesTheFirstGenerationsLargestNumberForNoLimit) {
  write("proc/self/cgroup", "4:memory:/\n");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  write("sys/fs/cgroup/memory/memory.usage_in_bytes", "268435456\n");

  const GroupMemory memory = group_memory(root);

  EXPECT_EQ(memory.limit, kUnlimited);
  EXPECT_EQ(memory.available, kUnlimited);
}

TEST_F(GroupMemoryTest, TakesTheSmallestLimitOfTheGroupsAround) {
  write("proc/self/cgroup", "0::/a/b/c\n");
  write("sys/fs/cgroup/a/b/c/memory.max", "max\n");
  write("sys/fs/cgroup/a/b/memory.max", "4294967296\n");
  write("sys/fs/cgroup/a/memory.max", "2147483648\n");
  write("sys/fs/cgroup/a/memory.current", "1073741824\n");

  const GroupMemory memory = group_memory(root);

  EXPECT_EQ(memory.limit, 2_GiB);
  EXPECT_EQ(memory.available, 1_GiB);
}

TEST_F(GroupMemoryTest, FindsTheContainersOwnGroupAtTheMountPoint) {
  write("proc/self/cgroup", "0::/docker/4f2a\n");
  write("sys/fs/cgroup/memory.max", "536870912\n");

  EXPECT_EQ(group_memory(root).limit, 512_MiB);
}

TEST_F(GroupMemoryTest, ReadsTheLimitOfTheFirstGeneration) {
  write("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/job\n1:name=systemd:/init\n");
  write("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "1073741824\n");
  write("sys/fs/cgroup/memory/job/memory.usage_in_bytes", "805306368\n");
  write("sys/fs/cgroup/memory/job/memory.stat", "inactive_file 1\ntotal_inactive_file 268435456\n");

  const GroupMemory memory = group_memory(root);

  EXPECT_EQ(memory.limit, 1_GiB);
  EXPECT_EQ(memory.available, 512_MiB);
}

TEST_F(GroupMemoryTest, FindsTheMemoryControllerAmongOthers) {
  write("proc/self/cgroup", "3:hugetlb,memory,pids:/job\n");
  write("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "1073741824\n");

  EXPECT_EQ(group_memory(root).limit, 1_GiB);
}

TEST_F(GroupMemoryTest, ReadsHostsWithBothGenerations) {
  write("proc/self/cgroup", "4:memory:/job\n0::/job\n");
  write("sys/fs/cgroup/unified/job/cgroup.procs", "1\n");
  write("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "1073741824\n");

  EXPECT_EQ(group_memory(root).limit, 1_GiB);
}

using MemoryReadingTest = FilesTest;

TEST_F(MemoryReadingTest, ReadsTheMachinesWhereNoGroupLimitsIt) {
  write_meminfo();

  const MemoryReading reading = memory_reading(root);

  EXPECT_EQ(reading.total, 8_GiB);
  EXPECT_EQ(reading.available, 5_GiB);
}

TEST_F(MemoryReadingTest, IsCutToTheGroupsFigures) {
  write_meminfo();
  write("proc/self/cgroup", "0::/job\n");
  write("sys/fs/cgroup/job/memory.max", "2147483648\n");
  write("sys/fs/cgroup/job/memory.current", "1073741824\n");

  const MemoryReading reading = memory_reading(root);

  EXPECT_EQ(reading.total, 2_GiB);
  EXPECT_EQ(reading.available, 1_GiB);
}

TEST_F(MemoryReadingTest, KeepsTheMachinesWhereTheGroupHasMore) {
  write_meminfo();
  write("proc/self/cgroup", "0::/job\n");
  write("sys/fs/cgroup/job/memory.max", "1099511627776\n");

  const MemoryReading reading = memory_reading(root);

  EXPECT_EQ(reading.total, 8_GiB);
  EXPECT_EQ(reading.available, 5_GiB);
}

TEST_F(MemoryReadingTest, TakesFreeMemoryWhereTheKernelDoesNotSayWhatIsAvailable) {
  write("proc/meminfo", "MemTotal: 8388608 kB\nMemFree: 1048576 kB\n");

  EXPECT_EQ(memory_reading(root).available, 1_GiB);
}

TEST_F(MemoryReadingTest, SaysWhichPartOfTheTimeSomebodyWaitedForMemory) {
  EXPECT_EQ(memory_reading(root).stall, 0.0);

  write("proc/pressure/memory",
        "some avg10=12.50 avg60=1.00 avg300=0.00 total=9\nfull avg10=99.00\n");
  EXPECT_DOUBLE_EQ(memory_reading(root).stall, 0.125);

  write("proc/self/cgroup", "0::/job\n");
  write("sys/fs/cgroup/job/memory.pressure", "some avg10=40.00 avg60=1.00 avg300=0.00 total=9\n");
  EXPECT_DOUBLE_EQ(memory_reading(root).stall, 0.4);
}

using MachineFilesTest = FilesTest;

TEST_F(MachineFilesTest, NamesTheProcessor) {
  write("proc/cpuinfo", "processor\t: 0\nmodel name\t: Some CPU @ 2.0GHz\nflags\t: sse\n");

  EXPECT_EQ(read_machine(root).processor, "Some CPU @ 2.0GHz");
}

TEST_F(MachineFilesTest, NamesTheFamilyWhereNoModelIsNamed) {
  write("proc/cpuinfo", "processor\t: 0\nCPU implementer\t: 0x41\n");

  EXPECT_FALSE(read_machine(root).processor.empty());
}

TEST_F(MachineFilesTest, ReadsWhichHugePagesAreChosen) {
  write("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
  EXPECT_EQ(read_machine(root).huge_pages, "madvise");

  write("sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n");
  EXPECT_EQ(read_machine(root).huge_pages, "always");
}

TEST_F(MachineFilesTest, SaysWhyHugePagesAreNotKnown) {
  EXPECT_EQ(read_machine(root).huge_pages,
            "unknown: there is no /sys/kernel/mm/transparent_hugepage/enabled");

  write("sys/kernel/mm/transparent_hugepage/enabled", "always madvise never\n");
  EXPECT_NE(read_machine(root).huge_pages.find("marks no choice"), std::string::npos);
}

TEST_F(MachineFilesTest, CountsTheNodesOfMemory) {
  EXPECT_EQ(read_machine(root).numa_nodes, 1u);

  write("sys/devices/system/node/node0/cpulist", "0-3\n");
  write("sys/devices/system/node/node1/cpulist", "4-7\n");
  write("sys/devices/system/node/possible", "0-1\n");
  write("sys/devices/system/node/nodemask/x", "\n");

  EXPECT_EQ(read_machine(root).numa_nodes, 2u);
}

TEST_F(MachineFilesTest, HasPressureReadingsWhereTheyCanBeRead) {
  EXPECT_FALSE(read_machine(root).pressure_readings);

  write("proc/pressure/memory", "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");

  EXPECT_TRUE(read_machine(root).pressure_readings);
}

TEST_F(MachineFilesTest, ReportsTheLimitOfTheGroupBesideTheMachinesMemory) {
  write_meminfo();
  write("proc/self/cgroup", "0::/job\n");
  write("sys/fs/cgroup/job/memory.max", "2147483648\n");

  const MachineReport report = read_machine(root);

  EXPECT_EQ(report.cgroup_limit, 2_GiB);
  EXPECT_EQ(report.memory, 8_GiB);
  EXPECT_EQ(report.memory_available, 2_GiB);
}

// --- this machine -----------------------------------------------------------------------------

TEST(InspectMachineTest, FindsWhatEveryMachineHas) {
  const MachineReport report = inspect_machine();

  EXPECT_FALSE(report.processor.empty());
  EXPECT_GE(report.cores, 1u);
  EXPECT_GE(report.numa_nodes, 1u);
  EXPECT_GT(report.memory, 64_MiB);
  EXPECT_LE(report.memory_available, report.memory);
  EXPECT_EQ(report.page, page_bytes());
  EXPECT_FALSE(report.huge_pages.empty());
  EXPECT_NE(report.compiler.find('.'), std::string::npos) << report.compiler;  // name and version
}

TEST(InspectMachineTest, SaysWhichBackendIsOpenedAndWhy) {
  const MachineReport report = inspect_machine();

  EXPECT_EQ(report.backend, "host");
  EXPECT_FALSE(report.backend_reason.empty());
  EXPECT_FALSE(report.cuda_driver.empty());
  EXPECT_TRUE(report.cuda_in_build || report.devices.empty());
}

}  // namespace
}  // namespace tenure
