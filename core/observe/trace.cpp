#include "core/observe/trace.hpp"

#include <algorithm>
#include <array>
#include <bitset>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include "core/observe/block_table.hpp"
#include "core/observe/trace_lines.hpp"
#include "tenure/replay.hpp"

namespace tenure {
namespace {

constexpr std::uint64_t kMax64 = std::numeric_limits<std::uint64_t>::max();

std::string number(std::uint64_t value) { return std::to_string(value); }

}  // namespace

/// Takes rows one by one and holds each against those before it.
class TraceReader {
 public:
  TraceReader(TraceLines lines, TraceLimits limits) : lines_(std::move(lines)), limits_(limits) {}

  Result<TraceData> read() {
    if (std::optional<Error> fault = read_header()) {
      return *std::move(fault);
    }
    while (const std::optional<std::string_view> line = lines_.try_next()) {
      if (std::optional<Error> fault = read_row(*line)) {
        return *std::move(fault);
      }
    }
    if (lines_.fault()) {
      return *lines_.fault();
    }
    return TraceData(lines_.name(), std::move(events_), finished_figures());
  }

 private:
  std::optional<Error> read_header() {
    const std::optional<std::string_view> header = lines_.try_next();
    if (lines_.fault()) {
      return lines_.fault();
    }
    if (!header) {
      return Error{
          ErrorCode::kBadTrace,
          lines_.name() + ": is empty; a trace begins with the line " + in_quotes(kTraceHeader)};
    }
    if (*header != kTraceHeader) {
      return refuse("not a trace: the first line is " + in_quotes(*header) + " and must be " +
                    in_quotes(kTraceHeader));
    }
    return std::nullopt;
  }

  std::optional<Error> read_row(std::string_view line) {
    if (lines_.line() - 1 > limits_.rows) {
      return refuse("there are more than the " + number(limits_.rows) +
                    " rows that are read of one trace; cut it in pieces");
    }
    const Result<TraceRow> row = parse_trace_row(line);
    if (!row) {
      return refuse(row.failure().message);
    }
    if (row->t_us < now_us_) {
      return refuse("t_us falls from " + number(now_us_) + " to " + number(row->t_us));
    }
    now_us_ = row->t_us;
    return take(*row);
  }

  std::optional<Error> take(const TraceRow& row) {
    switch (row.op) {
      case TraceOp::kAlloc:
        return take_alloc(row);
      case TraceOp::kFree:
        return take_free(row);
      case TraceOp::kFreeRequested:
        return fault_in_return(row, blocks_.find(row.id));
      case TraceOp::kSegmentAlloc:
      case TraceOp::kSegmentMap:
        return take_reserved(row);
      case TraceOp::kSegmentFree:
      case TraceOp::kSegmentUnmap:
        return take_unreserved(row);
      case TraceOp::kBegin:
        return take_begin(row);
      case TraceOp::kSnapshot:
        return take_snapshot(row);
      case TraceOp::kOutOfMemory:
      case TraceOp::kDeviceFree:
      case TraceOp::kMark:
        return std::nullopt;  // told by the recording; nothing follows from them here
    }
    return std::nullopt;
  }

  std::optional<Error> take_alloc(const TraceRow& row) {
    if (row.bytes == 0 || row.bytes > kMaxTraceBytes) {
      return refuse("block " + number(row.id) + " has " + number(row.bytes) +
                    " bytes; a block has 1 to " + number(kMaxTraceBytes));
    }
    if (row.bytes > kMax64 - live_) {
      return refuse("with the " + number(row.bytes) + " bytes of block " + number(row.id) +
                    ", more bytes would be live than 64 bits can count");
    }
    const TracedBlock fresh{.allocated = static_cast<std::uint32_t>(events_.size())};
    if (TracedBlock* const known = blocks_.find(row.id); known == nullptr) {
      blocks_.put(row.id, fresh);
    } else if (known->freed_line != 0) {
      *known = fresh;  // an id may be used again, as addresses are
    } else {
      return refuse("block " + number(row.id) + " is allocated and is live since line " +
                    number(events_[known->allocated].line));
    }
    live_ += row.bytes;
    live_on_[row.device] += row.bytes;
    peak_live_ = std::max(peak_live_, live_);
    add_event(row, static_cast<std::uint32_t>(figures_.allocations++));
    return std::nullopt;
  }

  std::optional<Error> take_free(const TraceRow& row) {
    TracedBlock* const block = blocks_.find(row.id);
    if (std::optional<Error> fault = fault_in_return(row, block)) {
      return fault;
    }
    block->freed_line = static_cast<std::uint32_t>(lines_.line());
    live_ -= row.bytes;
    live_on_[row.device] -= row.bytes;
    ++figures_.frees;
    add_event(row, events_[block->allocated].block);
    return std::nullopt;
  }

  /// What is wrong with giving `block` back as `row` does.
  ///
  /// block    null: the id was never allocated
  std::optional<Error> fault_in_return(const TraceRow& row, const TracedBlock* block) const {
    if (block == nullptr) {
      return refuse("block " + number(row.id) + " is freed and was never allocated");
    }
    if (block->freed_line != 0) {
      return refuse("block " + number(row.id) + " is freed and was freed before, in line " +
                    number(block->freed_line));
    }
    const TraceEvent& born = events_[block->allocated];
    if (born.bytes != row.bytes) {
      return refuse("block " + number(row.id) + " is freed with " + number(row.bytes) +
                    " bytes and was allocated with " + number(born.bytes) + ", in line " +
                    number(born.line));
    }
    if (born.device != row.device) {
      return refuse("block " + number(row.id) + " is freed on device " + number(row.device) +
                    " and was allocated on device " + number(born.device) + ", in line " +
                    number(born.line));
    }
    return std::nullopt;
  }

