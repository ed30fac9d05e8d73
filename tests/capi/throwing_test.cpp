// Callbacks that throw, from C++ through the C ABI: what they throw is counted, and crosses nothing.
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

extern "C" {
#include <tenure/tenure.h>
}

namespace {

void expect(bool holds, const char* what) {
  if (!holds) {
    std::fprintf(stderr, "%s: %s\n", what, tenure_last_error());
    std::exit(1);
  }
}

void throw_from_finalizer(tenure_thread thread, tenure_ref dying, void*) {
  tenure_scope left_open;
  tenure_scope_open(thread, &left_open);
  tenure_ref copy;
  tenure_ref_copy(thread, dying, &copy);
  throw std::runtime_error("thrown by a finalizer");
}

void throw_a_number(tenure_thread, void*) { throw 42; }

}  // namespace

int main() {
  tenure_runtime runtime;
  tenure_thread thread;
  expect(tenure_runtime_create("", &runtime) == TENURE_OK, "create");
  expect(tenure_thread_attach(runtime, &thread) == TENURE_OK, "attach");
  const tenure_type_description description{sizeof description, "thrown", 8, 1, 0};
  tenure_type type;
  expect(tenure_type_register(&description, &type) == TENURE_OK, "register");
  tenure_ref object;
  tenure_weak weak;
  expect(tenure_allocate(thread, type, &object) == TENURE_OK, "allocate");
  expect(tenure_finalizer_set(thread, object, throw_from_finalizer, nullptr) == TENURE_OK, "set");
  expect(tenure_weak_make(thread, object, throw_a_number, nullptr, &weak) == TENURE_OK, "weak");
  expect(tenure_ref_release(thread, object) == TENURE_OK, "release");
  expect(tenure_collect(runtime, TENURE_ALL_GENERATIONS, nullptr) == TENURE_OK, "collect");

  std::uint64_t ran = 0;
  expect(tenure_finalizers_run(thread, &ran) == TENURE_OK && ran == 2, "run");

  tenure_statistics statistics{};
  statistics.size = sizeof statistics;
  expect(tenure_get_statistics(runtime, &statistics) == TENURE_OK, "statistics");
  expect(statistics.finalizers_failed == 2, "both throws are counted");
  expect(tenure_allocate(thread, type, &object) == TENURE_OK, "the thread works as before");
  expect(tenure_verify(runtime) == TENURE_OK, "verify");
  expect(tenure_runtime_destroy(runtime, nullptr) == TENURE_OK, "destroy");
  std::puts("throwing: all as expected");
}
