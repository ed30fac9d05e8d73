/* Objects from C: what is made is zero, keeps its data and references through collections of every
 * kind, and is gone when nothing keeps it. */
#include "check.h"

enum { kNodes = 200000 };

static void objects_are_zero_and_described(tenure_thread thread) {
  const tenure_type type = node_type();
  tenure_ref node, got;
  tenure_type found;
  uint32_t slots = 0;
  void *data = NULL;
  uint64_t bytes = 0;

  EXPECT_OK(tenure_allocate(thread, type, &node));

  EXPECT_OK(tenure_slot_count(thread, node, &slots));
  EXPECT(slots == 2);
  EXPECT_OK(tenure_load(thread, node, 0, &got));
  EXPECT(got.bits == 0);
  EXPECT_OK(tenure_data(thread, node, &data, &bytes));
  EXPECT(bytes == 8 && (uintptr_t)data % 8 == 0 && *(int64_t *)data == 0);
  EXPECT_OK(tenure_type_of(thread, node, &found));
  EXPECT(found.bits == type.bits);
  EXPECT_OK(tenure_ref_release(thread, node));
}

/* Of each size, where others' bytes lay before, and without a byte beside it. */
static void objects_of_each_size_are_zero(tenure_thread thread) {
  enum { kMostBytes = 160, kTimes = 200 }; /* the nursery twice over */
  uint64_t size, k;
  int time;
  for (time = 0; time < kTimes; ++time) {
    tenure_ref before = {0};
    for (size = 1; size <= kMostBytes; ++size) {
      const tenure_type_description sized = {sizeof sized, "sized", size, 0, 0};
      tenure_type type;
      tenure_ref object;
      unsigned char *data = NULL;
      uint64_t bytes = 0;
      EXPECT_OK(tenure_type_register(&sized, &type));
      EXPECT_OK(tenure_allocate(thread, type, &object));
      EXPECT_OK(tenure_data(thread, object, (void **)&data, &bytes));
      EXPECT(bytes >= size && bytes < size + 8);
      for (k = 0; k < bytes; ++k) {
        EXPECT(data[k] == 0);
        data[k] = 0xFF;
      }
      if (before.bits != 0) {
        EXPECT_OK(tenure_data(thread, before, (void **)&data, &bytes));
        for (k = 0; k < bytes; ++k) {
          EXPECT(data[k] == 0xFF);
        }
        EXPECT_OK(tenure_ref_release(thread, before));
      }
      before = object;
    }
    EXPECT_OK(tenure_ref_release(thread, before));
  }
}

/* A list that is built by the usual loop: each node refers to the one before it. */
static tenure_ref build_list(tenure_thread thread, int64_t count) {
  const tenure_type type = node_type();
  tenure_ref head = {0};
  int64_t k;
  for (k = 0; k < count; ++k) {
    tenure_ref node;
    EXPECT_OK(tenure_allocate(thread, type, &node));
    *number_of(thread, node) = k;
    EXPECT_OK(tenure_store(thread, node, 0, head));
    if (head.bits != 0) {
      EXPECT_OK(tenure_ref_release(thread, head));
    }
    head = node;
  }
  return head;
}

static void expect_list(tenure_thread thread, tenure_ref head, int64_t count) {
  tenure_ref at;
  int64_t k;
  EXPECT_OK(tenure_ref_copy(thread, head, &at));
  for (k = count; k-- > 0;) {
    tenure_ref next;
    EXPECT(*number_of(thread, at) == k);
    EXPECT_OK(tenure_load(thread, at, 0, &next));
    EXPECT_OK(tenure_ref_release(thread, at));
    at = next;
  }
  EXPECT(at.bits == 0);
}

static void a_list_survives_collections(tenure_runtime runtime, tenure_thread thread) {
  const tenure_ref head = build_list(thread, kNodes);
  tenure_collection report;
  report.size = sizeof report;

  expect_list(thread, head, kNodes);
  EXPECT_OK(tenure_collect(runtime, 0, NULL));
  expect_list(thread, head, kNodes);
  EXPECT_OK(tenure_collect(runtime, TENURE_ALL_GENERATIONS, &report));
  EXPECT(report.full == 1);
  EXPECT_OK(tenure_compact(runtime, &report));
  expect_list(thread, head, kNodes);
  EXPECT_OK(tenure_verify(runtime));
  EXPECT(statistics_of(runtime).heap_used >= kNodes * UINT64_C(24));

  EXPECT_OK(tenure_ref_release(thread, head));
  EXPECT_OK(tenure_collect(runtime, TENURE_ALL_GENERATIONS, &report));
  EXPECT(report.bytes_freed >= kNodes * UINT64_C(24));
}

/* The barrier: a young object that only an old one refers to. */
static void an_old_object_keeps_a_young_one(tenure_runtime runtime, tenure_thread thread) {
  const tenure_type type = node_type();
  tenure_ref old, young, got;
  int k;
  EXPECT_OK(tenure_allocate(thread, type, &old));
  EXPECT_OK(tenure_collect(runtime, TENURE_ALL_GENERATIONS, NULL));
  for (k = 0; k < 4; ++k) {
    EXPECT_OK(tenure_collect(runtime, TENURE_ALL_GENERATIONS, NULL));
  }
  EXPECT_OK(tenure_allocate(thread, type, &young));
  *number_of(thread, young) = 77;

  EXPECT_OK(tenure_store(thread, old, 1, young));
  EXPECT_OK(tenure_ref_release(thread, young));
  EXPECT_OK(tenure_collect(runtime, 0, NULL));

  EXPECT_OK(tenure_verify(runtime));
  EXPECT_OK(tenure_load(thread, old, 1, &got));
  EXPECT(*number_of(thread, got) == 77);
  EXPECT_OK(tenure_store(thread, old, 1, (tenure_ref){0}));
  EXPECT_OK(tenure_ref_release(thread, got));
  EXPECT_OK(tenure_ref_release(thread, old));
  EXPECT_OK(tenure_verify(runtime));
}

