// What a mirror sends and brings home.
#include <algorithm>
#include <cstring>

#include "core/base/bitmap.hpp"
#include "cuda/copy_beside_mutators.hpp"
#include "cuda/done.hpp"
#include "cuda/mirror.hpp"
#include "cuda/mirror_sizes.hpp"

namespace tenure {

namespace {

// Less than this is copied sooner by the caller alone than by members that have to wake first.
constexpr std::uint64_t kWorthTheTeam = 512u << 10;

}  // namespace

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

Result<void> Mirror::send_cards() {
  constexpr std::size_t kMost = Staging::kBufferSize.count() / kStagedCard;
  const std::span<const std::uint32_t> all = due_;
  for (std::size_t first = 0; first < all.size(); first += kMost) {
    const auto some = all.subspan(first, std::min(kMost, all.size() - first));
    if (Result<void> sent = send_some_cards(some, [&](std::byte* to) { gather_by_team(to, some); });
        !sent) {
      return sent;
    }
  }
  due_.clear();
  return {};
}

Result<void> Mirror::send_cards_beside(std::span<const std::uint32_t> cards) {
  const Result<void> sent = send_some_cards(cards, [&](std::byte* to) {
    for (std::size_t k = 0; k < cards.size(); ++k) {
      copy_beside_mutators(to + k * kCardBytes, word_at(std::uint64_t{cards[k]} * kCardBytes),
                           kCardBytes);
    }
  });
  traffic_.beside += Bytes{cards.size() * kStagedCard};
  return sent;
}

// Why the kernel reads the staging across the link: it is locked, and a card is four lines of it.
template <class Gather>
Result<void> Mirror::send_some_cards(std::span<const std::uint32_t> cards, Gather gather) {
  const Result<std::byte*> buffer = staging_->next();
  if (!buffer) {
    return buffer.failure();
  }
  std::byte* const numbers = *buffer + cards.size() * kCardBytes;
  gather(*buffer);
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

void Mirror::gather_by_team(std::byte* to, std::span<const std::uint32_t> cards) {
  const auto gather = [&](std::size_t first, std::size_t end) {
    for (std::size_t k = first; k < end; ++k) {
      std::memcpy(to + k * kCardBytes, word_at(std::uint64_t{cards[k]} * kCardBytes), kCardBytes);
    }
  };
  if (cards.size() * kCardBytes < kWorthTheTeam) {
    gather(0, cards.size());
    return;
  }
  const std::size_t share = (cards.size() + team_.size() - 1) / team_.size();
  team_.run([&](std::uint32_t member) {
    gather(std::min(member * share, cards.size()), std::min((member + 1) * share, cards.size()));
  });
}

Result<void> Mirror::send_region_beside(std::uint32_t region) {
  const std::uint64_t offset = region * kRegionBytes;
  if (Result<void> mapped = words_->map_regions(region, 1); !mapped) {
    return mapped;
  }
  const Result<std::byte*> buffer = staging_->next();
  if (!buffer) {
    return buffer.failure();
  }
  copy_beside_mutators(*buffer, word_at(offset), kRegionBytes);
  Result<void> sent = done(cudaMemcpyAsync(words_->base() + offset, *buffer, kRegionBytes,
                                           cudaMemcpyHostToDevice, stream_),
                           "cudaMemcpyAsync");
  if (sent) {
    sent = staging_->in_use(stream_);
  }
  if (sent) {
    set_bit(sent_.data(), region);
    traffic_.bulk += Bytes{kRegionBytes};
    traffic_.beside += Bytes{kRegionBytes};
  }
  return sent;
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

std::vector<Mirror::Piece> Mirror::pieces_home(std::uint64_t most) const {
  std::vector<Piece> pieces;
  for (const Run& run : runs_of([&](std::uint32_t region) {
         return parts_[region] == Part::kReferences || parts_[region] == Part::kLeaf;
       })) {
    const std::uint64_t end = (run.first + run.count) * kMarkBytesPerRegion;
    for (std::uint64_t at = run.first * kMarkBytesPerRegion; at < end; at += most) {
      pieces.push_back({at, std::min(most, end - at)});
    }
  }
  return pieces;
}

Result<bool> Mirror::bring_some_bits_home(const HeapView& heap, std::uint64_t& next_bits) {
  constexpr std::uint64_t kMost = 128u << 10;  // of a bitmap: for 16 MiB of heap
  const std::vector<Piece> pieces = pieces_home(kMost);
  const auto next = std::find_if(pieces.begin(), pieces.end(),
                                 [&](const Piece& piece) { return piece.offset >= next_bits; });
  if (next == pieces.end()) {
    return true;
  }
  const Result<std::byte*> buffer = staging_->next();
  if (!buffer) {
    return buffer.failure();
  }
  Result<void> going = done(cudaMemcpyAsync(*buffer, marks_.data() + next->offset, next->bytes,
                                            cudaMemcpyDeviceToHost, stream_),
                            "cudaMemcpyAsync");
  if (going) {
    going = staging_->in_use(stream_);
  }
  const Result<std::byte*> there = going ? staging_->wait_for(0) : going.failure();
  if (!there) {
    return there.failure();
  }
  std::memcpy(reinterpret_cast<std::byte*>(heap.marks) + next->offset, *there, next->bytes);
  traffic_.home += Bytes{next->bytes};
  next_bits = next->offset + next->bytes;
  return std::next(next) == pieces.end();
}

Result<void> Mirror::bring_bits_home(const HeapView& heap) {
  const std::vector<Piece> pieces = pieces_home(Staging::kBufferSize.count());
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
