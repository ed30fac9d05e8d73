/* Every mistake that a caller can make is a status and a sentence, and changes nothing: null, zero,
 * huge, made up, of another kind, given up twice, of another thread, after the end, after a fork. */
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static const uint64_t kHuge = UINT64_MAX;

static void nothing_takes_null(tenure_runtime runtime, tenure_thread thread, tenure_ref node) {
  const tenure_type type = node_type();
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_runtime_create(NULL, NULL));
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_thread_attach(runtime, NULL));
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_type_register(NULL, NULL));
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_allocate(thread, type, NULL));
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_allocate_sized(thread, type, 0, NULL));
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_allocate_array(thread, 1, NULL));
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_load(thread, node, 0, NULL));
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_data(thread, node, NULL, NULL));
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_store(thread, (tenure_ref){0}, 0, node));
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_ref_release(thread, (tenure_ref){0}));
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_ref_copy(thread, node, NULL));
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_root_make(thread, node, NULL));
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_finalizer_set(thread, node, NULL, NULL));
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_tensor_make(thread, NULL, NULL));
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_lease_make(runtime, NULL, NULL));
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_arena_open(runtime, NULL, NULL));
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_get_statistics(runtime, NULL));
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_collect((tenure_runtime){0}, 0, NULL));
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_thread_poll((tenure_thread){0}));
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_root_drop((tenure_root){0}));
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_allocate(thread, (tenure_type){0}, &node));
}

static void sizes_are_checked(tenure_runtime runtime, tenure_thread thread) {
  tenure_type_description description = {sizeof description, "empty", 0, 0, 0};
  tenure_tensor_options tensor = {sizeof tensor, TENURE_FLOAT32, TENURE_HOST, 0, 8, {0}};
  tenure_lease_options lease = {sizeof lease, 0, TENURE_HOST, 0};
  tenure_arena_options arena = {sizeof arena, 0, 17, 0};
  tenure_statistics statistics;
  tenure_collection report;
  tenure_type type = {1};
  tenure_ref object = {42};
  tenure_lease leased = {42};
  tenure_arena opened = {42};
  int k;
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_type_register(&description, &type));
  description.data_bytes = kHuge;
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_type_register(&description, &type));
  description.data_bytes = 8;
  description.references = UINT32_MAX;
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_type_register(&description, &type));
  description.references = 1;
  description.size = 8;
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_type_register(&description, &type));
  description.size = kHuge;
  EXPECT_FAILS(TENURE_UNSUPPORTED, tenure_type_register(&description, &type));
  EXPECT(type.bits == 1);

  EXPECT_FAILS(TENURE_OUT_OF_MEMORY, tenure_allocate_sized(thread, node_type(), kHuge, &object));
  EXPECT_FAILS(TENURE_OUT_OF_MEMORY,
               tenure_allocate_sized(thread, node_type(), UINT64_C(1) << 34, &object));
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_allocate_array(thread, kHuge, &object));
  EXPECT_FAILS(TENURE_OUT_OF_MEMORY, tenure_allocate_array(thread, UINT64_C(1) << 31, &object));
  for (k = 0; k < 8; ++k) {
    tensor.shape[k] = INT64_MAX;
  }
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_tensor_make(thread, &tensor, &object));
  tensor.shape[0] = -1;
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_tensor_make(thread, &tensor, &object));
  tensor.rank = 9;
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_tensor_make(thread, &tensor, &object));
  tensor.rank = 0;
  tensor.element = 99;
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_tensor_make(thread, &tensor, &object));
  tensor.element = TENURE_INT8;
  tensor.stream = 7;
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_tensor_make(thread, &tensor, &object));
  EXPECT(object.bits == 42);

  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_lease_make(runtime, &lease, &leased));
  lease.bytes = kHuge;
  EXPECT(tenure_lease_make(runtime, &lease, &leased) != TENURE_OK);
  lease.kind = -1;
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_lease_make(runtime, &lease, &leased));
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_arena_open(runtime, &arena, &opened));
  EXPECT(leased.bits == 42 && opened.bits == 42);

  statistics.size = 0;
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_get_statistics(runtime, &statistics));
  report.size = 3;
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_collect(runtime, 0, &report));
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_collect(runtime, 8, NULL));
}

static void a_struct_of_a_newer_header_is_answered_in_part(tenure_runtime runtime) {
  struct {
    tenure_statistics known;
    uint64_t unknown;
  } newer;
  newer.known.size = sizeof newer;
  newer.unknown = 42;
  EXPECT_OK(tenure_get_statistics(runtime, &newer.known));
  EXPECT(newer.known.size == sizeof(tenure_statistics) && newer.unknown == 42);
}

static void handles_of_another_kind(tenure_runtime runtime, tenure_thread thread,
                                    tenure_ref node) {
  tenure_root root;
  tenure_ref got;
  EXPECT_OK(tenure_root_make(thread, node, &root));
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_pin_drop((tenure_pin){root.bits}));
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_weak_drop((tenure_weak){root.bits}));
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_lease_drop((tenure_lease){root.bits}));
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_trim((tenure_runtime){root.bits}, NULL));
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_ref_release(thread, (tenure_ref){root.bits}));
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_root_get(thread, (tenure_root){runtime.bits}, &got));
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_thread_poll((tenure_thread){runtime.bits}));
  EXPECT_OK(tenure_root_drop(root));
}

