/* The C ABI: a heap of objects that a collector owns, and payload memory in pools, for programs in C
 * and for whatever calls C. Link `libtenure` (CMake: tenure::c; pkg-config: tenure). C++ programs
 * include this within extern "C", or use <tenure/tenure.hpp>.
 *
 *   tenure_runtime runtime;
 *   tenure_thread thread;
 *   tenure_ref node;
 *   if (tenure_runtime_create("nursery=8MiB", &runtime) != TENURE_OK) puts(tenure_last_error());
 *   tenure_thread_attach(runtime, &thread);
 *   tenure_allocate(thread, node_type, &node);
 *
 * Every call that can fail gives a status; `tenure_last_error` then has a sentence. A call that fails
 * has changed nothing and written no output. Handles are numbers that are checked at each use: one
 * that is null, made up, of another kind, or given up before is TENURE_BAD_HANDLE, and one of another
 * thread TENURE_WRONG_THREAD. No exception leaves the library; one that a callback throws is counted.
 *
 * Objects move. A `tenure_ref` follows its object; an address from `tenure_data` is good until the
 * thread's next safepoint: any call that allocates, collects, polls, comes back or runs finalizers.
 *
 * Structs begin with their size, which the caller sets to sizeof: a program built with an older header
 * works with a newer library. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* ---- What calls give ------------------------------------------------------------------------- */

typedef enum tenure_status {
  TENURE_OK = 0,
  TENURE_OUT_OF_MEMORY = 1,  /* all was tried; the sentence names what is held, and by whom */
  TENURE_OVER_BUDGET = 2,    /* a limit that was set stands in the way */
  TENURE_DEVICE_REFUSED = 3, /* this call failed; the device is still usable */
  TENURE_DEVICE_LOST = 4,
  TENURE_UNSUPPORTED = 5,  /* not on this machine, or not in this build */
  TENURE_BAD_ARGUMENT = 6, /* null, zero, too large, or not of the kind that the call takes */
  TENURE_BAD_CONFIG = 7,
  TENURE_FILE = 8,
  TENURE_CLOSED = 9, /* the runtime is gone, or stayed with the parent of a fork */
  TENURE_BAD_HANDLE = 10,
  TENURE_WRONG_THREAD = 11,
  TENURE_BUSY = 12, /* not now: other threads, or a callback under way, need what would end */
  TENURE_INTERNAL = 13,
  TENURE_ASLEEP = 14 /* the memory of that kind was given away until it is woken */
} tenure_status;

/* The sentence of the calling thread's last call that failed; "" where none did. Good until its next
 * one; never null. At most 1023 bytes. */
const char* tenure_last_error(void);
/* "out of memory"; "unknown status" for any other number. */
const char* tenure_status_name(tenure_status status);
/* The library's version, "0.1.0". */
const char* tenure_version(void);

/* ---- Handles; all zero is null ---------------------------------------------------------------- */

typedef struct tenure_runtime {
  uint64_t bits;
} tenure_runtime;
typedef struct tenure_thread {
  uint64_t bits;
} tenure_thread; /* one thread's attachment */
typedef struct tenure_type {
  uint64_t bits;
} tenure_type; /* of the process; never ends */
typedef struct tenure_ref {
  uint64_t bits;
} tenure_ref; /* an object, kept by one thread */
typedef struct tenure_scope {
  uint64_t bits;
} tenure_scope;
typedef struct tenure_root {
  uint64_t bits;
} tenure_root; /* an object, kept by whoever holds it */
typedef struct tenure_pin {
  uint64_t bits;
} tenure_pin; /* an object that stays where it is */
typedef struct tenure_weak {
  uint64_t bits;
} tenure_weak; /* an object, not kept */
typedef struct tenure_map {
  uint64_t bits;
} tenure_map; /* from objects to objects, by identity; keeps no key */
typedef struct tenure_hook {
  uint64_t bits;
} tenure_hook; /* a callback that was added */
typedef struct tenure_lease {
  uint64_t bits;
} tenure_lease;
typedef struct tenure_arena {
  uint64_t bits;
} tenure_arena;
typedef struct tenure_mark {
  uint64_t bits;
} tenure_mark; /* where an arena stood */

