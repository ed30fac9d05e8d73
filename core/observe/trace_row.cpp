#include "core/observe/trace_row.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <system_error>

#include "core/base/check.hpp"

namespace tenure {
namespace {

constexpr std::size_t kFields = 7;
constexpr std::size_t kLongestQuote = 40;
constexpr std::uint64_t kMax64 = ~std::uint64_t{0};

constexpr std::array<std::string_view, kTraceOps> kWords{
    "alloc",         "free", "free_requested", "segment_alloc", "segment_free", "segment_map",
    "segment_unmap", "oom",  "device_free",    "mark",          "begin",        "snapshot"};

using Fields = std::array<std::string_view, kFields>;

Error bad(std::string sentence) { return {ErrorCode::kBadTrace, std::move(sentence)}; }

/// How many fields there are; the first seven of them go to `fields`.
std::size_t split(std::string_view line, Fields& fields) {
  std::size_t count = 0;
  for (;;) {
    const std::size_t comma = line.find(',');
    if (count < kFields) {
      fields[count] = line.substr(0, comma);
    }
    ++count;
    if (comma == std::string_view::npos) {
      return count;
    }
    line.remove_prefix(comma + 1);
  }
}

std::optional<TraceOp> op_of(std::string_view word) {
  for (std::uint8_t number = 0; number < kTraceOps; ++number) {
    if (kWords[number] == word) {
      return static_cast<TraceOp>(number);
    }
  }
  return std::nullopt;
}

bool is_digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// Why `text` is no number from 0 to `max`.
Error not_a_number(std::string_view name, std::string_view text, std::uint64_t max) {
  const std::string subject = std::string(name) + " is " + in_quotes(text);
  if (is_digits(text)) {
    return bad(subject + ", more than the " + std::to_string(max) + " it may be");
  }
  if (text.starts_with('-') && is_digits(text.substr(1))) {
    return bad(subject + ", and may not be negative");
  }
  return bad(subject + ", not a whole number");
}

/// Reads the fields of one row, and keeps the first fault.
class FieldReader {
 public:
  explicit FieldReader(const Fields& fields) : fields_(fields) {}

  template <class Number>
  Number read(std::size_t field, std::string_view name, std::uint64_t max) {
    const std::string_view text = fields_[field];
    std::uint64_t value = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = code == std::errc{} && end == text.data() + text.size();
    if ((!whole || value > max) && !fault_) {
      fault_ = not_a_number(name, text, max);
    }
    return static_cast<Number>(value);
  }
  [[nodiscard]] const std::optional<Error>& fault() const { return fault_; }

 private:
  const Fields& fields_;
  std::optional<Error> fault_;
};

}  // namespace

std::string_view to_string(TraceOp op) {
  const auto number = static_cast<std::size_t>(op);
  check(number < kTraceOps, "a trace operation that does not exist");
  return kWords[number];
}

Result<TraceRow> parse_trace_row(std::string_view line) {
  Fields fields;
  const std::size_t count = split(line, fields);
  if (count != kFields) {
    return bad("the row " + in_quotes(line) + " has " + std::to_string(count) +
               (count == 1 ? " field" : " fields") + "; a row has 7: " + std::string(kTraceHeader));
  }
  const std::optional<TraceOp> op = op_of(fields[0]);
  if (!op) {
    std::string known;
    for (const std::string_view word : kWords) {
      known.append(known.empty() ? "" : ", ").append(word);
    }
    return bad("op is " + in_quotes(fields[0]) + ", and may be " + known);
  }

  FieldReader reader(fields);
  TraceRow row;
  row.op = *op;
  row.id = reader.read<std::uint64_t>(1, "id", kMax64);
  row.bytes = reader.read<std::uint64_t>(2, "bytes", kMax64);
  row.stream = reader.read<std::uint16_t>(3, "stream", kMaxTraceStream);
  row.t_us = reader.read<std::uint64_t>(4, "t_us", kMax64);
  row.device = reader.read<std::uint8_t>(5, "device", kMaxTraceDevice);
  row.site = reader.read<std::uint32_t>(6, "site", kMaxTraceSite);
  if (reader.fault()) {
    return *reader.fault();
  }
  return row;
}

std::string to_line(const TraceRow& row) {
  std::string line{to_string(row.op)};
  for (const std::uint64_t number : {row.id, row.bytes, std::uint64_t{row.stream}, row.t_us,
                                     std::uint64_t{row.device}, std::uint64_t{row.site}}) {
    line.append(",").append(std::to_string(number));
  }
  return line.append("\n");
}

std::string in_quotes(std::string_view text) {
  std::string quote = "\"";
  for (const char c : text.substr(0, kLongestQuote)) {
    quote.push_back(c >= ' ' && c <= '~' ? c : '?');
  }
  return quote.append(text.size() > kLongestQuote ? "...\"" : "\"");
}

}  // namespace tenure
