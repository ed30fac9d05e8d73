/* What the C tests say: a condition that must hold, a call that must succeed, one that must fail with
 * a status and a sentence. The first that is not so ends the program with its line. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tenure/tenure.h>

static inline void check_that(int holds, const char* what, const char* file, int line) {
  if (!holds) {
    fprintf(stderr, "%s:%d: %s (last error: %s)\n", file, line, what, tenure_last_error());
    exit(1);
  }
}

static inline void check_status(tenure_status got, tenure_status wanted, const char* call,
                                const char* file, int line) {
  if (got != wanted || (wanted != TENURE_OK && strlen(tenure_last_error()) < 10)) {
    fprintf(stderr, "%s:%d: %s gave \"%s\", not \"%s\" (last error: %s)\n", file, line, call,
            tenure_status_name(got), tenure_status_name(wanted), tenure_last_error());
    exit(1);
  }
}

#define EXPECT(condition) check_that((condition) ? 1 : 0, #condition, __FILE__, __LINE__)
#define EXPECT_OK(call) check_status((call), TENURE_OK, #call, __FILE__, __LINE__)
#define EXPECT_FAILS(status, call) check_status((call), (status), #call, __FILE__, __LINE__)

/* A node with two references and a number, which most tests use. */
static inline tenure_type node_type(void) {
  tenure_type_description description = {sizeof description, "c node", 8, 2, 0};
  tenure_type type;
  EXPECT_OK(tenure_type_register(&description, &type));
  return type;
}

static inline tenure_runtime open_runtime(const char* options) {
  tenure_runtime runtime;
  EXPECT_OK(tenure_runtime_create(options, &runtime));
  return runtime;
}

static inline tenure_thread attach_to(tenure_runtime runtime) {
  tenure_thread thread;
  EXPECT_OK(tenure_thread_attach(runtime, &thread));
  return thread;
}

static inline int64_t* number_of(tenure_thread thread, tenure_ref object) {
  void* data = NULL;
  EXPECT_OK(tenure_data(thread, object, &data, NULL));
  return data;
}

static inline tenure_statistics statistics_of(tenure_runtime runtime) {
  tenure_statistics statistics;
  statistics.size = sizeof statistics;
  EXPECT_OK(tenure_get_statistics(runtime, &statistics));
  return statistics;
}