/* ---- Runtimes: a heap, its pools, its collector. Anyone may call. ------------------------------ */

typedef struct tenure_close_report {
  uint64_t size;
  uint64_t payloads_returned;  /* owned by objects, handed back by closing */
  uint64_t leases_outstanding; /* these and the next two are inert from now on */
  uint64_t handles_outstanding;
  uint64_t pins_outstanding;
  uint64_t finalizers_run;
  uint64_t finalizers_failed; /* of these, the ones that threw */
} tenure_close_report;

#define TENURE_NO_GENERATION UINT32_MAX /* of a stop that only began or went on with a cycle */
#define TENURE_ALL_GENERATIONS UINT32_MAX

typedef struct tenure_collection {
  uint64_t size;
  uint32_t generation; /* 0 to this one were collected, or TENURE_NO_GENERATION */
  uint32_t full;       /* 1 where the oldest was among them */
  uint64_t pause_ns;
  uint64_t objects_copied;
  uint64_t objects_promoted;
  uint64_t objects_marked; /* in the oldest generation */
  uint64_t bytes_freed;    /* of objects */
  uint64_t payloads_retired;
  uint64_t payload_bytes_retired;
  uint64_t weak_cleared;
  uint64_t finalizers_queued;
} tenure_collection;

typedef struct tenure_statistics {
  uint64_t size;
  uint64_t collections;
  uint64_t young_collections;
  uint64_t full_collections;
  uint64_t pause_total_ns;
  uint64_t pause_max_ns;
  uint64_t pause_target_misses;
  uint64_t bytes_allocated;
  uint64_t heap_used; /* live, or not yet found dead */
  uint64_t heap_committed;
  uint64_t heap_limit;
  uint64_t payloads_retired;
  uint64_t payload_bytes_retired;
  uint64_t threads; /* attached */
  uint64_t roots;
  uint64_t pinned_objects;
  uint64_t weak_references;
  uint64_t finalizers_set;
  uint64_t finalizers_waiting;
  uint64_t finalizers_ran;
  uint64_t finalizers_failed;
} tenure_statistics;

/* Opens a runtime. `options` is "name=value,name=value" ("" or NULL: the defaults; `tenure doctor`
 * lists them); the environment (TENURE_NURSERY=8MiB) goes over it. */
tenure_status tenure_runtime_create(const char* options, tenure_runtime* runtime);
/* Ends it: finalizers run, memory goes back. The caller's own attachment ends with it; while another
 * thread is attached or inside a call, or from a callback, TENURE_BUSY. Roots, pins, weak references
 * and leases that are left are inert: they read as gone, and are dropped as ever. Arenas end. */
tenure_status tenure_runtime_destroy(tenure_runtime runtime, tenure_close_report* report_or_null);
/* Collects generations 0 to `last`; 0 is the young one, TENURE_ALL_GENERATIONS everything. */
tenure_status tenure_collect(tenure_runtime runtime, uint32_t last,
                             tenure_collection* report_or_null);
/* Collects everything, and packs the oldest generation. */
tenure_status tenure_compact(tenure_runtime runtime, tenure_collection* report_or_null);
/* Gives unused memory back to the system. */
tenure_status tenure_trim(tenure_runtime runtime, uint64_t* bytes_or_null);
/* Walks the heap in a stop and checks it; costs as much as a full collection. */
tenure_status tenure_verify(tenure_runtime runtime);
tenure_status tenure_get_statistics(tenure_runtime runtime, tenure_statistics* statistics);
/* Writes what lives, what refers to it and who owns payloads to a file, which is there whole or not at
 * all. `format` is "heapsnapshot" (Chrome's DevTools open it) or "json". Mutators stand still while
 * objects are copied as bytes, about 3 ms for 10^6 small ones; some 60 bytes an object are needed.
 * TENURE_FILE: it cannot be written. */
