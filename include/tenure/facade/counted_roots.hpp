// Lasting roots that are counted, for doors whose users add and remove them by the object.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "tenure/make.hpp"
#include "tenure/mutator.hpp"
#include "tenure/roots.hpp"
#include "tenure/weak_map.hpp"

namespace tenure {

/// Keeps each object until it was removed as often as it was added.
///
/// cost     a look-up by identity; 16 bytes of the heap for each object that is kept
/// threads  one at a time, with a mutator of the runtime that it was made for; ending: anyone
class CountedRoots {
 public:
  explicit CountedRoots(Mutator& mutator) : places_(mutator) {}

  /// object   not null
  /// errors   throws Failure: kOutOfMemory
  void add(Mutator& mutator, ObjectIndex object) {
    const Local<Kept> key(mutator.core(), object);
    if (const Local<Place> place = places_.find(mutator, key); place) {
      ++rows_[place->row].count;
      return;
    }
    if (free_.empty()) {
      rows_.emplace_back();
      free_.push_back(rows_.size() - 1);
    }
    const std::uint64_t row = free_.back();
    const Local<Place> place = make<Place>(mutator, row);
    places_.set(key, place);
    rows_[row] = {.object = Handle<Kept>(key), .count = 1};
    free_.pop_back();
  }

  /// returns  false where the object is no root of these
  bool remove(Mutator& mutator, ObjectIndex object) {
    const Local<Kept> key(mutator.core(), object);
    const Local<Place> place = places_.find(mutator, key);
    if (!place) {
      return false;
    }
    Row& row = rows_[place->row];
    if (--row.count == 0) {
      free_.push_back(place->row);
      places_.erase(key);
      row.object.reset();
    }
    return true;
  }

  /// Objects that are kept.
  [[nodiscard]] std::uint64_t size() const { return rows_.size() - free_.size(); }

 private:
  struct Kept {};
  struct Place {
    std::uint64_t row;
  };
  struct Row {
    Handle<Kept> object;
    std::uint64_t count = 0;
  };

  WeakMap<Kept, Place> places_;  // an object's row
  std::vector<Row> rows_;
  std::vector<std::uint64_t> free_;  // rows without an object
};

}  // namespace tenure
