/* Root callbacks from C: a table of the program's own, whose objects live, and whose slots follow them. */
#include "check.h"

enum { kTable = 64 };

typedef struct table {
  void* places[kTable];
  int asked;
  tenure_runtime runtime;
  tenure_thread thread;
} table;

static void name_all(tenure_root_visitor* visitor, void* user) {
  table* of = user;
  int k;
  ++of->asked;
  for (k = 0; k < kTable; ++k) {
    tenure_visit(visitor, &of->places[k]);
  }
}

static int64_t number_at(table* of, int k) {
  tenure_ref object;
  int64_t number;
  EXPECT_OK(tenure_ref_at(of->thread, of->places[k], &object));
  number = *number_of(of->thread, object);
  EXPECT_OK(tenure_ref_release(of->thread, object));
  return number;
}

static void fill(table* of) {
  tenure_scope scope;
  tenure_ref node;
  int k;
  EXPECT_OK(tenure_scope_open(of->thread, &scope));
  for (k = 0; k < kTable; k += 2) { /* every other slot is empty */
    EXPECT_OK(tenure_allocate(of->thread, node_type(), &node));
    *number_of(of->thread, node) = k;
    EXPECT_OK(tenure_place(of->thread, node, &of->places[k]));
  }
  EXPECT_OK(tenure_scope_close(of->thread, scope, NULL));
}

static void what_is_named_lives_and_its_place_is_rewritten(table* of) {
  void* before[kTable];
  tenure_hook hook;
  int moved = 0, round, k;
  EXPECT_OK(tenure_add_root_callback(of->runtime, name_all, of, &hook));
  fill(of);
  memcpy(before, of->places, sizeof before);
  for (round = 0; round < 6; ++round) {
    EXPECT_OK(tenure_collect(of->runtime, (uint32_t)round % 3, NULL));
    for (k = 0; k < kTable; k += 2) {
      EXPECT(number_at(of, k) == k);
    }
  }
  for (k = 0; k < kTable; ++k) {
    moved += before[k] != of->places[k];
    EXPECT(k % 2 == 0 || of->places[k] == NULL);
  }
  EXPECT(moved == kTable / 2);
  EXPECT(of->asked == 6);
  EXPECT_OK(tenure_hook_remove(hook));
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_hook_remove(hook));
  EXPECT_OK(tenure_collect(of->runtime, 0, NULL));
  EXPECT(of->asked == 6);
}

static void count_objects(table* of, uint64_t expected) {
  tenure_collection report;
  memset(&report, 0, sizeof report);
  report.size = sizeof report;
  EXPECT_OK(tenure_collect(of->runtime, TENURE_ALL_GENERATIONS, &report));
  EXPECT(report.objects_marked == expected);
}

static void what_is_not_named_dies(table* of) {
  tenure_hook hook;
  EXPECT_OK(tenure_add_root_callback(of->runtime, name_all, of, &hook));
  fill(of);
  count_objects(of, kTable / 2);
  of->places[0] = NULL;
  count_objects(of, kTable / 2 - 1);
  EXPECT_OK(tenure_hook_remove(hook));
  count_objects(of, 0);
}

static void collect_within(tenure_root_visitor* visitor, void* user) {
  table* of = user;
  tenure_hook hook;
  tenure_ref node;
  (void)visitor;
  ++of->asked;
  EXPECT_FAILS(TENURE_BUSY, tenure_collect(of->runtime, 0, NULL));
  EXPECT_FAILS(TENURE_BUSY, tenure_add_root_callback(of->runtime, name_all, of, &hook));
  EXPECT(tenure_allocate(of->thread, node_type(), &node) != TENURE_OK);
}

static void a_callback_calls_nothing_but_its_visitor(table* of) {
  tenure_hook hook;
  of->asked = 0;
  EXPECT_OK(tenure_add_root_callback(of->runtime, collect_within, of, &hook));
  EXPECT_OK(tenure_collect(of->runtime, 0, NULL));
  EXPECT(of->asked == 1);
  EXPECT_OK(tenure_hook_remove(hook));
}

static void misuse_is_refused(table* of) {
  tenure_hook hook;
  tenure_ref object;
  void* place;
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_add_root_callback(of->runtime, NULL, of, &hook));
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_add_root_callback(of->runtime, name_all, of, NULL));
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_ref_at(of->thread, of, &object));
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_ref_at(of->thread, NULL, NULL));
  EXPECT_OK(tenure_ref_at(of->thread, NULL, &object));
  EXPECT(object.bits == 0);
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_place(of->thread, object, &place));
}

int main(void) {
  table of;
  tenure_hook left;
  memset(&of, 0, sizeof of);
  of.runtime = open_runtime("device=sim:64MiB,nursery=1MiB,verify=on");
  of.thread = attach_to(of.runtime);
  what_is_named_lives_and_its_place_is_rewritten(&of);
  memset(of.places, 0, sizeof of.places);
  what_is_not_named_dies(&of);
  memset(of.places, 0, sizeof of.places);
  a_callback_calls_nothing_but_its_visitor(&of);
  misuse_is_refused(&of);
  EXPECT_OK(tenure_add_root_callback(of.runtime, name_all, &of, &left));
  EXPECT_OK(tenure_thread_detach(of.thread));
  EXPECT_OK(tenure_runtime_destroy(of.runtime, NULL));
  EXPECT_OK(tenure_hook_remove(left)); /* it ended with its runtime */
  puts("roots: all as expected");
  return 0;
}