tenure_status tenure_runtime_write_snapshot(tenure_runtime runtime, const char* path,
                                            const char* format);

/* ---- Threads ---------------------------------------------------------------------------------- */

/* Attaches the calling thread: it may hold objects from here on. A thread attaches once to a runtime,
 * to several runtimes in turn, and detaches in the reverse order; one that ends is detached. 4095
 * attachments a process. An attached thread that computes long without allocating must poll, and one
 * that blocks must be away: collections wait for it. */
tenure_status tenure_thread_attach(tenure_runtime runtime, tenure_thread* thread);
/* All its references end. */
tenure_status tenure_thread_detach(tenure_thread thread);
/* A safepoint: stands still while somebody collects; callbacks whose turn it is run. */
tenure_status tenure_thread_poll(tenure_thread thread);
/* From here to `come_back` the thread touches no object, and collections do not wait for it. Its
 * references stay. */
tenure_status tenure_thread_go_away(tenure_thread thread);
tenure_status tenure_thread_come_back(tenure_thread thread);

/* ---- Types ------------------------------------------------------------------------------------ */

/* An object has `references` slots, all null at first, then `data_bytes` of plain data, all zero. */
typedef struct tenure_type_description {
  uint64_t size;
  const char* name; /* at most 255 bytes; copied */
  uint64_t data_bytes;
  uint32_t references;
  uint32_t reserved; /* 0 */
} tenure_type_description;

/* Registers a type for the process, or finds the one that was registered with the same description:
 * there are 65,536 at most. One of them must not be zero. */
tenure_status tenure_type_register(const tenure_type_description* description, tenure_type* type);

/* ---- Objects. The attached thread's own calls. ------------------------------------------------- */

/* Makes an object, kept by `*object` until it is released or its scope closes. A safepoint. */
tenure_status tenure_allocate(tenure_thread thread, tenure_type type, tenure_ref* object);
/* With `more` bytes of data behind those of its type. */
tenure_status tenure_allocate_sized(tenure_thread thread, tenure_type type, uint64_t more,
                                    tenure_ref* object);
/* An object of `length` reference slots, at most 2^31. */
tenure_status tenure_allocate_array(tenure_thread thread, uint64_t length, tenure_ref* object);

/* Stores `value`, which may be null, in slot number `slot`. */
tenure_status tenure_store(tenure_thread thread, tenure_ref object, uint32_t slot,
                           tenure_ref value);
/* `*value` is a reference of its own, or null where the slot is. */
tenure_status tenure_load(tenure_thread thread, tenure_ref object, uint32_t slot,
                          tenure_ref* value);
tenure_status tenure_slot_count(tenure_thread thread, tenure_ref object, uint32_t* slots);
/* The plain data, 8-aligned: at least the bytes asked for, rounded up to 8. Good until the next
 * safepoint. */
tenure_status tenure_data(tenure_thread thread, tenure_ref object, void** data,
                          uint64_t* bytes_or_null);
/* Null for arrays of references and for tensors. */
tenure_status tenure_type_of(tenure_thread thread, tenure_ref object, tenure_type* type);
/* Whether both name one object, or both are null: 0 or 1. */
tenure_status tenure_is_same(tenure_thread thread, tenure_ref a, tenure_ref b, uint32_t* same);

/* ---- Keeping objects -------------------------------------------------------------------------- */

/* Another reference to the same object. */
tenure_status tenure_ref_copy(tenure_thread thread, tenure_ref object, tenure_ref* copy);
/* The reference ends. 2^20 at a time a thread: TENURE_OUT_OF_MEMORY. */
tenure_status tenure_ref_release(tenure_thread thread, tenure_ref object);
/* References made from here on end when the scope closes, with all scopes opened since. */
tenure_status tenure_scope_open(tenure_thread thread, tenure_scope* scope);
/* `kept_or_null`: a reference that goes on, rewritten as one of the scope around. */
tenure_status tenure_scope_close(tenure_thread thread, tenure_scope scope,
                                 tenure_ref* kept_or_null);

