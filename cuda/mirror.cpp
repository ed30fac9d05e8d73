#include "cuda/mirror.hpp"

#include <algorithm>
#include <bit>
#include <iterator>

#include "core/base/bitmap.hpp"
#include "core/model/mark_law.hpp"
#include "cuda/done.hpp"
#include "cuda/mirror_sizes.hpp"

namespace tenure {

namespace {

// Cells and single objects of a run are as its head is.
const RegionRow& head_of(const RegionRow* rows, std::uint32_t region) {
  const RegionRow& row = rows[region];
  return row.kind == RegionKind::kLargeTail ? rows[region - row.link] : row;
}

}  // namespace

Result<std::unique_ptr<Mirror>> Mirror::open(int device, Team& team) {
  std::unique_ptr<Mirror> mirror(new Mirror(team));
  if (Result<void> opened = mirror->open_parts(device); !opened) {
    return opened.failure();
  }
  return mirror;
}

Result<void> Mirror::open_parts(int device) {
  // Why the lowest priority: what the application computes goes first.
  int least = 0;
  int greatest = 0;
  if (Result<void> asked = done(cudaDeviceGetStreamPriorityRange(&least, &greatest),
                                "cudaDeviceGetStreamPriorityRange");
      !asked) {
    return asked;
  }
  if (Result<void> made = done(cudaStreamCreateWithPriority(&stream_, cudaStreamNonBlocking, least),
                               "cudaStreamCreateWithPriority");
      !made) {
    stream_ = nullptr;
    return made;
  }
  // Source: CUDA C++ Programming Guide, "Unified Memory", systems with hardware coherency.
  int shares = 0;
  if (Result<void> asked =
          done(cudaDeviceGetAttribute(&shares, cudaDevAttrPageableMemoryAccessUsesHostPageTables,
                                      device),
               "cudaDeviceGetAttribute");
      !asked) {
    return asked;
  }
  shares_memory_ = shares != 0;
  if (!shares_memory_) {
    Result<std::unique_ptr<MirrorRange>> words = MirrorRange::open(device);
    if (!words) {
      return words.failure();
    }
    words_ = *std::move(words);
  }
  Result<std::unique_ptr<Staging>> staging = Staging::open();
  if (!staging) {
    return staging.failure();
  }
  staging_ = *std::move(staging);
  sent_.assign(kRegions / kBitsPerWord, 0);
  return {};
}

Mirror::~Mirror() {
  if (stream_ != nullptr) {
    static_cast<void>(take_error(cudaStreamSynchronize(stream_), "cudaStreamSynchronize"));
    static_cast<void>(take_error(cudaStreamDestroy(stream_), "cudaStreamDestroy"));
  }
}

Bytes Mirror::device_bytes() const {
  const Bytes mapped = shares_memory_ ? Bytes{} : words_->mapped();
  return mapped + marks_.size() + regions_.size() + blocks_.size() + types_.size() + roots_.size() +
         workspace_.size();
}

Result<void> Mirror::update(const MarkJob& job) {
  note(job, Covers::kMarked);
  // A marking that was given up may have left work that uses what is about to grow.
  Result<void> going = done(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
  if (going) {
    going = make_room();
  }
  if (going) {
    going = send_tables(job);
  }
  if (going) {
    going = send_cards();
  }
  if (going && !shares_memory_) {
    going = send_regions(job.heap);
  }
  if (going && marks_.data() != nullptr) {
    going = done(cudaMemsetAsync(marks_.data(), 0, parts_.size() * kMarkBytesPerRegion, stream_),
                 "cudaMemsetAsync");
  }
  return going;
}

void Mirror::note(const MarkJob& job) { note(job, Covers::kOld); }

void Mirror::note(const MarkJob& job, Covers covers) {
  if (original_ != job.heap.words || heap_.view.heap != job.heap.heap || !job.written) {
    std::fill(sent_.begin(), sent_.end(), 0u);
  }
  original_ = job.heap.words;
  heap_.view.heap = job.heap.heap;
  type_count_ = job.types;
  survey(job, covers);
  next_region_ = 0;
  has_room_ = false;
  if (shares_memory_) {
    return;  // nothing is ever sent
  }
  const auto is_whole = [this](std::uint32_t card) {  // its region is sent, so the card with it
    return !test_bit(sent_.data(), card / kCardsPerRegion);
  };
  std::erase_if(due_, is_whole);
  const bool had_some = !due_.empty();
  if (job.written) {
    std::copy_if(job.written->begin(), job.written->end(), std::back_inserter(due_),
                 [&](std::uint32_t card) { return !is_whole(card); });
  }
  if (had_some) {  // a round that was given up
    std::sort(due_.begin(), due_.end());
    due_.erase(std::unique(due_.begin(), due_.end()), due_.end());
  }
}

Bytes Mirror::due() const {
  if (shares_memory_) {
    return {};
  }
  std::uint64_t bytes = due_.size() * kStagedCard;
  for (std::uint32_t region = next_region_; region < parts_.size(); ++region) {
    if (parts_[region] == Part::kReferences && !test_bit(sent_.data(), region)) {
      bytes += kRegionBytes;
    }
  }
  return Bytes{bytes};
}

Result<bool> Mirror::send_some() {
  if (!has_room_) {
    Result<void> going = done(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
    if (going) {
      going = make_room_for_tables();
    }
    if (!going) {
      return going.failure();
    }
    has_room_ = true;
    return false;
  }
  if (!due_.empty()) {
    const std::size_t count = std::min<std::size_t>(due_.size(), kRegionBytes / kCardBytes);
    if (Result<void> sent = send_cards_beside(std::span(due_).last(count)); !sent) {
      return sent.failure();
    }
    due_.resize(due_.size() - count);
    return false;
  }
  const auto end = static_cast<std::uint32_t>(parts_.size());
  while (next_region_ < end &&
         (parts_[next_region_] != Part::kReferences || test_bit(sent_.data(), next_region_))) {
    ++next_region_;
  }
  if (next_region_ == end) {
    return true;
  }
  if (Result<void> sent = send_region_beside(next_region_); !sent) {
    return sent.failure();
  }
  ++next_region_;
  return false;
}

// Which regions the marking covers. What a region held that is not covered, or is a leaf now, is
// forgotten: cards written there are not followed.
//
// covers   kOld: no marking has begun yet, and it will cover the oldest generation
void Mirror::survey(const MarkJob& job, Covers covers) {
  parts_.assign(job.regions, Part::kNone);
  std::uint32_t end = 0;
  for (std::uint32_t region = 0; region < job.regions; ++region) {
    const RegionRow& head = head_of(job.heap.regions, region);
    const bool is_covered = covers == Covers::kMarked ? (head.flags & RegionRow::kMarking) != 0
                                                      : head.kind == RegionKind::kBlocks ||
                                                            head.kind == RegionKind::kLargeHead;
    if (head.heap != job.heap.heap || !is_covered) {
      continue;
    }
    end = region + 1;
    const bool is_tail = job.heap.regions[region].kind == RegionKind::kLargeTail;
    parts_[region] = head.leaf == 0 ? Part::kReferences : is_tail ? Part::kTail : Part::kLeaf;
  }
  parts_.resize(end);
  for (std::uint32_t word = 0; word < sent_.size(); ++word) {
    for (std::uint32_t bits = sent_[word]; bits != 0; bits &= bits - 1) {
      const std::uint32_t region =
          word * kBitsPerWord + static_cast<std::uint32_t>(std::countr_zero(bits));
      if (region >= end || parts_[region] != Part::kReferences) {
        clear_bit(sent_.data(), region);
      }
    }
  }
}

Result<void> Mirror::make_room() {
  for (const Run& run : runs_of(
           [&](auto region) { return !shares_memory_ && parts_[region] == Part::kReferences; })) {
    if (Result<void> mapped = words_->map_regions(run.first, run.count); !mapped) {
      return mapped;
    }
  }
  return make_room_for_tables();
}

Result<void> Mirror::make_room_for_tables() {
  const auto copied = std::count(parts_.begin(), parts_.end(), Part::kReferences);
  const std::uint32_t entries =
      kernels::MarkWorkspace::entries_for(static_cast<std::uint64_t>(copied) * kRegionBytes);
  const std::uint64_t regions = parts_.size();
  Result<void> room = marks_.make_room(Bytes{regions * kMarkBytesPerRegion});
  const auto next = [&room](DeviceBlock& block, std::uint64_t bytes) {
    if (room) {
      room = block.make_room(Bytes{bytes});
    }
  };
  next(regions_, regions * sizeof(RegionRow));
  next(blocks_, regions * kBlockRowsPerRegion);
  next(types_, std::uint64_t{type_count_} * sizeof(TypeRow));
  next(workspace_, kernels::MarkWorkspace::bytes_for(entries));
  heap_ = {
      .view = {.words = shares_memory_ ? original_
                                       : reinterpret_cast<const std::uint32_t*>(words_->base()),
               .types = reinterpret_cast<const TypeRow*>(types_.data()),
               .regions = reinterpret_cast<const RegionRow*>(regions_.data()),
               .blocks = reinterpret_cast<const BlockRow*>(blocks_.data()),
               .marks = reinterpret_cast<std::uint32_t*>(marks_.data()),
               .heap = heap_.view.heap},
      .regions = static_cast<std::uint32_t>(regions),
      .types = type_count_};
  queue_entries_ = entries;
  return room;
}

kernels::MarkLaunch Mirror::launch() const {
  return {.heap = heap_,
          .roots = reinterpret_cast<const ObjectIndex*>(roots_.data()),
          .root_count = root_count_,
          .workspace = {.memory = workspace_.data(), .queue_entries = queue_entries_},
          .tuning = {}};
}

}  // namespace tenure