static void references_of_another_runtime(tenure_thread thread, tenure_ref node) {
  const tenure_runtime other = open_runtime(NULL);
  const tenure_thread there = attach_to(other);
  tenure_ref foreign, got;
  tenure_root root;
  EXPECT_OK(tenure_allocate(there, node_type(), &foreign));
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_store(thread, node, 0, foreign));
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_store(there, foreign, 0, node));
  EXPECT_OK(tenure_root_make(there, foreign, &root));
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_root_get(thread, root, &got));
  /* Attachments of one thread end in the reverse order. */
  EXPECT_FAILS(TENURE_BUSY, tenure_thread_detach(thread));
  EXPECT_OK(tenure_store(thread, node, 0, node)); /* the older one is as good as it was */
  EXPECT_OK(tenure_store(thread, node, 0, (tenure_ref){0}));
  EXPECT_OK(tenure_runtime_destroy(other, NULL));
  EXPECT_OK(tenure_root_drop(root));
}

static void away_is_away(tenure_thread thread, tenure_ref node) {
  tenure_ref got;
  EXPECT_FAILS(TENURE_BUSY, tenure_thread_come_back(thread));
  EXPECT_OK(tenure_thread_go_away(thread));
  EXPECT_FAILS(TENURE_BUSY, tenure_thread_go_away(thread));
  EXPECT_FAILS(TENURE_BUSY, tenure_load(thread, node, 0, &got));
  EXPECT_FAILS(TENURE_BUSY, tenure_thread_poll(thread));
  EXPECT_OK(tenure_thread_come_back(thread));
  EXPECT_OK(tenure_load(thread, node, 0, &got));
}

static void options_are_checked(void) {
  tenure_runtime runtime = {42};
  static char longest[9000];
  EXPECT_FAILS(TENURE_BAD_CONFIG, tenure_runtime_create("nursery=potato", &runtime));
  EXPECT(strstr(tenure_last_error(), "nursery") != NULL);
  EXPECT_FAILS(TENURE_BAD_CONFIG, tenure_runtime_create("generations=9", &runtime));
  EXPECT_FAILS(TENURE_BAD_CONFIG, tenure_runtime_create("=,=,,", &runtime));
  memset(longest, 'a', sizeof longest - 1);
  EXPECT_FAILS(TENURE_BAD_CONFIG, tenure_runtime_create(longest, &runtime));
  EXPECT_FAILS(TENURE_UNSUPPORTED, tenure_runtime_create("device=cuda:99", &runtime));
  EXPECT(runtime.bits == 42);
}

static void a_forked_child_has_nothing(tenure_runtime runtime, tenure_thread thread,
                                       tenure_root root) {
  int status = 1;
  const pid_t child = fork();
  if (child == 0) {
    tenure_runtime fresh;
    tenure_ref made;
    EXPECT_FAILS(TENURE_CLOSED, tenure_collect(runtime, 0, NULL));
    EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_allocate(thread, node_type(), &made));
    EXPECT_FAILS(TENURE_CLOSED, tenure_thread_attach(runtime, (tenure_thread *)&made));
    EXPECT_FAILS(TENURE_CLOSED, tenure_root_drop(root));
    EXPECT_FAILS(TENURE_CLOSED, tenure_runtime_destroy(runtime, NULL));
    EXPECT_FAILS(TENURE_UNSUPPORTED, tenure_runtime_create(NULL, &fresh));
    _exit(0);
  }
  EXPECT(child > 0 && waitpid(child, &status, 0) == child && status == 0);
}

int main(void) {
  const tenure_runtime runtime = open_runtime("heap_limit=64MiB,nursery=1MiB,device=sim:64MiB");
  const tenure_thread thread = attach_to(runtime);
  tenure_thread again;
  tenure_ref node;
  tenure_root root;
  EXPECT(strcmp(tenure_last_error(), "") == 0);
  EXPECT(tenure_version()[0] != '\0');
  EXPECT(strcmp(tenure_status_name((tenure_status)99), "unknown status") == 0);
  EXPECT_OK(tenure_allocate(thread, node_type(), &node));

  nothing_takes_null(runtime, thread, node);
  sizes_are_checked(runtime, thread);
  a_struct_of_a_newer_header_is_answered_in_part(runtime);
  handles_of_another_kind(runtime, thread, node);
  references_of_another_runtime(thread, node);
  away_is_away(thread, node);
  options_are_checked();
  EXPECT_FAILS(TENURE_BUSY, tenure_thread_attach(runtime, &again));
  EXPECT_OK(tenure_root_make(thread, node, &root));
  a_forked_child_has_nothing(runtime, thread, root);

  EXPECT_OK(tenure_verify(runtime));
  EXPECT_OK(tenure_runtime_destroy(runtime, NULL));
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_runtime_destroy(runtime, NULL));
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_collect(runtime, 0, NULL));
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_thread_attach(runtime, &again));
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_allocate(thread, node_type(), &node));
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_root_get(thread, root, &node));
  EXPECT_OK(tenure_root_drop(root));
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_root_drop(root));
  puts("misuse: all as expected");
  return 0;
}
