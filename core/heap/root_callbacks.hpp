// The roots that programs keep in tables of their own: each callback is asked once in a collection,
// and its answer is kept as places here, so that a walk over roots never calls a user.
//
// Invariant: between collections an answer names objects that live, where they are. A slot is
// written only in the collection that it was named in, and only where its object moved.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/heap/pins.hpp"
#include "core/model/region.hpp"
#include "tenure/object.hpp"
#include "tenure/root_callback.hpp"

namespace tenure {

namespace detail {

/// What one callback named.
class RootAnswer {
 public:
  RootAnswer(const RegionRow* regions, HeapId heap) : regions_(regions), heap_(heap) {}

  void name(ObjectIndex object, void* slot, RootForm form);

  /// Calls `visit(ObjectIndex&)` for each, and rewrites the slots of those that moved.
  template <class Visit>
  void for_each(Visit& visit) {
    for (Named& named : named_) {
      const ObjectIndex before = named.object;
      visit(named.object);
      if (named.object != before) {
        rewrite(named);
      }
    }
  }

  /// Calls `look(object)` for each.
  template <class Look>
  void for_each_object(Look look) const {
    for (const Named& named : named_) {
      look(named.object);
    }
  }

  /// Keeps the objects alone: their slots are not written any more.
  void forget_slots();

 private:
  struct Named {
    ObjectIndex object = ObjectIndex::kNull;
    void* slot = nullptr;
    RootForm form = RootForm::kIndex;
  };
  static void rewrite(const Named& named);

  const RegionRow* regions_;
  HeapId heap_;
  std::vector<Named> named_;
};

}  // namespace detail

/// How the asking went.
struct RootsAsked {
  std::uint64_t failures = 0;  // callbacks that threw
  std::string failure;         // what the last of them said
};

/// threads  stopped world, or while no stop can begin
class RootCallbacks {
 public:
  RootCallbacks(const RegionRow* regions, HeapId heap, PinTable& pins)
      : regions_(regions), heap_(heap), pins_(pins) {}
  RootCallbacks(const RootCallbacks&) = delete;
  RootCallbacks& operator=(const RootCallbacks&) = delete;
  ~RootCallbacks();

  [[nodiscard]] RootCallbackId add(RootCallback callback, std::string name = {});
  /// False where there is no such callback.
  bool remove(RootCallbackId id);

  /// Calls each once. Stopped world, before pins are settled.
  RootsAsked ask();

  template <class Visit>
  void for_each(Visit visit) {
    for (Row& row : rows_) {
      row.answer.for_each(visit);
      row.partial.for_each(visit);
    }
  }

  /// Calls `look(object, id, name)` for each object that a callback named.
  template <class Look>
  void for_each_named(Look look) const {
    for (const Row& row : rows_) {
      const auto of_row = [&](ObjectIndex object) { look(object, row.id, row.name); };
      row.answer.for_each_object(of_row);
      row.partial.for_each_object(of_row);
    }
  }

  [[nodiscard]] std::uint64_t count() const { return rows_.size(); }

 private:
  struct Row {
    RootCallbackId id{};
    std::string name;  // for reports
    RootCallback callback;
    detail::RootAnswer answer;          // the last one in full
    detail::RootAnswer partial;         // what it named since, before it threw
    std::vector<detail::PinRow*> pins;  // of both, while it throws
  };
  void ask(Row& row);
  void hold(Row& row);
  void release(Row& row);

  const RegionRow* regions_;
  HeapId heap_;
  PinTable& pins_;  // of the same roots
  std::vector<Row> rows_;
  std::uint64_t last_id_ = 0;
};

}  // namespace tenure
