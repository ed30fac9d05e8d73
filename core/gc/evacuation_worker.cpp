#include "core/gc/evacuation_worker.hpp"

#include <algorithm>
#include <cstring>
#include <span>

#include "core/gc/header_access.hpp"
#include "core/heap/object_access.hpp"
#include "core/model/mark_law.hpp"

namespace tenure {

namespace {

// References of one object that are read at a time; the rest waits where others can take it.
constexpr std::uint32_t kPiece = 1024;

// Room for copies whose targets are being fetched.
constexpr std::uint32_t kAhead = Heap::kMostCopiesAhead;

// Targets of one copy that are fetched ahead of its reading; of more, as it is read.
constexpr std::uint32_t kFetched = 8;

// Targets of one card that are fetched before the card is visited; of more, as they are. Why few: a
// card may name 128, and several such cards would fill the cache.
constexpr std::uint32_t kFetchedOfCard = 4;

template <std::size_t kGranules>
inline void copy_granules(std::byte* to, const std::byte* from) {
  std::memcpy(to, from, kGranules * kGranuleBytes);
}

// Copies a first and a last half that may overlap: one branch for several sizes.
template <std::size_t kGranules>
inline void copy_halves(std::byte* to, const std::byte* from, std::size_t bytes) {
  copy_granules<kGranules>(to, from);
  const std::size_t last = bytes - kGranules * kGranuleBytes;
  copy_granules<kGranules>(to + last, from + last);
}

// Copies what stands behind the header. Why by halves: a loop of words is a mispredicted branch an
// object, and memcpy a call and three; most objects are small.
inline void copy_data(ObjectIndex object, ObjectIndex copy, std::uint32_t granules) {
  const std::byte* const from = detail::data_of(object);
  std::byte* const to = detail::data_of(copy);
  const std::uint32_t count = granules - 1;
  const std::size_t bytes = std::size_t{count} * kGranuleBytes;
  if (count == 1) {
    copy_granules<1>(to, from);
  } else if (count <= 4) {
    copy_halves<2>(to, from, bytes);
  } else if (count <= 8) {
    copy_halves<4>(to, from, bytes);
  } else if (count <= 16) {
    copy_halves<8>(to, from, bytes);
  } else {
    std::memcpy(to, from, bytes);
  }
}

// Where an object is that another worker claimed first.
ObjectIndex settled(ObjectIndex object) {
  const ObjectHeader header = Together::load(object);
  return header.has(ObjectFlag::kForwarded) ? object_on(header.size) : object;
}

}  // namespace

EvacuationPlan::EvacuationPlan(Heap& of, Promotion to)
    : heap(of),
      regions(of.cage().regions()),
      types(TypeTable::instance().rows()),
      promotion(to),
      oldest(of.oldest()),
      is_marking(of.is_marking()),
      ahead(of.copies_ahead()) {
  const bool all = promotion == Promotion::kAllToOldest;
  for (std::uint32_t generation = 0; generation < oldest; ++generation) {
    age_limits[generation] = all ? 0 : of.promotion_age(generation);
    goes_to[generation] = all ? oldest : generation + 1;
  }
}

// The next few copies to be read, oldest first.
class EvacuationWorker::Ahead {
 public:
  explicit Ahead(std::uint32_t most) : most_(most) {}

  [[nodiscard]] bool is_full() const { return count_ == most_; }
  [[nodiscard]] bool is_empty() const { return count_ == 0; }
  void put(const Unread& piece) { places_[(first_ + count_++) % kAhead] = piece; }
  [[nodiscard]] Unread take() {
    const Unread& piece = places_[first_];
    first_ = (first_ + 1) % kAhead;
    --count_;
    return piece;
  }

