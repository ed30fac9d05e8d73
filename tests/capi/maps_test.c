/* Weak maps from C: a value lives as long as its key, and no key because of the map. */
#include "check.h"

enum { kEntries = 1000 };

static tenure_ref make_node(tenure_thread thread, int64_t number) {
  tenure_ref node;
  EXPECT_OK(tenure_allocate(thread, node_type(), &node));
  *number_of(thread, node) = number;
  return node;
}

static void collect(tenure_runtime runtime) {
  EXPECT_OK(tenure_collect(runtime, TENURE_ALL_GENERATIONS, NULL));
}

static uint64_t size_of(tenure_thread thread, tenure_map map) {
  uint64_t entries = 99;
  EXPECT_OK(tenure_map_size(thread, map, &entries));
  return entries;
}

static void values_live_as_long_as_their_keys(tenure_runtime runtime, tenure_thread thread) {
  static tenure_ref keys[kEntries];
  tenure_scope scope;
  tenure_map map;
  tenure_ref value;
  uint32_t has = 9;
  int k;
  EXPECT_OK(tenure_map_make(thread, &map));
  for (k = 0; k < kEntries; ++k) {
    keys[k] = make_node(thread, k);
    EXPECT_OK(tenure_scope_open(thread, &scope));
    value = make_node(thread, 1000 + k);
    EXPECT_OK(tenure_store(thread, value, 0, keys[k])); /* back to its key, which it does not keep */
    EXPECT_OK(tenure_map_set(thread, map, keys[k], value));
    EXPECT_OK(tenure_scope_close(thread, scope, NULL));
  }
  collect(runtime);
  EXPECT_OK(tenure_collect(runtime, 0, NULL));
  EXPECT(size_of(thread, map) == kEntries);
  for (k = 0; k < kEntries; ++k) {
    EXPECT_OK(tenure_map_get(thread, map, keys[k], &value, &has));
    EXPECT(has == 1 && *number_of(thread, value) == 1000 + k);
    EXPECT_OK(tenure_ref_release(thread, value));
    if (k % 10 != 0) {
      EXPECT_OK(tenure_ref_release(thread, keys[k]));
    }
  }

  collect(runtime);

  EXPECT(size_of(thread, map) == kEntries / 10);
  EXPECT_OK(tenure_map_get(thread, map, keys[990], &value, NULL));
  EXPECT(*number_of(thread, value) == 1990);
  EXPECT_OK(tenure_map_drop(map));
  EXPECT_OK(tenure_verify(runtime));
}

static void entries_are_replaced_and_erased(tenure_thread thread) {
  const tenure_ref key = make_node(thread, 1), null = {0};
  tenure_map map;
  tenure_ref value;
  uint32_t has = 9, erased = 9;
  EXPECT_OK(tenure_map_make(thread, &map));
  EXPECT_OK(tenure_map_get(thread, map, key, &value, &has));
  EXPECT(has == 0 && value.bits == 0);
  EXPECT_OK(tenure_map_set(thread, map, key, make_node(thread, 2)));
  EXPECT_OK(tenure_map_set(thread, map, key, make_node(thread, 3)));
  EXPECT_OK(tenure_map_get(thread, map, key, &value, &has));
  EXPECT(has == 1 && *number_of(thread, value) == 3 && size_of(thread, map) == 1);
  EXPECT_OK(tenure_map_set(thread, map, key, null));
  EXPECT_OK(tenure_map_get(thread, map, key, &value, &has));
  EXPECT(has == 1 && value.bits == 0);
  EXPECT_OK(tenure_map_erase(thread, map, key, &erased));
  EXPECT(erased == 1);
  EXPECT_OK(tenure_map_erase(thread, map, key, &erased));
  EXPECT(erased == 0 && size_of(thread, map) == 0);
  EXPECT_OK(tenure_map_drop(map));
}

static void misuse_is_refused(tenure_thread thread) {
  const tenure_runtime other = open_runtime("nursery=1MiB");
  const tenure_thread in_other = attach_to(other);
  const tenure_ref key = make_node(thread, 1), null = {0}, wrong = {77};
  tenure_map map;
  tenure_ref value;
  uint64_t entries;
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_map_make(thread, NULL));
  EXPECT_OK(tenure_map_make(in_other, &map));
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_map_set(thread, map, key, key)); /* another runtime's */
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_map_set(in_other, map, null, null));
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_map_set(in_other, map, make_node(in_other, 2), wrong));
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_map_size(in_other, map, NULL));
  EXPECT_OK(tenure_runtime_destroy(other, NULL));
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_map_size(thread, map, &entries));
  EXPECT_OK(tenure_map_drop(map)); /* inert, and dropped as ever */
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_map_drop(map));
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_map_get(thread, map, key, &value, NULL));
}

int main(void) {
  const tenure_runtime runtime = open_runtime("nursery=1MiB");
  const tenure_thread thread = attach_to(runtime);
  values_live_as_long_as_their_keys(runtime, thread);
  entries_are_replaced_and_erased(thread);
  misuse_is_refused(thread);
  EXPECT_OK(tenure_runtime_destroy(runtime, NULL));
  puts("maps: all as expected");
  return 0;
}
