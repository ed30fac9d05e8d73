/* Prints what a program compiled with the header relies on, a line a fact: tests/capi/abi.txt has them
 * as they were promised. */
#include <stdio.h>
#include <tenure/tenure.h>

#define SIZE(type) printf("size %s %lu\n", #type, (unsigned long)sizeof(type))
#define AT(type, member) printf("at %s.%s %lu\n", #type, #member, (unsigned long)offsetof(type, member))
#define VALUE(name) printf("value %s %ld\n", #name, (long)name)

int main(void) {
  SIZE(tenure_status);
  SIZE(tenure_runtime);
  SIZE(tenure_ref);
  SIZE(tenure_close_report);
  AT(tenure_close_report, finalizers_failed);
  SIZE(tenure_collection);
  AT(tenure_collection, full);
  AT(tenure_collection, finalizers_queued);
  SIZE(tenure_statistics);
  AT(tenure_statistics, heap_used);
  AT(tenure_statistics, finalizers_failed);
  SIZE(tenure_type_description);
  AT(tenure_type_description, references);
  SIZE(tenure_pool_statistics);
  AT(tenure_pool_statistics, refusals);
  SIZE(tenure_tensor_options);
  AT(tenure_tensor_options, rank);
  AT(tenure_tensor_options, shape);
  SIZE(tenure_view_options);
  AT(tenure_view_options, strides);
  SIZE(tenure_tensor);
  AT(tenure_tensor, is_view);
  AT(tenure_tensor, strides);
  SIZE(tenure_lease_options);
  AT(tenure_lease_options, stream);
  SIZE(tenure_pressure_call);
  AT(tenure_pressure_call, wanted);
  AT(tenure_pressure_call, of_system);
  SIZE(tenure_pressure);
  AT(tenure_pressure, pool_share);
  AT(tenure_pressure, reclaimable);
  SIZE(tenure_arena_options);
  AT(tenure_arena_options, stream);
  VALUE(TENURE_OUT_OF_MEMORY);
  VALUE(TENURE_CLOSED);
  VALUE(TENURE_INTERNAL);
  VALUE(TENURE_ASLEEP);
  VALUE(TENURE_DEVICE);
  VALUE(TENURE_COMPLEX128);
  return 0;
}
