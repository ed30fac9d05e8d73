// Spans of 64 KiB, the unit in which marked objects wait to be read: which spans hold objects that
// are marked and unread, and which of their marked objects have been read.
//
//   mark bits of a span     [ 64 bits | 64 bits | 64 bits | ... ]     64 groups, of 1 KiB of heap each
//   read bits of a span     [ 64 bits | 64 bits | 64 bits | ... ]     grey: marked, and not read
//   its word of grey groups [ bit 0     bit 1     bit 2     ... ]     0: the span is in no queue
//
// Invariant: a grey object's group is in its span's word, and a span whose word is not 0 is in one
// queue, or held open by one reader. So a span waits once, however many objects of it do.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <vector>

#include "core/base/check.hpp"
#include "core/model/mark_law.hpp"
#include "core/model/region.hpp"
#include "tenure/object.hpp"

namespace tenure {

inline constexpr std::uint32_t kGranulesPerSpan = 4 * kGranulesPerBlock;
inline constexpr std::uint32_t kSpansPerRegion = kGranulesPerRegion / kGranulesPerSpan;
inline constexpr std::uint32_t kSpans = kRegions * kSpansPerRegion;
inline constexpr std::uint32_t kMarksPerGroup = 64;
inline constexpr std::uint32_t kGroupsPerSpan =
    kGranulesPerSpan / kGranulesPerMark / kMarksPerGroup;
static_assert(kGroupsPerSpan == 64, "the groups of a span are the bits of one word");

/// None of a heap's objects lies in it: region 0 is never used.
inline constexpr std::uint32_t kNoSpan = 0;

[[nodiscard]] constexpr std::uint32_t span_of(ObjectIndex object) {
  return static_cast<std::uint32_t>(object) / kGranulesPerSpan;
}
[[nodiscard]] constexpr std::uint32_t group_of(ObjectIndex object) {
  return mark_bit(object) / kMarksPerGroup % kGroupsPerSpan;
}
[[nodiscard]] constexpr std::uint32_t first_mark_of(std::uint32_t span, std::uint32_t group) {
  return span * (kGranulesPerSpan / kGranulesPerMark) + group * kMarksPerGroup;
}

/// Who else works at the heap while a marker does.
enum class Beside : std::uint8_t {
  kNobody,    // the world is stopped, and one thread marks
  kMutators,  // one thread marks; others store references, and set no mark
  kMarkers,   // several threads mark; others store references
};

/// The spans of one marker.
///
/// cost     8 bytes a span, and during a marking 1/128 of the regions whose objects are read;
///          addresses for the rest
/// threads  `clear`: one; all others: one, or with kMarkers its members
template <Beside kBeside>
class SpanTable {
 public:
  SpanTable() : grey_groups_(allot<std::uint64_t>(kSpans)), read_(allot<Region*>(kRegions)) {}

  /// Forgets what was read, and frees the memory for it. Nothing is grey.
  void clear();

  /// Says that groups of a span hold grey objects. True where none did: the span is then the
  /// caller's, to queue it.
  [[nodiscard]] bool add_grey(std::uint32_t span, std::uint64_t groups);

  /// The groups of a span that hold grey objects. The span is in no queue from here on.
  [[nodiscard]] std::uint64_t take_grey(std::uint32_t span);

  /// The grey objects of a group, a bit each; they are the caller's, and count as read.
  ///
  /// marks   of the heap
  [[nodiscard]] std::uint64_t take_objects(std::uint32_t* marks, std::uint32_t span,
                                           std::uint32_t group);

  /// Fetches what the next two calls will read, ahead of time.
  void prefetch(const std::uint32_t* marks, std::uint32_t span) const;

 private:
  struct Region {
    std::uint64_t read[kSpansPerRegion][kGroupsPerSpan] = {};
  };
  struct Free {
    void operator()(void* block) const { std::free(block); }
  };
  template <class T>
  using Array = std::unique_ptr<T[], Free>;

  // Why calloc: these are addresses for the whole cage, and memory for what is touched.
  template <class T>
  static Array<T> allot(std::size_t count) {
    auto* const block = static_cast<T*>(std::calloc(count, sizeof(T)));
    check(block != nullptr, "no addresses for a marker's tables");
    return Array<T>(block);
  }
  [[nodiscard]] Region& region(std::uint32_t number);
  Region& add_region(std::uint32_t number);

