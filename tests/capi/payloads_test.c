/* Payload memory from C: tensors and their views, leases, streams and arenas, on the host and on a
 * simulated device. */
#include "check.h"

static tenure_tensor describe(tenure_thread thread, tenure_ref tensor) {
  tenure_tensor found;
  found.size = sizeof found;
  EXPECT_OK(tenure_tensor_describe(thread, tensor, &found));
  return found;
}

static tenure_pool_statistics pool_of(tenure_runtime runtime, int32_t kind) {
  tenure_pool_statistics pool;
  pool.size = sizeof pool;
  EXPECT_OK(tenure_get_pool_statistics(runtime, kind, &pool));
  return pool;
}

static tenure_ref make_tensor(tenure_thread thread, int32_t kind, uint32_t stream, int64_t rows,
                              int64_t columns) {
  tenure_tensor_options options = {sizeof options, TENURE_FLOAT32, 0, 0, 2, {0}};
  tenure_ref tensor;
  options.kind = kind;
  options.stream = stream;
  options.shape[0] = rows;
  options.shape[1] = columns;
  EXPECT_OK(tenure_tensor_make(thread, &options, &tensor));
  return tensor;
}

static void tensors_and_views(tenure_runtime runtime, tenure_thread thread) {
  tenure_view_options options = {sizeof options, 3, 1, 0, {4}, {8}}; /* column 3 of rows of 8 */
  const tenure_ref tensor = make_tensor(thread, TENURE_HOST, 0, 4, 8);
  const tenure_tensor whole = describe(thread, tensor);
  tenure_ref view, slot_owner, got;
  tenure_tensor part;
  int k;
  EXPECT(whole.bytes == 128 && whole.rank == 2 && whole.shape[1] == 8 && whole.strides[0] == 8);
  for (k = 0; k < 32; ++k) {
    ((float *)whole.data)[k] = (float)k;
  }

  EXPECT_OK(tenure_tensor_view(thread, tensor, &options, &view));
  EXPECT_OK(tenure_ref_release(thread, tensor));
  EXPECT_OK(tenure_collect(runtime, TENURE_ALL_GENERATIONS, NULL));

  part = describe(thread, view);
  EXPECT(part.is_view == 1 && part.shape[0] == 4 && part.strides[0] == 8);
  EXPECT(part.data == (char *)whole.data + 12 && ((float *)part.data)[24] == 27.0f);
  EXPECT(pool_of(runtime, TENURE_HOST).live == 128);

  /* A tensor is an object that a slot may keep, and whose own slots are nobody's. */
  EXPECT_OK(tenure_allocate(thread, node_type(), &slot_owner));
  EXPECT_OK(tenure_store(thread, slot_owner, 0, view));
  EXPECT_OK(tenure_load(thread, slot_owner, 0, &got));
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_store(thread, got, 0, slot_owner));
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_load(thread, got, 0, &slot_owner));

  EXPECT_OK(tenure_tensor_release(thread, view));
  EXPECT_OK(tenure_tensor_release(thread, view));
  EXPECT(describe(thread, view).data == NULL);
  EXPECT(pool_of(runtime, TENURE_HOST).live == 0);
}

static void dead_tensors_give_their_bytes_back(tenure_runtime runtime, tenure_thread thread) {
  const uint64_t before = pool_of(runtime, TENURE_DEVICE).live;
  tenure_collection report;
  tenure_scope scope;
  uint32_t stream = 0;
  int k;
  report.size = sizeof report;
  EXPECT_OK(tenure_stream_make(runtime, &stream));
  EXPECT(stream != TENURE_DEFAULT_STREAM);
  EXPECT_OK(tenure_scope_open(thread, &scope));
  for (k = 0; k < 10; ++k) {
    EXPECT_OK(tenure_tensor_used_on(
        thread, make_tensor(thread, TENURE_DEVICE, stream, 1024, 256), TENURE_DEFAULT_STREAM));
  }
  EXPECT(pool_of(runtime, TENURE_DEVICE).live == before + 10 * 1024 * 1024);
  EXPECT_OK(tenure_scope_close(thread, scope, NULL));
  EXPECT_OK(tenure_collect(runtime, TENURE_ALL_GENERATIONS, &report));
  EXPECT(report.payloads_retired == 10 && report.payload_bytes_retired == 10 * 1024 * 1024);
  EXPECT(pool_of(runtime, TENURE_DEVICE).live == before);
}

