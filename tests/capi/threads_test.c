/* Foreign threads: attached by the C ABI, working beside each other and beside collections; handles of
 * one are another's mistake; a thread that ends without a word is detached. */
#include <pthread.h>

#include "check.h"

enum { kThreads = 3, kRounds = 3000 };

static tenure_runtime runtime;
static tenure_thread first;
static tenure_ref first_node;
static tenure_root shared;

static void *work(void *unused) {
  const tenure_thread thread = attach_to(runtime);
  const tenure_type type = node_type();
  tenure_ref list, array, got;
  int64_t k;
  EXPECT_OK(tenure_allocate_array(thread, kRounds, &list));
  for (k = 0; k < kRounds; ++k) {
    tenure_ref node;
    EXPECT_OK(tenure_allocate(thread, type, &node));
    *number_of(thread, node) = k;
    EXPECT_OK(tenure_store(thread, list, (uint32_t)k, node));
    EXPECT_OK(tenure_ref_release(thread, node));
    if (k % 500 == 0) {
      EXPECT_OK(tenure_collect(runtime, (uint32_t)(k / 500 % 3), NULL));
    }
  }
  for (k = 0; k < kRounds; ++k) {
    EXPECT_OK(tenure_load(thread, list, (uint32_t)k, &got));
    EXPECT(*number_of(thread, got) == k);
    EXPECT_OK(tenure_ref_release(thread, got));
  }
  /* What is kept by a root is anybody's. */
  EXPECT_OK(tenure_root_get(thread, shared, &array));
  EXPECT_OK(tenure_load(thread, array, 0, &got));
  EXPECT(*number_of(thread, got) == 42);
  EXPECT_OK(tenure_thread_detach(thread));
  return unused;
}

static void *misuse(void *unused) {
  tenure_ref got;
  EXPECT(strcmp(tenure_last_error(), "") == 0);
  EXPECT_FAILS(TENURE_WRONG_THREAD, tenure_load(first, first_node, 0, &got));
  EXPECT_FAILS(TENURE_WRONG_THREAD, tenure_thread_detach(first));
  EXPECT_FAILS(TENURE_WRONG_THREAD, tenure_thread_come_back(first));
  EXPECT_FAILS(TENURE_BUSY, tenure_runtime_destroy(runtime, NULL));
  {
    const tenure_thread own = attach_to(runtime);
    EXPECT_FAILS(TENURE_BAD_HANDLE, tenure_ref_release(own, first_node));
    EXPECT_OK(tenure_allocate(own, node_type(), &got));
    EXPECT_OK(tenure_thread_go_away(own));
  }
  return unused; /* attached, and away: ended with the thread */
}

static void run(void *(*body)(void *), int threads) {
  pthread_t ids[kThreads];
  int k;
  EXPECT_OK(tenure_thread_go_away(first)); /* whoever waits is away */
  for (k = 0; k < threads; ++k) {
    EXPECT(pthread_create(&ids[k], NULL, body, NULL) == 0);
  }
  for (k = 0; k < threads; ++k) {
    EXPECT(pthread_join(ids[k], NULL) == 0);
  }
  EXPECT_OK(tenure_thread_come_back(first));
}

static void run_on_mode(const char *options) {
  tenure_ref array;
  runtime = open_runtime(options);
  first = attach_to(runtime);
  EXPECT_OK(tenure_allocate_array(first, 1, &array));
  EXPECT_OK(tenure_allocate(first, node_type(), &first_node));
  *number_of(first, first_node) = 42;
  EXPECT_OK(tenure_store(first, array, 0, first_node));
  EXPECT_OK(tenure_root_make(first, array, &shared));

  run(work, kThreads);
  run(misuse, 1);

  EXPECT(statistics_of(runtime).threads == 1);
  EXPECT_OK(tenure_verify(runtime));
  EXPECT_OK(tenure_root_drop(shared));
  EXPECT_OK(tenure_thread_detach(first));
  EXPECT_OK(tenure_runtime_destroy(runtime, NULL));
}

int main(void) {
  run_on_mode("nursery=256KiB");
  run_on_mode("nursery=256KiB,mode=concurrent,old_start=1MiB");
  puts("threads: all as expected");
  return 0;
}