  static constexpr bool kShared = kBeside == Beside::kMarkers;
  static constexpr std::size_t kRegionsPerChunk = 64;

  Array<std::uint64_t> grey_groups_;  // [kSpans]
  Array<Region*> read_;               // [kRegions] null: none of its objects was ever read
  std::mutex mutex_;
  std::vector<std::unique_ptr<Region[]>> chunks_;  // guarded by mutex_
  std::vector<std::uint32_t> numbers_;             // regions in the chunks; guarded by mutex_
};

template <Beside kBeside>
bool SpanTable<kBeside>::add_grey(std::uint32_t span, std::uint64_t groups) {
  std::uint64_t& word = grey_groups_[span];
  if constexpr (kShared) {
    const std::atomic_ref shared(word);
    // Why seq_cst, here, in take_grey and take_objects: the object was marked before. Who cleared the
    // group meanwhile reads the marks after clearing it; one of the two sees the other.
    if ((shared.load(std::memory_order_seq_cst) & groups) == groups) {
      return false;
    }
    return shared.fetch_or(groups, std::memory_order_seq_cst) == 0;
  }
  const std::uint64_t before = word;
  word = before | groups;
  return before == 0;
}

template <Beside kBeside>
std::uint64_t SpanTable<kBeside>::take_grey(std::uint32_t span) {
  std::uint64_t& word = grey_groups_[span];
  if constexpr (kShared) {
    return std::atomic_ref(word).exchange(0, std::memory_order_seq_cst);
  }
  const std::uint64_t groups = word;
  word = 0;
  return groups;
}

template <Beside kBeside>
std::uint64_t SpanTable<kBeside>::take_objects(std::uint32_t* marks, std::uint32_t span,
                                               std::uint32_t group) {
  std::uint32_t* const words = marks + first_mark_of(span, group) / 32;
  const auto load = [](std::uint32_t& word) -> std::uint64_t {
    if constexpr (kShared) {
      return std::atomic_ref(word).load(std::memory_order_seq_cst);
    }
    return word;
  };
  const std::uint64_t marked = load(words[0]) | load(words[1]) << 32;
  std::uint64_t& read = region(span / kSpansPerRegion).read[span % kSpansPerRegion][group];
  if constexpr (kShared) {
    // Why an exchange: a span may be queued again, and opened by another, while one still reads it.
    const std::atomic_ref shared(read);
    const std::uint64_t grey = marked & ~shared.load(std::memory_order_relaxed);
    return grey & ~shared.fetch_or(grey, std::memory_order_relaxed);
  }
  const std::uint64_t grey = marked & ~read;
  read |= grey;
  return grey;
}

template <Beside kBeside>
void SpanTable<kBeside>::prefetch(const std::uint32_t* marks, std::uint32_t span) const {
  constexpr std::uint32_t kGroupsPerLine = 8;
  const Region* region = nullptr;
  std::uint64_t groups = 0;
  if constexpr (kShared) {
    region = std::atomic_ref(read_[span / kSpansPerRegion]).load(std::memory_order_acquire);
    groups = std::atomic_ref(grey_groups_[span]).load(std::memory_order_relaxed);
  } else {
    region = read_[span / kSpansPerRegion];
    groups = grey_groups_[span];
  }
  for (std::uint32_t group = 0; groups != 0; group += kGroupsPerLine, groups >>= kGroupsPerLine) {
    if ((groups & ((1u << kGroupsPerLine) - 1)) != 0) {
      __builtin_prefetch(marks + first_mark_of(span, group) / 32);
      if (region != nullptr) {
        __builtin_prefetch(&region->read[span % kSpansPerRegion][group], 1);
      }
    }
  }
}

template <Beside kBeside>
typename SpanTable<kBeside>::Region& SpanTable<kBeside>::region(std::uint32_t number) {
  Region* found = nullptr;
  if constexpr (kShared) {
    found = std::atomic_ref(read_[number]).load(std::memory_order_acquire);
  } else {
    found = read_[number];
  }
  return found != nullptr ? *found : add_region(number);
}

}  // namespace tenure