 private:
  std::array<Unread, kAhead> places_;
  std::uint32_t first_ = 0;
  std::uint32_t count_ = 0;
  std::uint32_t most_;
};

template <class Access>
inline ObjectIndex EvacuationWorker::survive(ObjectIndex object) {
  const ObjectHeader header = Access::load(object);
  if (header.has(ObjectFlag::kForwarded)) {
    return object_on(header.size);
  }
  constexpr std::uint32_t kFixed = static_cast<std::uint32_t>(ObjectFlag::kStays) |
                                   static_cast<std::uint32_t>(ObjectFlag::kPinned);
  if ((header.meta & kFixed) != 0) [[unlikely]] {
    return stay<Access>(object, header);
  }
  const std::uint32_t granules = header.size;
  const std::uint32_t references =
      reference_count(plan_.types[static_cast<std::uint32_t>(header.type())], granules);
  const Content content = references == 0 ? Content::kLeaves : Content::kReferences;
  const std::uint32_t generation = generation_of(object);
  const std::uint32_t age = header.age() + 1;
  const bool goes_up = age >= plan_.age_limits[generation];
  const std::uint32_t target = goes_up ? plan_.goes_to[generation] : generation;
  const ObjectIndex copy = take(target, granules, content);
  if (copy == ObjectIndex::kNull) [[unlikely]] {
    return target == plan_.oldest ? stay<Access>(object, header)
                                  : go_early<Access>(object, header, references, goes_up);
  }
  return move_to<Access>({object, header, references, generation}, copy, target, goes_up ? 0 : age);
}

// Copies an object to room that was taken for it, unless another worker did first.
template <class Access>
inline ObjectIndex EvacuationWorker::move_to(const Survivor& of, ObjectIndex copy,
                                             std::uint32_t target, std::uint32_t age) {
  const std::uint32_t granules = of.header.size;
  const ObjectHeader forwarded{of.header.meta | static_cast<std::uint32_t>(ObjectFlag::kForwarded),
                               granule_of(copy)};
  if (!Access::claim(of.object, of.header, forwarded)) [[unlikely]] {
    untake(copy, target, granules, of.references == 0 ? Content::kLeaves : Content::kReferences);
    return settled(of.object);
  }
  copy_data(of.object, copy, granules);
  detail::header_of(copy) = {ObjectHeader::with_age(of.header.meta, age), granules};
  moved_[of.generation][of.header.age()] += (std::uint64_t{1} << kObjectShift) + granules;
  granules_moved_ += granules;
  if (of.references > 0) {
    stack_.push_back({copy, 0, of.references});
  }
  if (plan_.is_marking && target == plan_.oldest) [[unlikely]] {
    promoted_.push_back(copy);
  }
  return copy;
}

// Where there is no region for survivors any more there may still be cells of the oldest generation: an
// object that goes there ahead of its age holds no region back.
template <class Access>
[[gnu::noinline]] ObjectIndex EvacuationWorker::go_early(ObjectIndex object, ObjectHeader header,
                                                         std::uint32_t references, bool goes_up) {
  const Content content = references == 0 ? Content::kLeaves : Content::kReferences;
  const ObjectIndex room = plan_.heap.take_promoted(cells_, header.size, content);
  if (room == ObjectIndex::kNull) {
    return stay<Access>(object, header);
  }
  const std::uint32_t generation = generation_of(object);
  const ObjectIndex place =
      move_to<Access>({object, header, references, generation}, room, plan_.oldest, 0);
  if (place == room) {
    Early& early = early_[generation];
    ++early.objects;
    early.objects_below_age += goes_up ? 0 : 1;
    early.granules_below_age += goes_up ? 0 : header.size;
  }
  return place;
}

// Why a flag of its own: a header that says "forwarded" would lose its size, and the region must be
// walked.
template <class Access>
[[gnu::noinline]] ObjectIndex EvacuationWorker::stay(ObjectIndex object, ObjectHeader header) {
  if (header.has(ObjectFlag::kStays)) {
    return object;
  }
  const ObjectHeader stays{header.meta | static_cast<std::uint32_t>(ObjectFlag::kStays),
                           header.size};
  if (!Access::claim(object, header, stays)) {
    return settled(object);
  }
  ++objects_held_;
  if (held_.empty() || held_.back() != region_of(object)) {
    held_.push_back(region_of(object));
  }
  const TypeRow& type = plan_.types[static_cast<std::uint32_t>(header.type())];
  stack_.push_back({object, 0, reference_count(type, header.size)});
  return object;
}

inline ObjectIndex EvacuationWorker::take(std::uint32_t generation, std::uint32_t granules,
                                          Content content) {
  return generation == plan_.oldest
             ? plan_.heap.take_promoted(cells_, granules, content)
             : plan_.heap.young().take_for_survivor(rooms_[generation], generation, granules);
}

void EvacuationWorker::untake(ObjectIndex copy, std::uint32_t generation, std::uint32_t granules,
                              Content content) {
  if (generation == plan_.oldest) {
    plan_.heap.untake_promoted(cells_, copy, granules, content);
  } else {
    rooms_[generation].next -= granules;
  }
}

template <class Access>
inline void EvacuationWorker::visit_here(ObjectIndex& slot) {
  if (is_condemned(slot)) {
    slot = survive<Access>(slot);
  }
}

template <class Access>
void EvacuationWorker::visit(ObjectIndex& slot) {
  visit_here<Access>(slot);
}

template <class Access>
void EvacuationWorker::visit(const CardSlots& card) {
  std::array<ObjectIndex*, CardSlots::kSlots> slots;
  std::size_t count = 0;
  card.for_each_moving([&](ObjectIndex& slot) { slots[count++] = &slot; });
  for (std::size_t k = kFetchedOfCard; k < std::min<std::size_t>(count, kAhead); ++k) {
    fetch(*slots[k]);
  }
  const std::uint32_t own = plan_.regions[card.card / kCardsPerRegion].generation;
  bool keeps = card.has_younger;
  for (std::size_t k = 0; k < count; ++k) {
    if (k + kAhead < count) {
      fetch(*slots[k + kAhead]);
    }
    visit<Access>(*slots[k]);
    keeps |= generation_of(*slots[k]) < own;
  }
  if (keeps) {
    remember<Access>(card.card);
  }
}

template <class Access>
void EvacuationWorker::remember(std::uint32_t card) {
  if constexpr (Access::kShared) {
    if (plan_.heap.cards().remembered().claim(card)) {
      remembered_.push_back(card);
    }
  } else {
    plan_.heap.cards().remembered().add(card);
  }
}

inline void EvacuationWorker::fetch(ObjectIndex target) const {
  if (is_condemned(target)) {
    const std::byte* const header = detail::address_of(target);
    __builtin_prefetch(header);
    // What is copied with it may begin the next line.
    constexpr std::uint32_t kSoonCopied = 2 * kGranuleBytes;
    __builtin_prefetch(header + kSoonCopied);
  }
}

void EvacuationWorker::fetch(const CardSlots& card) const {
  std::uint32_t fetched = 0;
  card.for_each_moving([&](ObjectIndex slot) {
    if (fetched++ < kFetchedOfCard) {
      fetch(slot);
    }
  });
}

// Takes a piece of the newest copy, and fetches what it names.
inline Unread EvacuationWorker::look_ahead() {
  Unread unread = stack_.back();
  if (unread.end - unread.first > kPiece) [[unlikely]] {
    stack_.back().first += kPiece;
    unread.end = unread.first + kPiece;
  } else {
    stack_.pop_back();
  }
  const ObjectIndex* const slots = slots_of(unread.object);
  const std::uint32_t fetched = std::min(unread.end, unread.first + kFetched);
  for (std::uint32_t k = unread.first; k < fetched; ++k) {
    fetch(slots[k]);
  }
  return unread;
}

template <class Access>
inline void EvacuationWorker::read(const Unread& piece) {
  const std::uint32_t own = generation_of(piece.object);
  ObjectIndex* const slots = slots_of(piece.object);
  for (std::uint32_t k = piece.first; k < piece.end; ++k) {
    if (k + kFetched < piece.end) [[unlikely]] {
      fetch(slots[k + kFetched]);
    }
    visit_here<Access>(slots[k]);
    if (own > 0 && slots[k] != ObjectIndex::kNull && generation_of(slots[k]) < own) {
      remember<Access>(card_of(granule_of(piece.object) + 1 + k / 2));
    }
  }
}

template <class Access, class MayGoOn>
void EvacuationWorker::drain(MayGoOn may_go_on) {
  Ahead ahead(plan_.ahead);
  while (may_go_on()) {
    while (!stack_.empty() && !ahead.is_full()) {
      ahead.put(look_ahead());
    }
    if (ahead.is_empty()) {
      return;
    }
    read<Access>(ahead.take());
  }
  while (!ahead.is_empty()) {
    read<Access>(ahead.take());
  }
}

void EvacuationWorker::drain_alone(std::uint64_t limit) {
  drain<Alone>([this, limit] { return granules_moved() < limit; });
}

void EvacuationWorker::drain_together(Worklists<Unread>& lists, std::uint32_t member) {
  do {
    drain<Together>([&] {
      lists.share(member, stack_);
      return true;
    });
  } while (lists.take(member, stack_));
}

void EvacuationWorker::hand_over(Worklists<Unread>& lists, std::uint32_t member) {
  for (std::size_t at = 0; at < stack_.size(); at += Worklists<Unread>::kChunk) {
    const std::size_t count = std::min(stack_.size() - at, Worklists<Unread>::kChunk);
    lists.offer(member, std::span<const Unread>(stack_.data() + at, count));
  }
  stack_.clear();
}

void EvacuationWorker::finish(EvacuationStats& stats) {
  plan_.heap.old().flush(cells_);
  for (std::uint32_t generation = 0; generation < plan_.oldest; ++generation) {
    plan_.heap.young().close(rooms_[generation], generation);
  }
  for (const std::uint32_t region : held_) {
    plan_.heap.young().hold_back(region);
  }
  plan_.heap.cards().remembered().list(remembered_);
  stats.promoted_while_marking.insert(stats.promoted_while_marking.end(), promoted_.begin(),
                                      promoted_.end());
  for (std::uint32_t generation = 0; generation < plan_.oldest; ++generation) {
    for (std::uint32_t age = 0; age <= kAgeLimit; ++age) {
      constexpr std::uint64_t kGranules = (std::uint64_t{1} << kObjectShift) - 1;
      const std::uint64_t granules = moved_[generation][age] & kGranules;
      const std::uint64_t objects = moved_[generation][age] >> kObjectShift;
      const bool went_up = age + 1 >= plan_.age_limits[generation];
      stats.survivors[generation][age] += granules;
      (went_up ? stats.objects_promoted : stats.objects_copied) += objects;
      stats.promoted_from[generation] += went_up ? objects : 0;
      stats.bytes_promoted_from[generation] += Bytes{went_up ? granules * kGranuleBytes : 0};
      (went_up ? stats.bytes_promoted : stats.bytes_copied) += Bytes{granules * kGranuleBytes};
    }
  }
  stats.objects_held += objects_held_;
  for (std::uint32_t generation = 0; generation < plan_.oldest; ++generation) {
    const Early& early = early_[generation];
    const Bytes bytes{early.granules_below_age * kGranuleBytes};
    stats.promoted_early[generation] += early.objects;
    stats.objects_copied -= early.objects_below_age;
    stats.objects_promoted += early.objects_below_age;
    stats.promoted_from[generation] += early.objects_below_age;
    stats.bytes_copied -= bytes;
    stats.bytes_promoted += bytes;
    stats.bytes_promoted_from[generation] += bytes;
  }
}

template void EvacuationWorker::visit<Alone>(ObjectIndex&);
template void EvacuationWorker::visit<Together>(ObjectIndex&);
template void EvacuationWorker::visit<Alone>(const CardSlots&);
template void EvacuationWorker::visit<Together>(const CardSlots&);

}  // namespace tenure