  std::optional<Error> take_reserved(const TraceRow& row) {
    if (row.bytes > kMax64 - reserved_) {
      return refuse("with these " + number(row.bytes) +
                    " bytes, more bytes would be reserved than 64 bits can count");
    }
    reserved_ += row.bytes;
    peak_reserved_ = std::max(peak_reserved_, reserved_);
    return std::nullopt;
  }

  std::optional<Error> take_unreserved(const TraceRow& row) {
    if (row.bytes > reserved_) {
      return refuse(number(row.bytes) + " bytes go back to the driver, and only " +
                    number(reserved_) + " are reserved");
    }
    reserved_ -= row.bytes;
    return std::nullopt;
  }

  std::optional<Error> take_begin(const TraceRow& row) {
    if (begun_[row.device]) {
      return refuse("the window of device " + number(row.device) + " begins a second time");
    }
    if (begun_.any() && events_.size() != figures_.prologue_events) {
      return refuse("the window of device " + number(row.device) + " begins " +
                    number(events_.size() - figures_.prologue_events) +
                    " events after that of another; all prologues come first");
    }
    begun_[row.device] = true;
    figures_.prologue_events = events_.size();
    return std::nullopt;
  }

  std::optional<Error> take_snapshot(const TraceRow& row) const {
    const std::uint64_t live = live_on_[row.device];
    if (row.bytes != live) {
      return refuse("the snapshot says that " + number(row.bytes) + " bytes are live on device " +
                    number(row.device) + ", and by the rows " + number(live) + " are");
    }
    return std::nullopt;
  }

  void add_event(const TraceRow& row, std::uint32_t block) {
    streams_[row.stream] = true;
    devices_[row.device] = true;
    events_.push_back({.bytes = row.bytes,
                       .t_us = row.t_us,
                       .block = block,
                       .line = static_cast<std::uint32_t>(lines_.line()),
                       .site = row.site,
                       .stream = row.stream,
                       .device = row.device,
                       .op = row.op});
  }

  TraceFigures finished_figures() {
    for (std::size_t stream = 0; stream < streams_.size(); ++stream) {
      if (streams_[stream]) figures_.streams.push_back(static_cast<std::uint16_t>(stream));
    }
    for (std::size_t device = 0; device < devices_.size(); ++device) {
      if (devices_[device]) figures_.devices.push_back(static_cast<std::uint8_t>(device));
    }
    figures_.peak_live = Bytes{peak_live_};
    figures_.final_live = Bytes{live_};
    figures_.recorded_peak_reserved = Bytes{peak_reserved_};
    return std::move(figures_);
  }

  [[nodiscard]] Error refuse(const std::string& sentence) const {
    return {ErrorCode::kBadTrace, lines_.name() + ":" + number(lines_.line()) + ": " + sentence};
  }

  TraceLines lines_;
  TraceLimits limits_;
  BlockTable blocks_;  // dead ones too, to name their end
  std::vector<TraceEvent> events_;
  TraceFigures figures_;
  std::uint64_t now_us_ = 0;
  std::uint64_t live_ = 0;
  std::uint64_t peak_live_ = 0;
  std::uint64_t reserved_ = 0;
  std::uint64_t peak_reserved_ = 0;
  std::array<std::uint64_t, kMaxTraceDevice + 1> live_on_{};
  std::bitset<kMaxTraceDevice + 1> begun_;
  std::bitset<kMaxTraceDevice + 1> devices_;
  std::bitset<kMaxTraceStream + 1> streams_;
};

TraceData::TraceData(std::string path, std::vector<TraceEvent> events, TraceFigures figures)
    : path_(std::move(path)), events_(std::move(events)), figures_(std::move(figures)) {}

Result<TraceData> TraceData::read(const std::string& path, TraceLimits limits) {
  Result<TraceLines> lines = TraceLines::open(path);
  if (!lines) {
    return lines.failure();
  }
  return TraceReader(std::move(lines).value(), limits).read();
}

Result<TraceData> TraceData::read(const std::string& path, std::span<const std::byte> bytes,
                                  TraceLimits limits) {
  return TraceReader(TraceLines::over(path, bytes), limits).read();
}

std::string_view TraceData::name() const {
  std::string_view name = path_;
  name.remove_prefix(name.rfind('/') + 1);  // npos + 1 is 0
  for (const std::string_view ending : {".gz", ".csv"}) {
    if (name.size() > ending.size() && name.ends_with(ending)) {
      name.remove_suffix(ending.size());
    }
  }
  return name;
}

Result<Trace> Trace::read(const std::string& path) {
  Result<TraceData> data = TraceData::read(path);
  if (!data) {
    return data.failure();
  }
  return Trace(std::make_shared<const TraceData>(std::move(data).value()));
}

std::string_view Trace::name() const { return data_->name(); }
std::uint64_t Trace::events() const { return data_->events().size(); }
std::uint64_t Trace::allocations() const { return data_->figures().allocations; }
std::uint32_t Trace::streams() const {
  return static_cast<std::uint32_t>(data_->figures().streams.size());
}
Bytes Trace::peak_live() const { return data_->figures().peak_live; }
Bytes Trace::final_live() const { return data_->figures().final_live; }
Bytes Trace::recorded_peak_reserved() const { return data_->figures().recorded_peak_reserved; }

}  // namespace tenure
