#include "cuda/mirror.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/base/bitmap.hpp"
#include "core/model/mark_law.hpp"
#include "cuda/done.hpp"

namespace tenure {

namespace {

constexpr std::uint64_t kRegionBytes = std::uint64_t{kGranulesPerRegion} * kGranuleBytes;
constexpr std::uint64_t kMarkBytesPerRegion = kGranulesPerRegion / kGranulesPerMark / 8;
constexpr std::uint64_t kBlockRowsPerRegion = kBlocksPerRegion * sizeof(BlockRow);
constexpr std::uint64_t kStagedCard = kCardBytes + sizeof(std::uint32_t);

// Less than this is copied sooner by the caller alone than by members that have to wake first.
constexpr std::uint64_t kWorthTheTeam = 512u << 10;

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
  Result<std::unique_ptr<MirrorRange>> words = MirrorRange::open(device);
  if (!words) {
    return words.failure();
  }
  words_ = *std::move(words);
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
  return words_->mapped() + marks_.size() + regions_.size() + blocks_.size() + types_.size() +
         roots_.size() + workspace_.size();
}

Result<void> Mirror::update(const MarkJob& job) {
  traffic_ = {};
  if (original_ != job.heap.words || heap_.view.heap != job.heap.heap || !job.written) {
    std::fill(sent_.begin(), sent_.end(), 0u);
  }
  original_ = job.heap.words;
  survey(job);
  // A marking that was given up may have left work that uses what is about to grow.
  Result<void> going = done(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
  if (going) {
    going = make_room(job);
  }
  if (going) {
    going = send_tables(job);
  }
  if (going && job.written) {
    going = send_cards(job.heap, *job.written);
  }
  if (going) {
    going = send_regions(job.heap);
  }
  if (going && marks_.data() != nullptr) {
    going = done(cudaMemsetAsync(marks_.data(), 0, parts_.size() * kMarkBytesPerRegion, stream_),
                 "cudaMemsetAsync");
  }
  return going;
}

// Which regions the marking covers. What a region held that is not covered, or is a leaf now, is
// forgotten: cards written there are not followed.
void Mirror::survey(const MarkJob& job) {
  parts_.assign(job.regions, Part::kNone);
  std::uint32_t end = 0;
  for (std::uint32_t region = 0; region < job.regions; ++region) {
    const RegionRow& head = head_of(job.heap.regions, region);
    if (head.heap != job.heap.heap || (head.flags & RegionRow::kMarking) == 0) {
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

template <class Wanted>
std::vector<Mirror::Run> Mirror::runs_of(Wanted wanted) const {
  std::vector<Run> runs;
  const auto end = static_cast<std::uint32_t>(parts_.size());
  for (std::uint32_t region = 0; region < end; ++region) {
    if (!wanted(region)) {
      continue;
    }
    if (!runs.empty() && runs.back().first + runs.back().count == region) {
      ++runs.back().count;
    } else {
      runs.push_back({region, 1});
    }
  }
  return runs;
}

Result<void> Mirror::make_room(const MarkJob& job) {
  std::uint64_t words = 0;
  for (const Run& run : runs_of([&](auto region) { return parts_[region] == Part::kReferences; })) {
    words += run.count * kRegionBytes;
    if (Result<void> mapped = words_->map_regions(run.first, run.count); !mapped) {
      return mapped;
    }
  }
  const std::uint32_t entries = kernels::MarkWorkspace::entries_for(words);
  const std::uint64_t regions = parts_.size();
  Result<void> room = marks_.make_room(Bytes{regions * kMarkBytesPerRegion});
  const auto next = [&room](DeviceBlock& block, std::uint64_t bytes) {
    if (room) {
      room = block.make_room(Bytes{bytes});
    }
  };
  next(regions_, regions * sizeof(RegionRow));
  next(blocks_, regions * kBlockRowsPerRegion);
  next(types_, std::uint64_t{job.types} * sizeof(TypeRow));
  next(workspace_, kernels::MarkWorkspace::bytes_for(entries));
  heap_ = {.view = {.words = reinterpret_cast<const std::uint32_t*>(words_->base()),
                    .types = reinterpret_cast<const TypeRow*>(types_.data()),
                    .regions = reinterpret_cast<const RegionRow*>(regions_.data()),
                    .blocks = reinterpret_cast<const BlockRow*>(blocks_.data()),
                    .marks = reinterpret_cast<std::uint32_t*>(marks_.data()),
                    .heap = job.heap.heap},
           .regions = static_cast<std::uint32_t>(regions)};
  queue_entries_ = entries;
  return room;
}

Result<void> Mirror::send_tables(const MarkJob& job) {
  Result<void> sent =
      send(regions_.data(), job.heap.regions, parts_.size() * sizeof(RegionRow), traffic_.tables);
  if (sent) {
    sent =
        send(blocks_.data(), job.heap.blocks, parts_.size() * kBlockRowsPerRegion, traffic_.tables);
  }
  if (sent) {
    sent = send(types_.data(), job.heap.types, std::uint64_t{job.types} * sizeof(TypeRow),
                traffic_.tables);
  }
  return sent;
}

Result<void> Mirror::send_regions(const HeapView& heap) {
  const auto is_due = [&](std::uint32_t region) {
    return parts_[region] == Part::kReferences && !test_bit(sent_.data(), region);
  };
  for (const Run& run : runs_of(is_due)) {
    const std::uint64_t offset = run.first * kRegionBytes;
    if (Result<void> sent =
            send(words_->base() + offset, reinterpret_cast<const std::byte*>(heap.words) + offset,
                 run.count * kRegionBytes, traffic_.bulk);
        !sent) {
      return sent;
    }
    for (std::uint32_t region = run.first; region < run.first + run.count; ++region) {
      set_bit(sent_.data(), region);
    }
  }
  return {};
}

Result<void> Mirror::send_cards(const HeapView& heap, std::span<const std::uint32_t> cards) {
  constexpr std::size_t kMost = Staging::kBufferSize.count() / kStagedCard;
  std::vector<std::uint32_t> due;
  for (const std::uint32_t card : cards) {
    if (test_bit(sent_.data(), card / kCardsPerRegion)) {  // else its region is sent whole
      due.push_back(card);
    }
  }
  const std::span<const std::uint32_t> all = due;
  for (std::size_t first = 0; first < all.size(); first += kMost) {
    if (Result<void> sent =
            send_some_cards(heap, all.subspan(first, std::min(kMost, all.size() - first)));
        !sent) {
      return sent;
    }
  }
  return {};
}

// Why the kernel reads the staging across the link: it is locked, and a card is four lines of it.
Result<void> Mirror::send_some_cards(const HeapView& heap, std::span<const std::uint32_t> cards) {
  const Result<std::byte*> buffer = staging_->next();
  if (!buffer) {
    return buffer.failure();
  }
  std::byte* const numbers = *buffer + cards.size() * kCardBytes;
  const auto* const words = reinterpret_cast<const std::byte*>(heap.words);
  const auto gather = [&](std::size_t first, std::size_t end) {
    for (std::size_t k = first; k < end; ++k) {
      std::memcpy(*buffer + k * kCardBytes, words + std::uint64_t{cards[k]} * kCardBytes,
                  kCardBytes);
    }
  };
  if (cards.size() * kCardBytes < kWorthTheTeam) {
    gather(0, cards.size());
  } else {
    const std::size_t share = (cards.size() + team_.size() - 1) / team_.size();
    team_.run([&](std::uint32_t member) {
      gather(std::min(member * share, cards.size()), std::min((member + 1) * share, cards.size()));
    });
  }
  std::memcpy(numbers, cards.data(), cards.size_bytes());
  traffic_.cards += Bytes{cards.size() * kStagedCard};
  Result<void> sent =
      done(kernels::launch_apply_cards(stream_, reinterpret_cast<std::uint32_t*>(words_->base()),
                                       reinterpret_cast<const std::uint32_t*>(*buffer),
                                       reinterpret_cast<const std::uint32_t*>(numbers),
                                       static_cast<std::uint32_t>(cards.size())),
           "launch_apply_cards");
  return sent ? staging_->in_use(stream_) : sent;
}

Result<void> Mirror::send(std::byte* to, const void* from, std::uint64_t bytes, Bytes& counted) {
  const auto* const source = static_cast<const std::byte*>(from);
  for (std::uint64_t at = 0; at < bytes; at += Staging::kBufferSize.count()) {
    const std::uint64_t piece = std::min(Staging::kBufferSize.count(), bytes - at);
    const Result<std::byte*> buffer = staging_->next();
    if (!buffer) {
      return buffer.failure();
    }
    copy_by_team(*buffer, source + at, piece);
    Result<void> sent =
        done(cudaMemcpyAsync(to + at, *buffer, piece, cudaMemcpyHostToDevice, stream_),
             "cudaMemcpyAsync");
    if (sent) {
      sent = staging_->in_use(stream_);
    }
    if (!sent) {
      return sent;
    }
    counted += Bytes{piece};
  }
  return {};
}

void Mirror::copy_by_team(std::byte* to, const std::byte* from, std::uint64_t bytes) {
  if (bytes < kWorthTheTeam || team_.size() == 1) {
    std::memcpy(to, from, bytes);
    return;
  }
  const std::uint64_t share = (bytes + team_.size() - 1) / team_.size();
  team_.run([&](std::uint32_t member) {
    const std::uint64_t first = std::min(member * share, bytes);
    std::memcpy(to + first, from + first, std::min(share, bytes - first));
  });
}

Result<void> Mirror::send_roots(std::span<const ObjectIndex> roots) {
  Result<void> sent;
  if (Bytes{roots.size_bytes()} > roots_.size()) {  // the old block is freed: nobody may read it
    sent = done(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
  }
  if (sent) {
    sent = roots_.make_room(Bytes{std::max<std::uint64_t>(roots.size_bytes(), kCardBytes)});
  }
  if (sent) {
    sent = send(roots_.data(), roots.data(), roots.size_bytes(), traffic_.roots);
  }
  root_count_ = static_cast<std::uint32_t>(roots.size());
  return sent;
}

kernels::MarkLaunch Mirror::launch() const {
  return {.heap = heap_,
          .roots = reinterpret_cast<const ObjectIndex*>(roots_.data()),
          .root_count = root_count_,
          .workspace = {.memory = workspace_.data(), .queue_entries = queue_entries_},
          .tuning = {}};
}

Result<kernels::MarkCounters> Mirror::counters() {
  const Result<std::byte*> buffer = staging_->next();
  if (!buffer) {
    return buffer.failure();
  }
  kernels::MarkCounters counters;
  Result<void> going = done(cudaMemcpyAsync(*buffer, workspace_.data(), sizeof(counters),
                                            cudaMemcpyDeviceToHost, stream_),
                            "cudaMemcpyAsync");
  if (going) {
    going = done(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
  }
  if (!going) {
    return going.failure();
  }
  traffic_.home += Bytes{sizeof(counters)};
  std::memcpy(&counters, *buffer, sizeof(counters));
  return counters;
}

Result<void> Mirror::bring_bits_home(const HeapView& heap) {
  struct Piece {
    std::uint64_t offset;  // bytes from the bitmap's start
    std::uint64_t bytes;
  };
  std::vector<Piece> pieces;
  for (const Run& run : runs_of([&](std::uint32_t region) {
         return parts_[region] == Part::kReferences || parts_[region] == Part::kLeaf;
       })) {
    const std::uint64_t end = (run.first + run.count) * kMarkBytesPerRegion;
    for (std::uint64_t at = run.first * kMarkBytesPerRegion; at < end;
         at += Staging::kBufferSize.count()) {
      pieces.push_back({at, std::min(Staging::kBufferSize.count(), end - at)});
    }
  }
  auto* const bits = reinterpret_cast<std::byte*>(heap.marks);
  // Pieces under way at a time: a buffer each.
  for (std::size_t k = 0; k < pieces.size() + Staging::kBuffers - 1; ++k) {
    if (k < pieces.size()) {
      const Result<std::byte*> buffer = staging_->next();
      Result<void> going = buffer ? Result<void>{} : buffer.failure();
      if (going) {
        going = done(cudaMemcpyAsync(*buffer, marks_.data() + pieces[k].offset, pieces[k].bytes,
                                     cudaMemcpyDeviceToHost, stream_),
                     "cudaMemcpyAsync");
      }
      if (going) {
        going = staging_->in_use(stream_);
      }
      if (!going) {
        return going;
      }
      traffic_.home += Bytes{pieces[k].bytes};
    }
    if (k + 1 >= Staging::kBuffers) {
      const std::size_t place = k + 1 - Staging::kBuffers;
      if (place >= pieces.size()) {
        break;
      }
      const std::size_t newest = std::min(k, pieces.size() - 1);
      const Result<std::byte*> buffer = staging_->wait_for(newest - place);
      if (!buffer) {
        return buffer.failure();
      }
      copy_by_team(bits + pieces[place].offset, *buffer, pieces[place].bytes);
    }
  }
  return {};
}

}  // namespace tenure
