#include "host/memory_files.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace tenure {

namespace {

constexpr std::string_view kSpaces = " \t\n";

// The first generation has no word for "no limit" but the largest number of pages it can count.
// Source: Linux, include/linux/page_counter.h (PAGE_COUNTER_MAX); no machine has a quarter of it.
constexpr Bytes kNoLimit{std::uint64_t{1} << 61};

// One generation of control groups: where it is mounted, and its words.
struct Generation {
  std::string_view mount;
  std::string_view controller;  // as /proc/self/cgroup names it; empty in the second generation
  std::string_view limit;
  std::string_view usage;
  std::string_view idle_files;  // in memory.stat: file pages not lately used
};

// Source: Linux, Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst; the mount points
// are systemd's, those of hosts with both generations included.
constexpr std::array kGenerations{
    Generation{"/sys/fs/cgroup", "", "memory.max", "memory.current", "inactive_file"},
    Generation{"/sys/fs/cgroup/unified", "", "memory.max", "memory.current", "inactive_file"},
    Generation{"/sys/fs/cgroup/memory", "memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
               "total_inactive_file"},
};

std::optional<std::uint64_t> number_in(std::string_view text) {
  const std::size_t start = text.find_first_not_of(kSpaces);
  if (start == std::string_view::npos) {
    return std::nullopt;
  }
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, fault] = std::from_chars(text.data() + start, end, number);
  return fault == std::errc{} ? std::optional(number) : std::nullopt;
}

// The number that a file of a group holds; nothing for "max", or where there is no such file.
std::optional<Bytes> bytes_in(const std::string& path) {
  const std::optional<std::string> text = read_text(path);
  const std::optional<std::uint64_t> number = text ? number_in(*text) : std::nullopt;
  return number ? std::optional(Bytes{*number}) : std::nullopt;
}

bool names_controller(std::string_view list, std::string_view name) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (list.substr(0, comma) == name) {
      return true;
    }
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return name.empty();
}

// This process's group, from lines "4:cpu,memory:/path" and "0::/path".
std::optional<std::string> group_path(const std::string& text, std::string_view controller) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) {
      continue;
    }
    const std::string_view list = std::string_view(line).substr(first + 1, second - first - 1);
    if (list.empty() == controller.empty() && names_controller(list, controller)) {
      return line.substr(second + 1);
    }
  }
  return std::nullopt;
}

// Cuts `memory` to what the group in `folder` leaves.
void apply_group(const std::string& folder, const Generation& words, GroupMemory& memory) {
  const std::optional<Bytes> limit = bytes_in(folder + "/" + std::string(words.limit));
  if (!limit || *limit >= kNoLimit) {
    return;
  }
  const Bytes usage = bytes_in(folder + "/" + std::string(words.usage)).value_or(Bytes{});
  const std::optional<std::string> stat = read_text(folder + "/memory.stat");
  const Bytes idle = stat ? field_of(*stat, words.idle_files).value_or(Bytes{}) : Bytes{};
  const Bytes held = usage - std::min(usage, idle);
  memory.limit = std::min(memory.limit, *limit);
  memory.available = std::min(memory.available, *limit - std::min(*limit, held));
}

// Of "some avg10=1.50 avg60=...", the first, as a part of one.
double stall_in(const std::string& path) {
  const std::string text = read_text(path).value_or("");
  const std::string_view key = "some avg10=";
  const std::size_t at = text.find(key);
  constexpr double kPercent = 100.0;
  return at == std::string::npos
             ? 0.0
             : std::clamp(std::strtod(text.c_str() + at + key.size(), nullptr) / kPercent, 0.0,
                          1.0);
}

}  // namespace

std::optional<std::string> read_text(const std::string& path) {
  std::ifstream file(path);
  if (!file) {
    return std::nullopt;
  }
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::optional<Bytes> field_of(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const bool is_it =
        line.substr(0, key.size()) == key && line.substr(key.size()).find_first_of(": \t") == 0;
    if (!is_it) {
      continue;
    }
    std::string_view value = line.substr(key.size());
    value.remove_prefix(std::min(value.find_first_not_of(": \t"), value.size()));
    const std::optional<std::uint64_t> number = number_in(value);
    if (!number) {
      return std::nullopt;
    }
    return value.find("kB") == std::string_view::npos ? Bytes{*number} : Bytes{*number} * 1024;
  }
  return std::nullopt;
}

GroupMemory group_memory(const std::string& root) {
  GroupMemory memory;
  const std::optional<std::string> groups = read_text(root + "/proc/self/cgroup");
  if (!groups) {
    return memory;
  }
  for (const Generation& words : kGenerations) {
    std::optional<std::string> path = group_path(*groups, words.controller);
    // Up to the mount point: each group around is a limit too. In a container the named path may
    // not be there, and the mount point is the group itself.
    while (path) {
      const std::string folder = root + std::string(words.mount) + *path;
      apply_group(folder, words, memory);
      const std::size_t slash = path->rfind('/');
      path = path->size() > 1 && slash != std::string::npos
                 ? std::optional(path->substr(0, std::max<std::size_t>(slash, 1)))
                 : std::nullopt;
    }
  }
  return memory;
}

double memory_stall(const std::string& root) {
  double stall = stall_in(root + "/proc/pressure/memory");
  const std::optional<std::string> groups = read_text(root + "/proc/self/cgroup");
  const std::optional<std::string> path = groups ? group_path(*groups, "") : std::nullopt;
  if (path) {
    for (const std::string_view mount : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
      stall = std::max(stall, stall_in(root + std::string(mount) + *path + "/memory.pressure"));
    }
  }
  return stall;
}

MemoryReading machine_memory(const std::string& root) {
  const std::string text = read_text(root + "/proc/meminfo").value_or("");
  const Bytes free = field_of(text, "MemFree").value_or(Bytes{});  // kernels before 3.14
  return {field_of(text, "MemTotal").value_or(Bytes{}),
          field_of(text, "MemAvailable").value_or(free), 0.0};
}

MemoryReading memory_reading(const std::string& root) {
  const MemoryReading machine = machine_memory(root);
  const GroupMemory group = group_memory(root);
  return {std::min(machine.total, group.limit), std::min(machine.available, group.available),
          memory_stall(root)};
}

}  // namespace tenure
