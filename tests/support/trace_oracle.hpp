// A second reader of traces, as plain as the format allows: the oracle of the fuzz tests. It shares
// nothing with the library.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace tenure::test {

/// What a text says, or the line of its first fault.
struct OracleTrace {
  std::uint64_t bad_line = 0;  // 0: none; an empty text has its fault in line 1
  std::uint64_t allocations = 0;
  std::uint64_t frees = 0;
  std::uint64_t prologue_events = 0;
  std::uint64_t peak_live = 0;
  std::uint64_t final_live = 0;
  std::uint64_t peak_reserved = 0;
  std::set<std::uint64_t> streams;
  std::set<std::uint64_t> devices;
  std::vector<std::uint64_t> sizes;  // of each event, in order
};

class TraceOracle {
 public:
  static OracleTrace read(const std::string& text) {
    TraceOracle oracle;
    std::uint64_t number = 0;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      std::string line = text.substr(at, end - at);
      at = end + 1;
      ++number;
      bool good = line.size() <= 255;
      if (!line.empty() && line.back() == '\r') line.pop_back();
      good =
          good && (number == 1 ? line == "op,id,bytes,stream,t_us,device,site" : oracle.take(line));
      if (!good) {
        oracle.trace_.bad_line = number;
        return oracle.trace_;
      }
    }
    oracle.trace_.bad_line = number == 0 ? 1 : 0;
    for (const auto& [device, bytes] : oracle.live_) oracle.trace_.final_live += bytes;
    return oracle.trace_;
  }

 private:
  /// Digits, and at most `most` (which has no leading zero); long numbers are compared as text.
  static bool is_number(std::string text, const std::string& most) {
    if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos) return false;
    text.erase(0, std::min(text.find_first_not_of('0'), text.size() - 1));
    return text.size() < most.size() || (text.size() == most.size() && text <= most);
  }

  bool take(const std::string& line) {
    std::vector<std::string> fields;
    std::istringstream rest(line + ",");
    for (std::string field; std::getline(rest, field, ',');) fields.push_back(field);
    static const std::string k64 = "18446744073709551615";
    static const std::vector<std::string> most{"", k64, k64, "65535", k64, "255", "4294967295"};
    if (fields.size() != 7) return false;
    for (std::size_t i = 1; i < 7; ++i) {
      if (!is_number(fields[i], most[i])) return false;
    }
    std::array<std::uint64_t, 7> v{};
    for (std::size_t i = 1; i < 7; ++i) v[i] = std::stoull(fields[i]);
    if (v[4] < now_) return false;
    now_ = v[4];
    return take(fields[0], v[1], v[2], v[3], v[5]);
  }

  bool take(const std::string& op, std::uint64_t id, std::uint64_t bytes, std::uint64_t stream,
            std::uint64_t device) {
    if (op == "alloc") {
      if (bytes == 0 || bytes > std::uint64_t{1} << 47 || blocks_.contains(id)) return false;
      if (total_ + bytes < total_) return false;
      blocks_[id] = {bytes, device};
      total_ += bytes;
      live_[device] += bytes;
      ++trace_.allocations;
    } else if (op == "free" || op == "free_requested") {
      const auto block = blocks_.find(id);
      if (block == blocks_.end() || block->second != std::pair{bytes, device}) return false;
      if (op == "free_requested") return true;
      blocks_.erase(block);
      total_ -= bytes;
      live_[device] -= bytes;
      ++trace_.frees;
    } else if (op == "segment_alloc" || op == "segment_map") {
      if (reserved_ + bytes < reserved_) return false;
      reserved_ += bytes;
    } else if (op == "segment_free" || op == "segment_unmap") {
      if (bytes > reserved_) return false;
      reserved_ -= bytes;
    } else if (op == "begin") {
      const bool is_late = !begun_.empty() && trace_.sizes.size() != trace_.prologue_events;
      if (is_late || !begun_.insert(device).second) return false;
      trace_.prologue_events = trace_.sizes.size();
    } else if (op == "snapshot") {
      if (live_[device] != bytes) return false;
    } else if (op != "oom" && op != "device_free" && op != "mark") {
      return false;
    }
    if (op == "alloc" || op == "free") {
      trace_.sizes.push_back(bytes);
      trace_.streams.insert(stream);
      trace_.devices.insert(device);
    }
    trace_.peak_live = std::max(trace_.peak_live, total_);
    trace_.peak_reserved = std::max(trace_.peak_reserved, reserved_);
    return true;
  }

  OracleTrace trace_;
  std::map<std::uint64_t, std::pair<std::uint64_t, std::uint64_t>> blocks_;  // id: bytes, device
  std::map<std::uint64_t, std::uint64_t> live_;                              // device: bytes
  std::set<std::uint64_t> begun_;
  std::uint64_t total_ = 0;
  std::uint64_t reserved_ = 0;
  std::uint64_t now_ = 0;
};

}  // namespace tenure::test
