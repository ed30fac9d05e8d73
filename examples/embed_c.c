/* Tenure embedded in plain C: a cache of documents, each a node that owns its words and may refer to
 * others, in cycles. Nothing is freed by hand; numbers that belong to a document lie in a pool and go
 * back with it.
 *
 *   cc embed_c.c $(pkg-config --cflags --libs tenure) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tenure/tenure.h>

enum { kDocuments = 2000, kCached = 100, kNext = 0, kVector = 1, kSlots = 2 };

/* Most calls fail for one reason only, and then there is nothing to do but to say so. */
static void must(tenure_status status) {
  if (status != TENURE_OK) {
    fprintf(stderr, "%s: %s\n", tenure_status_name(status), tenure_last_error());
    exit(1);
  }
}

static void say_goodbye(tenure_thread thread, tenure_ref dying, void *user) {
  (void)thread;
  (void)dying;
  ++*(int *)user;
}

/* A document with its text behind it, and a vector of 256 numbers in a pool. */
static tenure_ref make_document(tenure_thread thread, tenure_type type, int number) {
  tenure_tensor_options options = {sizeof options, TENURE_FLOAT32, TENURE_HOST, 0, 1, {256}};
  tenure_scope scope;
  tenure_ref document, vector;
  char text[64];
  void *data;

  must(tenure_scope_open(thread, &scope));
  sprintf(text, "document %d", number);
  must(tenure_allocate_sized(thread, type, strlen(text) + 1, &document));
  must(tenure_tensor_make(thread, &options, &vector));
  must(tenure_store(thread, document, kVector, vector));
  must(tenure_data(thread, document, &data, NULL)); /* good until the next safepoint */
  strcpy(data, text);
  must(tenure_scope_close(thread, scope, &document)); /* the vector's reference ends here */
  return document;
}

int main(void) {
  tenure_type_description description = {sizeof description, "document", 0, kSlots, 0};
  tenure_runtime runtime;
  tenure_thread thread;
  tenure_type type;
  tenure_ref cache, document, before = {0};
  tenure_collection report;
  tenure_close_report closed;
  void *text;
  int finalized = 0, k;
  report.size = sizeof report;
  closed.size = sizeof closed;

  must(tenure_runtime_create("nursery=1MiB,device=host", &runtime));
  must(tenure_thread_attach(runtime, &thread));
  must(tenure_type_register(&description, &type));
  must(tenure_allocate_array(thread, kCached, &cache));

  for (k = 0; k < kDocuments; ++k) {
    document = make_document(thread, type, k);
    must(tenure_store(thread, cache, (uint32_t)(k % kCached), document)); /* the oldest drops out */
    if (k % 2 == 1) { /* pairs that refer to each other: no count of references would free them */
      must(tenure_store(thread, document, kNext, before));
      must(tenure_store(thread, before, kNext, document));
      must(tenure_ref_release(thread, before));
      must(tenure_ref_release(thread, document));
    } else {
      before = document;
    }
  }
  must(tenure_load(thread, cache, 0, &document));
  must(tenure_finalizer_set(thread, document, say_goodbye, &finalized));
  must(tenure_ref_release(thread, document));

  must(tenure_collect(runtime, TENURE_ALL_GENERATIONS, &report));
  must(tenure_load(thread, cache, kCached - 1, &document));
  must(tenure_data(thread, document, &text, NULL));
  printf("the newest is %s\n", (const char *)text);

  must(tenure_ref_release(thread, document));
  must(tenure_ref_release(thread, cache));
  must(tenure_collect(runtime, TENURE_ALL_GENERATIONS, &report));
  printf("%llu vectors came back with the cache\n", (unsigned long long)report.payloads_retired);

  /* A mistake is a status and a sentence, here as everywhere. */
  if (tenure_ref_release(thread, cache) == TENURE_BAD_HANDLE) {
    printf("twice: %s\n", tenure_last_error());
  }
  must(tenure_runtime_destroy(runtime, &closed));
  printf("%d finalizer ran, and the %llu vectors that it kept came back\n", finalized,
         (unsigned long long)closed.payloads_returned);
  return 0;
}
