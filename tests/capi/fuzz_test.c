/* Random calls with random arguments, most of them wrong: each gives a status, none ends the program,
 * and the heap is sound afterwards. The seed is the first argument, the number of calls the second. */
#include <pthread.h>

#include "check.h"

enum { kHandles = 64, kMostRuntimes = 1000 };

static uint64_t state;

static uint64_t draw(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}
static uint64_t below(uint64_t limit) { return draw() % limit; }

/* Handles as they were given; most are stale by the time that they are used. */
typedef struct Pile { uint64_t bits[kHandles]; } Pile;
static Pile runtimes, threads, types, refs, scopes, roots, pins, weaks, leases, arenas, marks, maps, hooks;
static Pile *const piles[] = {&runtimes, &threads, &types,  &refs,   &scopes, &roots, &pins,
                              &weaks,    &leases,  &arenas, &marks,  &maps,   &hooks};

static uint64_t opened[kMostRuntimes];
static size_t opened_count;

/* One that was given, or of another kind, or null, or nearly right, or noise. */
static uint64_t any(const Pile *pile) {
  const uint64_t given = pile->bits[below(2) == 0 ? 0 : below(kHandles)];
  switch (below(20)) {
    case 0:
      return 0;
    case 1:
      return draw();
    case 2:
      return given ^ (UINT64_C(1) << below(64));
    case 3:
      return piles[below(sizeof piles / sizeof piles[0])]->bits[below(kHandles)];
    default:
      return given;
  }
}
/* The right one: what gets far into the library. */
static uint64_t newest(const Pile *pile) { return pile->bits[0]; }
static uint64_t pick(const Pile *pile) { return below(4) == 0 ? any(pile) : newest(pile); }
static void add(Pile *pile, uint64_t bits) {
  pile->bits[1 + below(kHandles - 1)] = pile->bits[0];
  pile->bits[0] = bits;
}

static uint64_t size(void) {
  switch (below(8)) {
    case 0:
      return 0;
    case 1:
      return UINT64_MAX - below(16);
    case 2:
      return UINT64_C(1) << below(64);
    case 3:
      return draw();
    default:
      return below(5000);
  }
}
static int32_t number(void) { return below(6) == 0 ? (int32_t)draw() : (int32_t)below(4); }

static uint64_t deaths;
static void note_death(tenure_thread thread, void *user) {
  (void)tenure_thread_poll(thread);
  if (user != NULL) {
    (void)tenure_thread_go_away(thread);
  }
  ++deaths;
}
static void finalize(tenure_thread thread, tenure_ref dying, void *user) {
  tenure_ref made;
  if (user != NULL) {
    (void)tenure_thread_detach(thread);
    (void)tenure_store(thread, dying, 0, dying);
  }
  if (tenure_allocate(thread, (tenure_type){newest(&types)}, &made) == TENURE_OK) {
    (void)tenure_store(thread, made, 0, dying);
  }
}

static uint64_t succeeded;
static tenure_status note(tenure_status status) {
  succeeded += status == TENURE_OK;
  return status;
}

#define KEEP(pile, call) \
  if (note(call) == TENURE_OK) add(&(pile), out.bits)

static void call_objects(void) {
  const tenure_thread thread = {pick(&threads)};
  const tenure_type type = {pick(&types)};
  const tenure_ref ref = {any(&refs)};
  struct { uint64_t bits; } out = {0};
  tenure_ref *const to = below(50) == 0 ? NULL : (tenure_ref *)(void *)&out;
  void *data = NULL;
  uint64_t bytes = 0;
  uint32_t count = 0;
  switch (below(16)) {
    case 0:
      KEEP(refs, tenure_allocate_sized(thread, type, size(), to));
      break;
    case 1:
      KEEP(refs, tenure_allocate_array(thread, size(), to));
      break;
    case 2:
    case 3:
      note(tenure_store(thread, ref, (uint32_t)size(), (tenure_ref){any(&refs)}));
      break;
    case 4:
    case 5:
      note(tenure_store(thread, ref, (uint32_t)below(3), (tenure_ref){any(&refs)}));
      break;
    case 6:
      KEEP(refs, tenure_load(thread, ref, (uint32_t)below(3), to));
      break;
    case 7:
      if (tenure_data(thread, ref, &data, &bytes) == TENURE_OK) memset(data, 7, (size_t)bytes);
      break;
    case 8:
      note(tenure_ref_release(thread, ref));
      break;
    case 9:
      KEEP(refs, tenure_ref_copy(thread, ref, to));
      break;
    case 10:
      note(tenure_slot_count(thread, ref, below(9) == 0 ? NULL : &count));
      break;
    case 11:
      note(tenure_is_same(thread, ref, (tenure_ref){any(&refs)}, &count));
      break;
    case 12:
      note(tenure_type_of(thread, ref, (tenure_type *)(void *)to));
      break;
    default:
      KEEP(refs, tenure_allocate(thread, type, to));
      break;
  }
}

