/* What keeps an object, and what is told of its death: references, scopes, roots, pins, weak
 * references, finalizers. */
#include "check.h"

typedef struct Told {
  int deaths;
  int finalized;
  int64_t number;
  tenure_type type;
  tenure_root saved;
  tenure_runtime runtime;
} Told;

static void note_death(tenure_thread thread, void *user) {
  Told *told = user;
  EXPECT_OK(tenure_thread_poll(thread));
  ++told->deaths;
}

/* Does what a finalizer may: reads, allocates, collects, keeps; and what it may not. */
static void finalize(tenure_thread thread, tenure_ref dying, void *user) {
  Told *told = user;
  tenure_ref made;
  tenure_scope scope;
  told->number = *number_of(thread, dying);
  ++told->finalized;
  EXPECT_OK(tenure_allocate(thread, told->type, &made));
  EXPECT_OK(tenure_store(thread, made, 0, dying));
  EXPECT_OK(tenure_scope_open(thread, &scope));
  EXPECT_OK(tenure_root_make(thread, made, &told->saved));
  EXPECT_FAILS(TENURE_BUSY, tenure_thread_detach(thread));
  if (tenure_collect(told->runtime, TENURE_ALL_GENERATIONS, NULL) == TENURE_OK) {
    EXPECT_FAILS(TENURE_BUSY, tenure_runtime_destroy(told->runtime, NULL));
  }
  EXPECT_OK(tenure_thread_go_away(thread)); /* and never comes back: the callback's end does */
}

static tenure_ref make_node(tenure_thread thread, int64_t number) {
  tenure_ref node;
  EXPECT_OK(tenure_allocate(thread, node_type(), &node));
  *number_of(thread, node) = number;
  return node;
}

static void collect(tenure_runtime runtime) {
  EXPECT_OK(tenure_collect(runtime, TENURE_ALL_GENERATIONS, NULL));
}

static void scopes_end_what_was_made_in_them(tenure_runtime runtime, tenure_thread thread) {
  tenure_scope outer, inner;
  tenure_ref before, kept, gone, after;
  before = make_node(thread, 1);
  EXPECT_OK(tenure_scope_open(thread, &outer));
  EXPECT_OK(tenure_scope_open(thread, &inner));
  gone = make_node(thread, 2);
  kept = make_node(thread, 3);
  EXPECT_OK(tenure_ref_release(thread, before)); /* of the scope around: usable again there */
  after = make_node(thread, 4);

  EXPECT_OK(tenure_scope_close(thread, inner, &kept));

  collect(runtime);
  EXPECT(*number_of(thread, kept) == 3);
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_ref_release(thread, gone));
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_ref_release(thread, after));
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_scope_close(thread, inner, NULL));
  EXPECT_OK(tenure_scope_close(thread, outer, NULL));
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_ref_release(thread, kept));
  EXPECT_OK(tenure_verify(runtime));
}

/* What a scope ended is found out, whether its slot is used again or lies past those that are. */
static void ended_references_are_found_out(tenure_runtime runtime, tenure_thread thread) {
  enum { kMade = 4 };
  tenure_scope scope;
  tenure_ref ended[kMade], again[kMade];
  int used, k;
  for (used = 0; used <= kMade; ++used) {
    EXPECT_OK(tenure_scope_open(thread, &scope));
    for (k = 0; k < kMade; ++k) {
      ended[k] = make_node(thread, k);
    }
    EXPECT_OK(tenure_ref_release(thread, ended[1])); /* and its slot ends as a free one */
    EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_ref_release(thread, ended[1]));
    EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_store(thread, ended[0], 0, ended[1]));
    EXPECT_OK(tenure_scope_close(thread, scope, NULL));

    EXPECT_OK(tenure_scope_open(thread, &scope));
    for (k = 0; k < used; ++k) {
      again[k] = make_node(thread, 10 + k);
    }
    for (k = 0; k < kMade; ++k) {
      EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_ref_release(thread, ended[k]));
    }
    collect(runtime);
    for (k = 0; k < used; ++k) {
      EXPECT(*number_of(thread, again[k]) == 10 + k);
    }
    EXPECT_OK(tenure_scope_close(thread, scope, NULL));
  }
  EXPECT_OK(tenure_verify(runtime));
}

/* Slots are copied when they are too few; a collection rewrites them where they are then. */
static void many_references_are_many_slots(tenure_runtime runtime, tenure_thread thread) {
  enum { kMany = 5000 };
  static tenure_ref held[kMany];
  tenure_scope scope;
  int k;
  EXPECT_OK(tenure_scope_open(thread, &scope));
  for (k = 0; k < kMany; ++k) {
    held[k] = make_node(thread, k);
  }
  for (k = 0; k < kMany; k += 2) {
    EXPECT_OK(tenure_ref_release(thread, held[k]));
    held[k] = make_node(thread, k);
  }
  EXPECT_OK(tenure_collect(runtime, 0, NULL));
  EXPECT_OK(tenure_collect(runtime, TENURE_ALL_GENERATIONS, NULL));
  for (k = 0; k < kMany; ++k) {
    EXPECT(*number_of(thread, held[k]) == k);
  }
  EXPECT_OK(tenure_scope_close(thread, scope, NULL));
}