static void arrays_and_sized_objects(tenure_runtime runtime, tenure_thread thread) {
  enum { kLength = 100000 };
  const tenure_type type = node_type();
  tenure_ref array, text, node, got;
  tenure_type found;
  uint32_t slots = 0, same = 0;
  void *data;
  uint64_t bytes = 0;

  EXPECT_OK(tenure_allocate_array(thread, kLength, &array));
  EXPECT_OK(tenure_slot_count(thread, array, &slots));
  EXPECT(slots == kLength);
  EXPECT_OK(tenure_allocate(thread, type, &node));
  EXPECT_OK(tenure_store(thread, array, kLength - 1, node));
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_store(thread, array, kLength, node));
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_data(thread, array, &data, NULL));
  EXPECT_OK(tenure_type_of(thread, array, &found));
  EXPECT(found.bits == 0);

  EXPECT_OK(tenure_allocate_sized(thread, type, 1001, &text));
  EXPECT_OK(tenure_data(thread, text, &data, &bytes));
  EXPECT(bytes >= 8 + 1001 && bytes < 8 + 1001 + 8);
  memset(data, 'x', (size_t)bytes);
  EXPECT_OK(tenure_collect(runtime, TENURE_ALL_GENERATIONS, NULL));
  EXPECT_OK(tenure_data(thread, text, &data, &bytes));
  EXPECT(((char *)data)[bytes - 1] == 'x');

  EXPECT_OK(tenure_load(thread, array, kLength - 1, &got));
  EXPECT_OK(tenure_is_same(thread, got, node, &same));
  EXPECT(same == 1);
  EXPECT_OK(tenure_is_same(thread, got, array, &same));
  EXPECT(same == 0);
  EXPECT_OK(tenure_is_same(thread, (tenure_ref){0}, (tenure_ref){0}, &same));
  EXPECT(same == 1);
}

/* A failure is a failure and nothing else: the next call works. */
static void a_full_heap_is_an_error_and_empties_again(void) {
  const tenure_runtime runtime = open_runtime("heap_limit=16MiB,nursery=1MiB,old_start=1MiB");
  const tenure_thread thread = attach_to(runtime);
  const tenure_type type = node_type();
  tenure_scope scope;
  tenure_ref kept, node;
  tenure_status status = TENURE_OK;
  int made = 0;

  EXPECT_OK(tenure_scope_open(thread, &scope));
  while (status == TENURE_OK && made < 1000) {
    status = tenure_allocate_sized(thread, type, 65536, &kept);
    made += status == TENURE_OK;
  }
  EXPECT(status == TENURE_OUT_OF_MEMORY && made > 50);
  EXPECT(strstr(tenure_last_error(), "no room") != NULL);

  EXPECT_OK(tenure_scope_close(thread, scope, NULL));
  EXPECT_OK(tenure_allocate_sized(thread, type, 65536, &node));
  EXPECT_OK(tenure_verify(runtime));
  EXPECT_OK(tenure_runtime_destroy(runtime, NULL));
}

/* The list's nodes are in the file, and a file that cannot be there is not. */
static void a_snapshot_is_a_file(tenure_runtime runtime, tenure_thread thread) {
  const tenure_ref list = build_list(thread, 1000);
  const char *path = "capi.objects_test.heapsnapshot";
  char head[40] = {0};
  long size = 0;
  FILE *file;

  EXPECT_OK(tenure_runtime_write_snapshot(runtime, path, "heapsnapshot"));

  file = fopen(path, "r");
  EXPECT(file != NULL);
  EXPECT(fread(head, 1, sizeof head - 1, file) == sizeof head - 1);
  EXPECT(strstr(head, "{\"snapshot\":{\"meta\":{\"node_fields\":[") == head);
  EXPECT(fseek(file, 0, SEEK_END) == 0);
  size = ftell(file);
  EXPECT(size > 1000 * 20);
  EXPECT(fclose(file) == 0 && remove(path) == 0);
  EXPECT_FAILS(TENURE_FILE, tenure_runtime_write_snapshot(runtime, "no/such/folder", "json"));
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_runtime_write_snapshot(runtime, path, "hprof"));
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_runtime_write_snapshot(runtime, path, NULL));
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_runtime_write_snapshot(runtime, NULL, "json"));
  EXPECT_OK(tenure_ref_release(thread, list));
}

int main(void) {
  const tenure_runtime runtime = open_runtime("nursery=1MiB");
  const tenure_thread thread = attach_to(runtime);
  objects_are_zero_and_described(thread);
  objects_of_each_size_are_zero(thread);
  a_list_survives_collections(runtime, thread);
  an_old_object_keeps_a_young_one(runtime, thread);
  arrays_and_sized_objects(runtime, thread);
  a_snapshot_is_a_file(runtime, thread);
  EXPECT_OK(tenure_trim(runtime, NULL));
  EXPECT_OK(tenure_thread_detach(thread));
  EXPECT_OK(tenure_runtime_destroy(runtime, NULL));
  a_full_heap_is_an_error_and_empties_again();
  puts("objects: all as expected");
  return 0;
}
