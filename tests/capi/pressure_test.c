/* Pressure from C: who is called before a request is refused, what a callback may do, and that it is
 * over once it was removed. */
#include "check.h"

enum { kLeases = 8 };
static const uint64_t kLeaseBytes = 8u << 20;

typedef struct state {
  tenure_runtime runtime;
  tenure_thread thread;
  tenure_ref node;
  tenure_hook hook;
  tenure_lease held[kLeases];
  int count;
  int calls;
  int levels;
  uint64_t wanted;
  int removes_itself;
} state;

static tenure_status lease(state *of, tenure_lease *into) {
  tenure_lease_options options = {sizeof options, 0, TENURE_DEVICE, 0};
  options.bytes = kLeaseBytes;
  return tenure_lease_make(of->runtime, &options, into);
}

static void fill(state *of) {
  while (of->count < kLeases && lease(of, &of->held[of->count]) == TENURE_OK) {
    ++of->count;
  }
}

static void give_one_back(const tenure_pressure_call *call, void *user) {
  state *const of = user;
  EXPECT(call->size == sizeof *call && call->kind == TENURE_DEVICE && call->of_system == 0);
  if (call->wanted == 0) {
    ++of->levels;
    return;
  }
  ++of->calls;
  of->wanted = call->wanted;
  EXPECT(call->level == TENURE_PRESSURE_CRITICAL);
  if (of->count > 0) {
    EXPECT_OK(tenure_lease_drop(of->held[--of->count]));
  }
  if (of->removes_itself) {
    EXPECT_OK(tenure_hook_remove(of->hook));
  }
}

static void a_request_is_served_by_what_a_callback_gives_back(state *of) {
  tenure_lease one;
  tenure_pressure pressure;
  pressure.size = sizeof pressure;
  fill(of);
  EXPECT(of->count == kLeases);
  EXPECT_OK(tenure_get_pressure(of->runtime, &pressure));
  EXPECT(pressure.level == TENURE_PRESSURE_CRITICAL && pressure.pool_share[TENURE_DEVICE] == 1.0);
  EXPECT(pressure.share == 1.0 && pressure.heap_share < 0.5);
  EXPECT_FAILS(TENURE_OUT_OF_MEMORY, lease(of, &one));

  EXPECT_OK(tenure_on_pressure(of->runtime, give_one_back, of, &of->hook));
  EXPECT_OK(lease(of, &one));
  EXPECT(of->calls == 1 && of->wanted == kLeaseBytes && of->count == kLeases - 1);

  EXPECT_OK(tenure_hook_remove(of->hook));
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_hook_remove(of->hook));
  EXPECT_FAILS(TENURE_OUT_OF_MEMORY, lease(of, &of->held[of->count]));
  EXPECT(of->calls == 1);
  of->held[of->count++] = one;
}

static void a_callback_may_remove_itself(state *of) {
  tenure_lease one;
  of->calls = 0;
  of->removes_itself = 1;
  EXPECT_OK(tenure_on_pressure(of->runtime, give_one_back, of, &of->hook));
  EXPECT_OK(lease(of, &one));
  EXPECT_FAILS(TENURE_OUT_OF_MEMORY, lease(of, &of->held[of->count]));
  EXPECT(of->calls == 1);
  of->removes_itself = 0;
  of->held[of->count++] = one;
}

static void try_everything(const tenure_pressure_call *call, void *user) {
  state *const of = user;
  tenure_ref made;
  if (call->wanted == 0) {
    return;
  }
  ++of->calls;
  EXPECT_FAILS(TENURE_BUSY, tenure_allocate(of->thread, node_type(), &made));
  EXPECT_FAILS(TENURE_BUSY, tenure_ref_release(of->thread, of->node));
  EXPECT_FAILS(TENURE_BUSY, tenure_thread_poll(of->thread));
  EXPECT_FAILS(TENURE_BUSY, tenure_thread_go_away(of->thread));
  EXPECT_FAILS(TENURE_BUSY, tenure_thread_come_back(of->thread));
  EXPECT_FAILS(TENURE_BUSY, tenure_thread_detach(of->thread));
  EXPECT_FAILS(TENURE_BUSY, tenure_collect(of->runtime, TENURE_ALL_GENERATIONS, NULL));
  EXPECT_FAILS(TENURE_BUSY, tenure_compact(of->runtime, NULL));
  EXPECT_FAILS(TENURE_BUSY, tenure_verify(of->runtime));
  EXPECT_FAILS(TENURE_BUSY, tenure_runtime_destroy(of->runtime, NULL));
}

/* A thread in the midst of a tensor, whose objects nobody may touch, and of a lease. */
static void a_callback_touches_no_object(state *of) {
  tenure_tensor_options tensor = {sizeof tensor, TENURE_UINT8, TENURE_DEVICE, 0, 1, {0}};
  tenure_ref made;
  tenure_lease one;
  tenure_hook hook;
  tensor.shape[0] = (int64_t)kLeaseBytes;
  of->calls = 0;
  EXPECT_OK(tenure_register_collector(of->runtime, "ours", try_everything, of, &hook));

  EXPECT_FAILS(TENURE_OUT_OF_MEMORY, tenure_tensor_make(of->thread, &tensor, &made));
  EXPECT(strstr(tenure_last_error(), "foreign collectors") != NULL);
  EXPECT(of->calls >= 1);
  EXPECT_FAILS(TENURE_OUT_OF_MEMORY, lease(of, &one));

  EXPECT_OK(tenure_hook_remove(hook));
  *number_of(of->thread, of->node) = 7; /* the thread is back */
  EXPECT_OK(tenure_collect(of->runtime, TENURE_ALL_GENERATIONS, NULL));
  EXPECT(*number_of(of->thread, of->node) == 7);
}

static void misuse_is_refused(state *of) {
  tenure_hook hook;
  char long_name[300];
  memset(long_name, 'x', sizeof long_name);
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_on_pressure(of->runtime, NULL, of, &hook));
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_on_pressure(of->runtime, give_one_back, of, NULL));
  EXPECT_FAILS(TENURE_BAD_ARGUMENT, tenure_get_pressure(of->runtime, NULL));
  EXPECT_FAILS(TENURE_BAD_ARGUMENT,
               tenure_register_collector(of->runtime, long_name, give_one_back, of, &hook));
  EXPECT_FAILS(TENURE_BAD_ARGUMENT,
               tenure_register_collector(of->runtime, "", give_one_back, of, &hook));
}

int main(void) {
  state of;
  tenure_hook left;
  int k;
  memset(&of, 0, sizeof of);
  of.runtime = open_runtime("device=sim:64MiB,nursery=1MiB,plan_payloads=off");
  of.thread = attach_to(of.runtime);
  EXPECT_OK(tenure_allocate(of.thread, node_type(), &of.node));
  a_request_is_served_by_what_a_callback_gives_back(&of);
  a_callback_may_remove_itself(&of);
  a_callback_touches_no_object(&of);
  misuse_is_refused(&of);
  EXPECT_OK(tenure_on_pressure(of.runtime, give_one_back, &of, &left));
  for (k = 0; k < of.count; ++k) {
    EXPECT_OK(tenure_lease_drop(of.held[k]));
  }
  EXPECT_OK(tenure_runtime_destroy(of.runtime, NULL));
  EXPECT_OK(tenure_hook_remove(left)); /* it ended with its runtime */
  EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_on_pressure(of.runtime, give_one_back, &of, &left));
  puts("pressure: all as expected");
  return 0;
}