static void call_keeping(void) {
  const tenure_thread thread = {pick(&threads)};
  const tenure_ref ref = {any(&refs)};
  struct { uint64_t bits; } out = {0};
  void *data = NULL;
  uint32_t removed = 0;
  void *const user = below(2) == 0 ? NULL : &state;
  tenure_ref kept = {any(&refs)};
  switch (below(15)) {
    case 0:
      KEEP(scopes, tenure_scope_open(thread, (tenure_scope *)(void *)&out));
      break;
    case 1:
    case 2:
      note(tenure_scope_close(thread, (tenure_scope){any(&scopes)}, below(2) ? NULL : &kept));
      break;
    case 3:
      KEEP(roots, tenure_root_make(thread, ref, (tenure_root *)(void *)&out));
      break;
    case 4:
      KEEP(refs, tenure_root_get(thread, (tenure_root){any(&roots)}, (tenure_ref *)(void *)&out));
      break;
    case 5:
      note(tenure_root_drop((tenure_root){any(&roots)}));
      break;
    case 6:
      KEEP(pins, tenure_pin_make(thread, ref, (tenure_pin *)(void *)&out,
                                 below(2) ? NULL : &data));
      break;
    case 7:
    case 8:
      note(tenure_pin_drop((tenure_pin){any(&pins)}));
      break;
    case 9:
      KEEP(weaks, tenure_weak_make(thread, ref, below(2) ? NULL : note_death, user,
                                   (tenure_weak *)(void *)&out));
      break;
    case 10:
      KEEP(refs, tenure_weak_get(thread, (tenure_weak){any(&weaks)}, (tenure_ref *)(void *)&out));
      break;
    case 11:
      note(tenure_weak_drop((tenure_weak){any(&weaks)}));
      break;
    case 12:
      note(tenure_finalizer_set(thread, ref, below(9) == 0 ? NULL : finalize, user));
      break;
    case 13:
      note(tenure_finalizer_remove(thread, ref, below(2) ? NULL : &removed));
      break;
    default:
      note(tenure_finalizers_run(thread, NULL));
      break;
  }
}

static void call_payloads(void) {
  const tenure_thread thread = {pick(&threads)};
  const tenure_runtime runtime = {pick(&runtimes)};
  tenure_tensor_options tensor = {sizeof tensor, 0, 0, 0, 0, {0}};
  tenure_view_options view = {sizeof view, 0, 0, 0, {0}, {0}};
  tenure_lease_options lease = {sizeof lease, 0, 0, 0};
  tenure_arena_options arena = {sizeof arena, 0, 0, 0};
  tenure_tensor described;
  struct { uint64_t bits; } out = {0};
  uint32_t stream = 0;
  void *data = NULL;
  uint64_t bytes = 0;
  int k;
  tensor.element = number() * 3;
  tensor.kind = lease.kind = arena.kind = number();
  tensor.stream = lease.stream = arena.stream = (uint32_t)below(3);
  tensor.rank = view.rank = (uint32_t)below(10);
  for (k = 0; k < TENURE_MAX_RANK; ++k) {
    tensor.shape[k] = below(4) == 0 ? (int64_t)size() : (int64_t)below(5);
    view.shape[k] = (int64_t)below(4);
    view.strides[k] = below(9) == 0 ? (int64_t)size() : (int64_t)below(6);
  }
  view.offset = below(4) == 0 ? (int64_t)size() : (int64_t)below(9);
  lease.bytes = below(3) == 0 ? below(6u << 20) : size(); /* some fill a pool */
  arena.chunk_bytes = size();
  tensor.size -= below(40) == 0;
  lease.size += below(40) == 0 ? size() : 0;
  described.size = sizeof described - (below(20) == 0 ? 8 : 0);
  switch (below(14)) {
    case 0:
    case 1:
      KEEP(refs, tenure_tensor_make(thread, &tensor, (tenure_ref *)(void *)&out));
      break;
    case 2:
      KEEP(refs, tenure_tensor_view(thread, (tenure_ref){any(&refs)}, &view,
                                    (tenure_ref *)(void *)&out));
      break;
    case 3:
      note(tenure_tensor_describe(thread, (tenure_ref){any(&refs)}, &described));
      break;
    case 4:
      note(tenure_tensor_used_on(thread, (tenure_ref){any(&refs)}, (uint32_t)number()));
      break;
    case 5:
      note(tenure_tensor_release(thread, (tenure_ref){any(&refs)}));
      break;
    case 6:
      if (below(50) == 0) note(tenure_stream_make(runtime, &stream));
      break;
    case 7:
      KEEP(leases, tenure_lease_make(runtime, &lease, (tenure_lease *)(void *)&out));
      break;
    case 8:
      if (tenure_lease_data((tenure_lease){any(&leases)}, &data, &bytes) == TENURE_OK) {
        note(tenure_lease_used_on((tenure_lease){any(&leases)}, (uint32_t)number()));
      }
      break;
    case 9:
      note(tenure_lease_drop((tenure_lease){any(&leases)}));
      break;
    case 10:
      KEEP(arenas, tenure_arena_open(runtime, &arena, (tenure_arena *)(void *)&out));
      break;
    case 11:
      note(tenure_arena_allocate((tenure_arena){pick(&arenas)}, size(), size(), &data));
      break;
    case 12:
      KEEP(marks, tenure_arena_mark((tenure_arena){pick(&arenas)}, (tenure_mark *)(void *)&out));
      break;
    default:
      note(below(4) == 0
                 ? tenure_arena_close((tenure_arena){any(&arenas)})
                 : tenure_arena_rewind((tenure_arena){pick(&arenas)}, (tenure_mark){any(&marks)}));
      break;
  }
}

