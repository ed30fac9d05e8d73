// What the kernel writes of memory, in /proc and in the files of control groups.
//
// Why the root: tests lay out a small /proc and /sys of their own, as container hosts of either
// generation of control groups have them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/backend/platform.hpp"
#include "tenure/bytes.hpp"

namespace tenure {

/// A whole file as text; nothing where it cannot be read.
[[nodiscard]] std::optional<std::string> read_text(const std::string& path);

/// The number after `key` in lines such as "MemTotal:  24052196 kB"; one with "kB" is in KiB.
[[nodiscard]] std::optional<Bytes> field_of(std::string_view text, std::string_view key);

/// What the control groups of this process leave to it.
struct GroupMemory {
  Bytes limit = kUnlimited;      // the smallest of the group and those around it
  Bytes available = kUnlimited;  // the smallest rest; file pages not lately used count as free
};

/// Reads both generations of control groups, for hosts that have either or both.
///
/// root     where proc/ and sys/ are: "" on a machine
[[nodiscard]] GroupMemory group_memory(const std::string& root = "");

/// Of the last ten seconds, the part in which some task of the machine, or of this process's group,
/// waited for memory; 0 where the kernel keeps no such account.
[[nodiscard]] double memory_stall(const std::string& root = "");

/// The machine's memory, whatever groups leave of it; without its stalls.
[[nodiscard]] MemoryReading machine_memory(const std::string& root = "");

/// The machine's memory, cut to what the groups leave, and its stalls.
///
/// cost     some tens of microseconds: half a dozen small files
[[nodiscard]] MemoryReading memory_reading(const std::string& root = "");

}  // namespace tenure