static void leases(tenure_runtime runtime) {
  tenure_lease_options options = {sizeof options, 1000, TENURE_HOST, 0};
  tenure_lease lease;
  void *data = NULL;
  uint64_t bytes = 0;
  uint32_t stream = 0;
  EXPECT_OK(tenure_lease_make(runtime, &options, &lease));
  EXPECT_OK(tenure_lease_data(lease, &data, &bytes));
  EXPECT(bytes == 1000);
  memset(data, 1, (size_t)bytes);
  EXPECT_OK(tenure_stream_make(runtime, &stream));
  EXPECT_OK(tenure_lease_used_on(lease, stream));
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_lease_used_on(lease, 99));
  EXPECT_OK(tenure_lease_drop(lease));
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_lease_drop(lease));
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_lease_data(lease, &data, NULL));
}

static void arenas(tenure_runtime runtime) {
  tenure_arena_options options = {sizeof options, 65536, TENURE_HOST, 0};
  tenure_arena arena, other;
  tenure_mark outer, inner;
  void *first = NULL, *second = NULL, *again = NULL;
  EXPECT_OK(tenure_arena_open(runtime, &options, &arena));
  EXPECT_OK(tenure_arena_open(runtime, &options, &other));
  EXPECT_OK(tenure_arena_mark(arena, &outer));
  EXPECT_OK(tenure_arena_allocate(arena, 1000, 256, &first));
  EXPECT((uintptr_t)first % 256 == 0);
  EXPECT_OK(tenure_arena_mark(arena, &inner));
  EXPECT_OK(tenure_arena_allocate(arena, 100000, 64, &second)); /* more than a chunk */
  memset(second, 2, 100000);
  EXPECT_OK(tenure_arena_rewind(arena, inner));
  EXPECT_OK(tenure_arena_rewind(arena, inner));
  EXPECT_OK(tenure_arena_rewind(arena, outer));
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_arena_rewind(arena, inner));
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_arena_rewind(other, outer));
  EXPECT_OK(tenure_arena_allocate(arena, 1000, 256, &again));
  EXPECT(again == first);
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_arena_allocate(arena, 1, 3, &again));
  EXPECT_OK(tenure_arena_close(arena));
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_arena_allocate(arena, 1, 1, &again));
  /* `other` ends with its runtime. */
}

int main(void) {
  const tenure_runtime runtime = open_runtime("device=sim:64MiB,nursery=1MiB");
  const tenure_thread thread = attach_to(runtime);
  tenure_close_report report;
  tenure_lease_options options = {sizeof options, 4096, TENURE_HOST, 0};
  tenure_lease left;
  void *data = NULL;
  report.size = sizeof report;
  tensors_and_views(runtime, thread);
  dead_tensors_give_their_bytes_back(runtime, thread);
  leases(runtime);
  arenas(runtime);
  EXPECT_OK(tenure_lease_make(runtime, &options, &left));
  make_tensor(thread, TENURE_HOST, 0, 2, 2);
  EXPECT_OK(tenure_verify(runtime));
  EXPECT_OK(tenure_runtime_destroy(runtime, &report));
  EXPECT(report.leases_outstanding == 1 && report.payloads_returned == 1);
  EXPECT_FAILS(TENURE_CLOSED, tenure_lease_data(left, &data, NULL));
  EXPECT_OK(tenure_lease_drop(left));
  puts("payloads: all as expected");
  return 0;
}