static void open_any(void) {
  static const char *const options[] = {
      "heap_limit=8MiB,nursery=256KiB,old_start=1MiB,device=sim:8MiB",
      "heap_limit=8MiB,nursery=256KiB,mode=incremental,device=host,payload_budget=8MiB",
      "heap_limit=8MiB,nursery=256KiB,mode=manual,device=sim:8MiB",
      "heap_limit=8MiB,generations=1,device=sim:8MiB", "nursery=0"};
  tenure_runtime runtime;
  if (opened_count < kMostRuntimes &&
      note(tenure_runtime_create(options[below(5)], &runtime)) == TENURE_OK) {
    opened[opened_count++] = runtime.bits;
    add(&runtimes, runtime.bits);
  }
}

static void call_runtimes(void) {
  const tenure_runtime runtime = {pick(&runtimes)};
  const tenure_thread thread = {pick(&threads)};
  tenure_type_description description = {sizeof description, "fuzzed", 0, 0, 0};
  tenure_collection report;
  tenure_pool_statistics pool;
  struct { uint64_t bits; } out = {0};
  report.size = sizeof report;
  pool.size = sizeof pool;
  description.data_bytes = below(3) == 0 ? size() : below(64);
  description.references = below(9) == 0 ? (uint32_t)size() : (uint32_t)below(4);
  switch (below(40)) {
    case 0:
      open_any();
      break;
    case 1:
    case 20:
      KEEP(threads, tenure_thread_attach((tenure_runtime){pick(&runtimes)},
                                         (tenure_thread *)(void *)&out));
      break;
    case 2:
      if (below(3) == 0) note(tenure_thread_detach(thread));
      break;
    case 3:
      if (below(8) == 0) note(tenure_runtime_destroy(runtime, NULL));
      break;
    case 4:
      note(tenure_thread_go_away(thread));
      break;
    case 5:
    case 6:
    case 7:
    case 8:
      note(tenure_thread_come_back(thread));
      break;
    case 9:
      note(tenure_verify(runtime));
      break;
    case 10:
      note(tenure_trim(runtime, NULL));
      break;
    case 11:
      note(tenure_compact(runtime, &report));
      break;
    case 12:
      note(tenure_get_pool_statistics(runtime, number(), &pool));
      break;
    case 13:
    case 14:
    case 15:
    case 16:
    case 17:
      KEEP(types, tenure_type_register(&description, (tenure_type *)(void *)&out));
      break;
    case 18:
    case 19:
      note(tenure_thread_poll(thread));
      break;
    default:
      if (below(4) == 0) note(tenure_collect(runtime, (uint32_t)number(), &report));
      break;
  }
}

static pthread_t fuzzing;
static int pressed_depth;
static uint64_t pressed_calls;
/* Calls of anything, in the midst of a request. */
static void pressed(const tenure_pressure_call *call, void *user) {
  int k;
  (void)call;
  if (!pthread_equal(pthread_self(), fuzzing) || pressed_depth == 2) return;
  ++pressed_depth;
  ++pressed_calls;
  for (k = 0; user != NULL && k < 4; ++k) {
    call_objects();
    call_keeping();
    call_payloads();
    call_runtimes();
  }
  note(tenure_lease_drop((tenure_lease){any(&leases)}));
  if (below(4) == 0) note(tenure_hook_remove((tenure_hook){newest(&hooks)}));
  --pressed_depth;
}