/* A root lasts until it is dropped, in whatever thread; a lock to make and to get. */
tenure_status tenure_root_make(tenure_thread thread, tenure_ref object, tenure_root* root);
tenure_status tenure_root_get(tenure_thread thread, tenure_root root, tenure_ref* object);
tenure_status tenure_root_drop(tenure_root root);
/* Keeps the object, and its data at `*data_or_null`, until it is dropped. A pinned object holds back
 * 16 or 256 KiB around it. */
tenure_status tenure_pin_make(tenure_thread thread, tenure_ref object, tenure_pin* pin,
                              void** data_or_null);
tenure_status tenure_pin_drop(tenure_pin pin);

/* Where the object is now, for a table of the program's own; it is good until the next safepoint, or for as
 * long as a root callback names it. */
tenure_status tenure_place(tenure_thread thread, tenure_ref object, void** place);
/* A reference to the object at a place that is good; null for null. */
tenure_status tenure_ref_at(tenure_thread thread, void* place, tenure_ref* object);

/* Names the objects of a table in each collection, once in each of its stops: it calls `tenure_visit` for
 * every place, which is rewritten where the object moved, and nothing else; what touches objects or collects
 * is TENURE_BUSY or TENURE_BAD_HANDLE. It may run on a thread of the library's. `tenure_hook_remove` ends it,
 * outside of it. */
typedef struct tenure_root_visitor tenure_root_visitor;
typedef void (*tenure_root_callback)(tenure_root_visitor* visitor, void* user);
/* A safepoint, as its removal is. */
tenure_status tenure_add_root_callback(tenure_runtime runtime, tenure_root_callback callback,
                                       void* user, tenure_hook* hook);
/* `*place` is null, or an object's. It stays where it is, and what it was, until the collection ends. */
void tenure_visit(tenure_root_visitor* visitor, void** place);

/* Called on an attached thread of the runtime, in its polls and allocations, outside of stops. It may
 * call everything but to detach that thread or to end its runtime; references made in it end with it. */
typedef void (*tenure_death_callback)(tenure_thread thread, void* user);
typedef void (*tenure_finalizer)(tenure_thread thread, tenure_ref dying, void* user);

/* `on_death_or_null` is called once after the object died, unless the reference was dropped or the
 * runtime ended first. */
tenure_status tenure_weak_make(tenure_thread thread, tenure_ref object,
                               tenure_death_callback on_death_or_null, void* user,
                               tenure_weak* weak);
/* Null once the object died. */
tenure_status tenure_weak_get(tenure_thread thread, tenure_weak weak, tenure_ref* object);
tenure_status tenure_weak_drop(tenure_weak weak);

/* A weak map: a value lives as long as its key, also where it refers to that key. The collection that
 * finds a key dead drops its entry. One that outlives its runtime is inert, and is dropped as ever. */
tenure_status tenure_map_make(tenure_thread thread, tenure_map* map);
/* The value, which may be null, takes the place of the one before. */
tenure_status tenure_map_set(tenure_thread thread, tenure_map map, tenure_ref key,
                             tenure_ref value);
/* `*value` is null where the key has none, and `*has_or_null` 0. */
tenure_status tenure_map_get(tenure_thread thread, tenure_map map, tenure_ref key,
                             tenure_ref* value, uint32_t* has_or_null);
tenure_status tenure_map_erase(tenure_thread thread, tenure_map map, tenure_ref key,
                               uint32_t* erased_or_null);
/* Entries; those of dead keys that no collection found included. */
tenure_status tenure_map_size(tenure_thread thread, tenure_map map, uint64_t* entries);
tenure_status tenure_map_drop(tenure_map map);

/* Calls `finalizer` once, after the object died or when the runtime ends. Where it stores the object
 * within reach the object lives on, and its next death is final. */
tenure_status tenure_finalizer_set(tenure_thread thread, tenure_ref object,
                                   tenure_finalizer finalizer, void* user);
