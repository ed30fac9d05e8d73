#include "tenure/machine.hpp"

#include <sched.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <system_error>
#include <thread>

#include "core/backend/backend.hpp"
#include "host/machine_files.hpp"
#include "host/memory_files.hpp"
#include "host/pages.hpp"

namespace tenure {

namespace {

// x86-64 names the model on a line of its own for each core; AArch64 does not, so its family must do.
std::string processor(const std::string& root) {
  std::istringstream lines(read_text(root + "/proc/cpuinfo").value_or(""));
  for (std::string line; std::getline(lines, line);) {
    const std::size_t colon = line.find(": ");
    if (line.substr(0, 10) == "model name" && colon != std::string::npos) {
      return line.substr(colon + 2);
    }
  }
  utsname system{};
  return uname(&system) == 0 ? system.machine : "unknown";
}

std::uint32_t cores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0) {
    return static_cast<std::uint32_t>(CPU_COUNT(&allowed));
  }
  return std::max(std::thread::hardware_concurrency(), 1u);  // more cores than the set has room for
}

// The word in brackets of "always [madvise] never".
std::string huge_pages(const std::string& root) {
  const std::string path = "/sys/kernel/mm/transparent_hugepage/enabled";
  const std::optional<std::string> text = read_text(root + path);
  if (!text) {
    return "unknown: there is no " + path;
  }
  const std::size_t first = text->find('[');
  const std::size_t end = text->find(']');
  if (first == std::string::npos || end == std::string::npos || end < first) {
    return "unknown: " + path + " marks no choice";
  }
  return text->substr(first + 1, end - first - 1);
}

bool is_node(const std::string& name) {
  return name.size() > 4 && name.substr(0, 4) == "node" &&
         name.find_first_not_of("0123456789", 4) == std::string::npos;
}

// Machines without NUMA, and containers that hide it, have the one node.
std::uint32_t numa_nodes(const std::string& root) {
  std::error_code fault;
  std::filesystem::directory_iterator entries(root + "/sys/devices/system/node", fault);
  std::uint32_t nodes = 0;
  for (; !fault && entries != std::filesystem::directory_iterator{}; entries.increment(fault)) {
    nodes += is_node(entries->path().filename().string()) ? 1 : 0;
  }
  return std::max(nodes, 1u);
}

Bytes lockable() {
  rlimit limit{};
  const bool is_limited = getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
  return is_limited ? Bytes{limit.rlim_cur} : kUnlimited;
}

}  // namespace

MachineReport read_machine(const std::string& root) {
  MachineReport report;
  report.processor = processor(root);
  report.cores = cores();
  report.memory = machine_memory(root).total;
  report.memory_available = memory_reading(root).available;
  report.cgroup_limit = group_memory(root).limit;
  report.page = page_bytes();
  report.huge_pages = huge_pages(root);
  report.numa_nodes = numa_nodes(root);
  report.lockable = lockable();
  // Why read: a kernel that was started without PSI has the file, and refuses to read it.
  report.pressure_readings = !read_text(root + "/proc/pressure/memory").value_or("").empty();
  report.compiler = TENURE_COMPILER;
  return report;
}

MachineReport inspect_machine() {
  MachineReport report = read_machine();
  inspect_devices(report);
  return report;
}

}  // namespace tenure