static void roots_and_pins(tenure_runtime runtime, tenure_thread thread) {
  tenure_root root;
  tenure_pin pin;
  tenure_ref node, got;
  void *pinned = NULL, *data = NULL;
  int k;
  node = make_node(thread, 5);
  EXPECT_OK(tenure_root_make(thread, node, &root));
  EXPECT_OK(tenure_ref_release(thread, node));
  collect(runtime);
  EXPECT_OK(tenure_root_get(thread, root, &got));
  EXPECT(*number_of(thread, got) == 5);
  EXPECT(statistics_of(runtime).roots == 1);
  EXPECT_OK(tenure_root_drop(root));
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_root_drop(root));
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_root_get(thread, root, &got));

  EXPECT_OK(tenure_ref_release(thread, got));
  node = make_node(thread, 6);
  EXPECT_OK(tenure_pin_make(thread, node, &pin, &pinned));
  for (k = 0; k < 5; ++k) {
    EXPECT_OK(tenure_compact(runtime, NULL));
    EXPECT_OK(tenure_data(thread, node, &data, NULL));
    EXPECT(data == pinned);
  }
  EXPECT_OK(tenure_ref_release(thread, node));
  collect(runtime);
  EXPECT(*(int64_t *)pinned == 6);
  EXPECT_OK(tenure_pin_drop(pin));
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_pin_drop(pin));
}

static void weak_references_are_told(tenure_runtime runtime, tenure_thread thread) {
  Told told = {0};
  tenure_weak weak, silent;
  tenure_ref node = make_node(thread, 7), got;
  EXPECT_OK(tenure_weak_make(thread, node, note_death, &told, &weak));
  EXPECT_OK(tenure_weak_make(thread, node, NULL, NULL, &silent));
  collect(runtime);
  EXPECT_OK(tenure_weak_get(thread, weak, &got));
  EXPECT(*number_of(thread, got) == 7);

  EXPECT_OK(tenure_ref_release(thread, node));
  EXPECT_OK(tenure_ref_release(thread, got));
  collect(runtime);
  EXPECT_OK(tenure_thread_poll(thread));

  EXPECT(told.deaths == 1);
  EXPECT_OK(tenure_weak_get(thread, weak, &got));
  EXPECT(got.bits == 0);
  EXPECT_OK(tenure_weak_drop(weak));
  EXPECT_OK(tenure_weak_drop(silent));
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_weak_drop(silent));
}

static void finalizers_run_once(tenure_runtime runtime, tenure_thread thread) {
  Told told = {0};
  tenure_ref node = make_node(thread, 8), got;
  uint64_t ran = 0;
  uint32_t removed = 2;
  told.type = node_type();
  told.runtime = runtime;
  EXPECT_OK(tenure_finalizer_set(thread, node, finalize, &told));
  EXPECT_OK(tenure_ref_release(thread, node));
  collect(runtime);

  EXPECT_OK(tenure_finalizers_run(thread, &ran));

  EXPECT(ran == 1 && told.finalized == 1 && told.number == 8);
  EXPECT_OK(tenure_root_get(thread, told.saved, &got)); /* brought back, through what it made */
  EXPECT_OK(tenure_load(thread, got, 0, &node));
  EXPECT(*number_of(thread, node) == 8);
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_finalizer_set(thread, node, finalize, &told));
  EXPECT_OK(tenure_root_drop(told.saved));

  EXPECT_OK(tenure_finalizer_set(thread, got, finalize, &told));
  EXPECT_OK(tenure_finalizer_remove(thread, got, &removed));
  EXPECT(removed == 1);
  EXPECT_OK(tenure_finalizer_remove(thread, got, &removed));
  EXPECT(removed == 0);
}

static void finalizers_run_when_the_runtime_ends(void) {
  Told told = {0};
  const tenure_runtime runtime = open_runtime(NULL);
  const tenure_thread thread = attach_to(runtime);
  tenure_close_report report;
  tenure_root root;
  tenure_ref node = make_node(thread, 9);
  report.size = sizeof report;
  told.type = node_type();
  told.runtime = runtime;
  EXPECT_OK(tenure_finalizer_set(thread, node, finalize, &told));
  EXPECT_OK(tenure_root_make(thread, node, &root));
  EXPECT_OK(tenure_thread_detach(thread));

  EXPECT_OK(tenure_runtime_destroy(runtime, &report));

  EXPECT(told.finalized == 1 && told.number == 9 && report.finalizers_run == 1);
  EXPECT(report.handles_outstanding == 2); /* ours, and the finalizer's */
  EXPECT_OK(tenure_root_drop(root));
  EXPECT_OK(tenure_root_drop(told.saved));
}

int main(void) {
  const tenure_runtime runtime = open_runtime("nursery=1MiB");
  const tenure_thread thread = attach_to(runtime);
  scopes_end_what_was_made_in_them(runtime, thread);
  ended_references_are_found_out(runtime, thread);
  many_references_are_many_slots(runtime, thread);
  roots_and_pins(runtime, thread);
  weak_references_are_told(runtime, thread);
  finalizers_run_once(runtime, thread);
  EXPECT_OK(tenure_verify(runtime));
  EXPECT_OK(tenure_runtime_destroy(runtime, NULL)); /* takes our attachment with it */
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_thread_poll(thread));
  finalizers_run_when_the_runtime_ends();
  puts("keeping: all as expected");
  return 0;
}