/* `*removed` is 0 where there was none, or its object died already. */
tenure_status tenure_finalizer_remove(tenure_thread thread, tenure_ref object,
                                      uint32_t* removed_or_null);
/* Runs what awaits its turn, death callbacks first. Nothing within a callback. */
tenure_status tenure_finalizers_run(tenure_thread thread, uint64_t* ran_or_null);

/* ---- Pressure on memory. Anyone may call. ------------------------------------------------------ */

enum {
  TENURE_PRESSURE_NONE = 0,
  TENURE_PRESSURE_MODERATE = 1, /* three quarters are in use */
  TENURE_PRESSURE_HIGH = 2,     /* nine tenths */
  TENURE_PRESSURE_CRITICAL = 3  /* 97 of 100, or a request was refused */
};

typedef struct tenure_pressure_call {
  uint64_t size;
  int32_t level;
  int32_t kind;       /* of the memory that is short: TENURE_HOST, ... */
  uint64_t wanted;    /* bytes that would have to come back for a request; 0: a level was passed */
  uint32_t of_system; /* 1: the machine is short, or the control group */
  uint32_t reserved;
} tenure_pressure_call;
/* Called on the thread that asks for memory, or on one of the library's, before a request is refused
 * and when a level is passed. The asking thread is away: it may drop what it holds, wait for other
 * threads and run foreign code; what touches objects, collects or ends the runtime is TENURE_BUSY. */
typedef void (*tenure_pressure_callback)(const tenure_pressure_call* call, void* user);

tenure_status tenure_on_pressure(tenure_runtime runtime, tenure_pressure_callback callback,
                                 void* user, tenure_hook* hook);
/* Another collector of the process, whose garbage holds payloads of this runtime: asked once a pool is
 * nine tenths full, and before a request is refused. `name`, of 1 to 255 bytes, is for reports. */
tenure_status tenure_register_collector(tenure_runtime runtime, const char* name,
                                        tenure_pressure_callback collect, void* user,
                                        tenure_hook* hook);
/* Ends either: once this returns no other thread runs it. It may end itself. */
tenure_status tenure_hook_remove(tenure_hook hook);

typedef struct tenure_pressure {
  uint64_t size;
  int32_t level;
  uint32_t reserved;
  double share; /* in use: the largest of those below */
  double heap_share;
  double system_share;  /* of the machine, or of the control group where that is tighter */
  double system_stall;  /* of the last ten seconds, the part in which a task waited for memory */
  double pool_share[4]; /* by kind; 0 of a pool that is not open */
  uint64_t reclaimable; /* bytes that collections could give back at the most */
} tenure_pressure;
/* Some 100 us. */
tenure_status tenure_get_pressure(tenure_runtime runtime, tenure_pressure* pressure);

/* ---- Payload memory: bytes in pools, of four kinds, reused in stream order ---------------------- */

enum { TENURE_HOST = 0, TENURE_PINNED = 1, TENURE_UNIFIED = 2, TENURE_DEVICE = 3 };
enum {
  TENURE_BOOL = 0,
  TENURE_INT8 = 1,
  TENURE_UINT8 = 2,
  TENURE_INT16 = 3,
  TENURE_INT32 = 4,
  TENURE_INT64 = 5,
  TENURE_FLOAT16 = 6,
  TENURE_BFLOAT16 = 7,
  TENURE_FLOAT32 = 8,
  TENURE_FLOAT64 = 9,
  TENURE_COMPLEX64 = 10,
  TENURE_COMPLEX128 = 11
};
enum { TENURE_MAX_RANK = 8, TENURE_DEFAULT_STREAM = 0 };

/* A new stream, in order by itself; streams end with their runtime, which has 1023 at most. */
tenure_status tenure_stream_make(tenure_runtime runtime, uint32_t* stream);

typedef struct tenure_pool_statistics {
  uint64_t size;
  uint64_t live; /* bytes leased, as asked for */
  uint64_t reserved;
  uint64_t peak_live;
  uint64_t peak_reserved;
  uint64_t live_blocks;
  uint64_t leases; /* all that ever were; so the next three */
  uint64_t returns;
  uint64_t device_waits;
  uint64_t refusals;
} tenure_pool_statistics;

