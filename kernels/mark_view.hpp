// A marking as its kernels see it: the job, and the workspace cut into its parts.
//
// What goes over levels is written once, for any view of a graph: one with the members that MarkView has
// beside its heap and its table, and for which are defined, as mark_heap.cuh does for the heap,
//
//   open(view, object) -> Opened         the object's references
//   target_at(view, from, k)             the k-th, from where `open` said; null for none
//   code_of(view, target)                RegionCode
//   marks_of(view), bit_of(view, object), object_of_bit(view, bit)
//   region_of(view, object)              whose overflow bit stands for it, and kBitsPerRegion bits
//
// Invariant: plain data, passed by value; made by the launch functions from pointers they do not
// follow.
#pragma once

#include <cstdint>

#include "core/model/mark_law.hpp"
#include "kernels/mark_job.hpp"

namespace tenure::kernels {

/// What comes next, announced by one block to all. Nobody reads a counter that another block may be
/// resetting already: they read this after a barrier, and it is not written before the next one.
struct Step {
  std::uint32_t size = 0;     // objects of the frontier
  std::uint32_t which = 0;    // the queue they lie in
  std::uint32_t pending = 0;  // regions to be read again
  std::uint32_t big = 0;      // objects set aside by the level, which the grid has yet to finish
  std::uint32_t narrow = 0;   // levels that one block walked alone, in a row
};

/// The start of the workspace.
struct Control {
  MarkCounters counters;       // first: the host copies them from here
  std::uint32_t size[2] = {};  // what each queue was given; more than it holds, where it overflowed
  std::uint32_t which = 0;     // the frontier's queue, between launches
  std::uint32_t pending = 0;   // overflow bits set
  std::uint32_t big = 0;       // tickets for the list of big objects
  std::uint32_t wide = 0;      // of them, entries from the front: one block reads each
  std::uint32_t huge = 0;      // entries from the back: the whole grid reads each
  Step step[2];                // in turns
  std::uint32_t slots = 0;     // of the table, that a contraction uses
  std::uint32_t sum = 0;       // of what threads of the grid add
  std::uint32_t agreed = 0;    // that sum, announced
};
static_assert(sizeof(Control) <= MarkWorkspace::kControlBytes);

/// An object's references, ready to be read.
struct Opened {
  std::uint32_t count = 0;
  std::uint32_t from = 0;  // where they lie, as the view means it
};

/// Mark bits of what one overflow bit stands for.
inline constexpr std::uint32_t kBitsPerRegion = kGranulesPerRegion / kGranulesPerMark;

struct MarkView {
  static constexpr bool kContracts = true;  // `contract` is there for it

  HeapView heap;
  std::uint32_t regions;
  std::uint32_t types;
  std::uint32_t queue_entries;
  std::uint32_t table_regions;  // with slots in the table
  std::uint32_t big_entries;
  MarkTuning tuning;
  Control* control;
  std::uint32_t* codes;     // [kCodeWords] RegionCode, 16 a word
  std::uint32_t* overflow;  // [kOverflowWords] regions with marked objects that nobody queued
  std::uint32_t* ranks;   // [kCodeWords] regions with references before those of each word of codes
  std::uint32_t* places;  // [table_regions + 1] those regions, by their ranks
  std::uint32_t* big;     // [big_entries] objects
  std::uint32_t* queue_0;  // [queue_entries] objects
  std::uint32_t* queue_1;  // [queue_entries] objects
  std::uint32_t* up;       // [table_slots] what objects hang on; its start is queue_1
};

/// What an edge needs to know of its target's region: two bits, so that the table of a whole cage
/// is 32 KiB and stays in the cache next to the lanes.
enum RegionCode : std::uint32_t { kCovered = 1, kLeaf = 2 };
inline constexpr std::uint32_t kCodesPerWord = 16;

[[nodiscard]] inline MarkView view_of(const MarkLaunch& launch) {
  MarkView view{};
  view.heap = launch.heap.view;
  view.regions = launch.heap.regions;
  view.types = launch.heap.types;
  view.queue_entries = launch.workspace.queue_entries;
  view.big_entries = MarkWorkspace::big_entries(view.queue_entries);
  view.tuning = launch.tuning;
  view.control = reinterpret_cast<Control*>(launch.workspace.memory);
  view.codes =
      reinterpret_cast<std::uint32_t*>(launch.workspace.memory + MarkWorkspace::kControlBytes);
  view.overflow = view.codes + MarkWorkspace::kCodeWords;
  view.ranks = view.overflow + MarkWorkspace::kOverflowWords;
  view.places = view.ranks + MarkWorkspace::kCodeWords;
  view.table_regions = MarkWorkspace::table_regions(view.queue_entries) - 1;
  view.big = view.places + view.table_regions + 1;
  view.queue_0 = view.big + view.big_entries;
  view.queue_1 = view.queue_0 + view.queue_entries;
  view.up = view.queue_1;
  return view;
}

}  // namespace tenure::kernels