static void call_maps_and_hooks(void) {
  const tenure_runtime runtime = {pick(&runtimes)};
  const tenure_thread thread = {pick(&threads)};
  const tenure_map map = {pick(&maps)};
  const tenure_ref key = {any(&refs)};
  void *const user = below(2) == 0 ? NULL : &state;
  struct { uint64_t bits; } out = {0};
  tenure_pressure pressure;
  uint32_t has;
  uint64_t entries;
  pressure.size = below(9) == 0 ? size() : sizeof pressure;
  if (pressure.size > sizeof pressure) pressure.size = sizeof pressure;
  switch (below(16)) {
    case 0:
      KEEP(maps, tenure_map_make(thread, (tenure_map *)(void *)&out));
      break;
    case 1:
      note(tenure_map_drop((tenure_map){any(&maps)}));
      break;
    case 2:
      note(tenure_map_erase(thread, map, key, below(2) ? NULL : &has));
      break;
    case 3:
      note(tenure_map_size(thread, map, &entries));
      break;
    case 4:
      if (below(4) == 0) {
        KEEP(hooks, tenure_on_pressure(runtime, pressed, user, (tenure_hook *)(void *)&out));
      }
      break;
    case 5:
      if (below(4) == 0) {
        KEEP(hooks, tenure_register_collector(runtime, below(2) ? "fuzz" : "", pressed, user,
                                              (tenure_hook *)(void *)&out));
      }
      break;
    case 6:
      note(tenure_hook_remove((tenure_hook){any(&hooks)}));
      break;
    case 7:
      if (below(8) == 0) note(tenure_get_pressure(runtime, &pressure));
      break;
    case 8:
    case 9:
    case 10:
    case 11:
      KEEP(refs, tenure_map_get(thread, map, key, (tenure_ref *)(void *)&out, NULL));
      break;
    default:
      note(tenure_map_set(thread, map, key, (tenure_ref){any(&refs)}));
      break;
  }
}

static uint64_t calls;

/* Where the newest attachment is of no use any more, there is another: else all that follows only
 * meets the first check. */
static void come_to_work(void) {
  struct {
    uint64_t bits;
  } out = {0};
  if (tenure_thread_poll((tenure_thread){newest(&threads)}) == TENURE_OK ||
      tenure_thread_come_back((tenure_thread){newest(&threads)}) == TENURE_OK) {
    return;
  }
  if (tenure_verify((tenure_runtime){newest(&runtimes)}) != TENURE_OK) {
    open_any();
  }
  KEEP(threads, tenure_thread_attach((tenure_runtime){newest(&runtimes)},
                                     (tenure_thread *)(void *)&out));
}

/* On a thread of its own: what is attached when it ends is detached. */
static void *fuzz(void *unused) {
  uint64_t k;
  fuzzing = pthread_self();
  add(&threads, attach_to((tenure_runtime){newest(&runtimes)}).bits);
  add(&types, node_type().bits);
  for (k = 0; k < calls; ++k) {
    const uint64_t kind = below(11);
    if (k % 16 == 0) come_to_work();
    if (kind < 4) {
      call_objects();
    } else if (kind < 7) {
      call_keeping();
    } else if (kind < 9) {
      call_payloads();
    } else if (kind < 10) {
      call_maps_and_hooks();
    } else {
      call_runtimes();
    }
  }
  return unused;
}

static void settle(void) {
  size_t k;
  for (k = 0; k < opened_count; ++k) {
    const tenure_runtime runtime = {opened[k]};
    const tenure_status sound = tenure_verify(runtime);
    if (sound == TENURE_OK) {
      EXPECT_OK(tenure_runtime_destroy(runtime, NULL));
    }
    EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_runtime_destroy(runtime, NULL));
  }
}

int main(int count, char **arguments) {
  const uint64_t seed = count > 1 ? strtoull(arguments[1], NULL, 10) : 1;
  pthread_t thread;
  calls = count > 2 ? strtoull(arguments[2], NULL, 10) : 100000;
  printf("fuzz: seed %llu, %llu calls\n", (unsigned long long)seed, (unsigned long long)calls);
  fflush(stdout);
  state = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
  opened[opened_count++] = open_runtime("heap_limit=8MiB,nursery=256KiB,device=sim:8MiB").bits;
  add(&runtimes, opened[0]);
  EXPECT(pthread_create(&thread, NULL, fuzz, NULL) == 0);
  EXPECT(pthread_join(thread, NULL) == 0);
  settle();
  printf("fuzz: sound; %llu calls succeeded, %llu deaths were told of, %llu callbacks asked to help, "
         "%llu runtimes were opened\n",
         (unsigned long long)succeeded, (unsigned long long)deaths,
         (unsigned long long)pressed_calls, (unsigned long long)opened_count);
  EXPECT(calls < 100000 || pressed_calls > 0);
  EXPECT(succeeded > calls / 4); /* else it sees nothing of what lies behind the checks */
  return 0;
}