/* All zero for a pool that nobody has used. */
tenure_status tenure_get_pool_statistics(tenure_runtime runtime, int32_t kind,
                                         tenure_pool_statistics* statistics);

typedef struct tenure_tensor_options {
  uint64_t size;
  int32_t element;
  int32_t kind;
  uint32_t stream; /* the first and main user */
  uint32_t rank;   /* 0 to 8 */
  int64_t shape[TENURE_MAX_RANK];
} tenure_tensor_options;

typedef struct tenure_view_options {
  uint64_t size;
  int64_t offset; /* of the first element, in elements from the base's first */
  uint32_t rank;
  uint32_t reserved; /* 0 */
  int64_t shape[TENURE_MAX_RANK];
  int64_t strides[TENURE_MAX_RANK]; /* in elements, 0 and more */
} tenure_view_options;

typedef struct tenure_tensor {
  uint64_t size;
  void* data;     /* the first element; stays where it is; null once released, or where empty */
  uint64_t bytes; /* of its elements */
  int32_t element;
  int32_t kind;
  uint32_t stream;
  uint32_t rank;
  uint32_t is_view;
  uint32_t reserved;
  int64_t shape[TENURE_MAX_RANK];
  int64_t strides[TENURE_MAX_RANK];
} tenure_tensor;

/* An object that owns row-major bytes in a pool; they go back when it is found dead. */
tenure_status tenure_tensor_make(tenure_thread thread, const tenure_tensor_options* options,
                                 tenure_ref* tensor);
/* Shares the bytes of `base`, and keeps them. */
tenure_status tenure_tensor_view(tenure_thread thread, tenure_ref base,
                                 const tenure_view_options* options, tenure_ref* view);
tenure_status tenure_tensor_describe(tenure_thread thread, tenure_ref tensor, tenure_tensor* out);
/* Work put on `stream` so far uses the bytes: they are not reused before it is done. */
tenure_status tenure_tensor_used_on(tenure_thread thread, tenure_ref tensor, uint32_t stream);
/* Hands the bytes back now; its views have none either. Twice is as good as once. */
tenure_status tenure_tensor_release(tenure_thread thread, tenure_ref tensor);

typedef struct tenure_lease_options {
  uint64_t size;
  uint64_t bytes; /* 1 and more */
  int32_t kind;
  uint32_t stream;
} tenure_lease_options;

/* Bytes that belong to no object. Anyone may call, for all four. A safepoint for an attached thread. */
tenure_status tenure_lease_make(tenure_runtime runtime, const tenure_lease_options* options,
                                tenure_lease* lease);
tenure_status tenure_lease_data(tenure_lease lease, void** data, uint64_t* bytes_or_null);
tenure_status tenure_lease_used_on(tenure_lease lease, uint32_t stream);
tenure_status tenure_lease_drop(tenure_lease lease);

typedef struct tenure_arena_options {
  uint64_t size;
  uint64_t chunk_bytes; /* leased at a time; 0: 2 MiB */
  int32_t kind;
  uint32_t stream;
} tenure_arena_options;

/* Many allocations with one end. One thread at a time uses an arena: others get TENURE_BUSY. */
tenure_status tenure_arena_open(tenure_runtime runtime, const tenure_arena_options* options,
                                tenure_arena* arena);
/* `alignment`: a power of two up to 64 KiB. A safepoint where a chunk is used up. */
tenure_status tenure_arena_allocate(tenure_arena arena, uint64_t bytes, uint64_t alignment,
                                    void** data);
/* Marks nest: going back to one frees all that was allocated since, and ends the marks made since. */
tenure_status tenure_arena_mark(tenure_arena arena, tenure_mark* mark);
tenure_status tenure_arena_rewind(tenure_arena arena, tenure_mark mark);
tenure_status tenure_arena_close(tenure_arena arena);
