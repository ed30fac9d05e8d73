// Thrust's temporaries and containers in a pool, on its plain and its OpenMP back end.
#include "tenure/plugins/thrust_memory.hpp"

#include <gtest/gtest.h>
#include <thrust/host_vector.h>
#include <thrust/mr/allocator.h>
#include <thrust/mr/memory_resource.h>
#include <thrust/sequence.h>
#include <thrust/sort.h>
#include <thrust/system/cpp/execution_policy.h>
#include <thrust/system/cpp/pointer.h>
#include <thrust/system/omp/execution_policy.h>
#include <thrust/system/omp/pointer.h>

#include <algorithm>
#include <new>
#include <random>
#include <vector>

#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {
namespace {

struct Plain {
  static auto policy(ThrustAllocator& temporaries) { return thrust::cpp::par(temporaries); }
  using Pointer = thrust::cpp::pointer<void>;
};
struct OpenMp {
  static auto policy(ThrustAllocator& temporaries) { return thrust::omp::par(temporaries); }
  using Pointer = thrust::omp::pointer<void>;
};

template <class System>
class ThrustMemory : public RuntimeTest {
 protected:
  PoolStatistics pool() {
    for (const PoolStatistics& pool : runtime.statistics().pools) {
      if (pool.kind == MemoryKind::kHost) {
        return pool;
      }
    }
    return {};
  }
  AddressAllocator allocator{runtime, "thrust", MemoryKind::kHost};
};

using Systems = ::testing::Types<Plain, OpenMp>;
TYPED_TEST_SUITE(ThrustMemory, Systems);

TYPED_TEST(ThrustMemory, LendsTemporariesToAlgorithms) {
  std::mt19937 random(7);
  std::vector<unsigned> values(100'000);
  std::generate(values.begin(), values.end(), [&] { return static_cast<unsigned>(random()); });
  std::vector<unsigned> keys = values;
  std::vector<unsigned> expected = values;
  std::stable_sort(expected.begin(), expected.end());
  ThrustAllocator temporaries(this->allocator);

  thrust::stable_sort_by_key(TypeParam::policy(temporaries), keys.begin(), keys.end(),
                             values.begin());

  EXPECT_EQ(keys, expected);
  EXPECT_EQ(values, expected);
  EXPECT_GE(this->allocator.allocations(), 1u);
  EXPECT_GE(this->allocator.allocated(), Bytes{keys.size() * sizeof(unsigned)});
  EXPECT_EQ(this->pool().live_blocks, 0u);
}

TYPED_TEST(ThrustMemory, HoldsContainers) {
  using Resource = ThrustResource<thrust::mr::memory_resource<typename TypeParam::Pointer>>;
  Resource resource(this->allocator);
  {
    thrust::mr::allocator<int, Resource> elements(&resource);
    int* const first = thrust::raw_pointer_cast(elements.allocate(1000));
    std::fill_n(first, 1000, 3);
    EXPECT_EQ(first[999], 3);
    EXPECT_EQ(this->pool().live_blocks, 1u);
    using Pointer = typename decltype(elements)::pointer;
    elements.deallocate(Pointer(first), 1000);
  }
  EXPECT_EQ(this->pool().live_blocks, 0u);
  EXPECT_TRUE(resource.is_equal(resource));
  EXPECT_FALSE(resource.is_equal(Resource(this->allocator)));
}

// Not on OpenMP, out of whose loops no exception comes: the program ends there.
TEST(ThrustTemporaries, AreRefusedThroughTheAlgorithm) {
  Runtime runtime = value_or_throw(Runtime::open(small_config()));
  AddressAllocator allocator(runtime, "thrust", MemoryKind::kHost);
  ASSERT_TRUE(runtime.limit_client(allocator.client(), MemoryKind::kHost, {.hard = 1_KiB}).ok());
  std::vector<unsigned> keys(100'000);
  std::vector<unsigned> values(keys.size());
  thrust::sequence(keys.rbegin(), keys.rend());
  ThrustAllocator temporaries(allocator);

  EXPECT_THROW(thrust::stable_sort_by_key(thrust::cpp::par(temporaries), keys.begin(), keys.end(),
                                          values.begin()),
               std::bad_alloc);
}

TEST(ThrustVectors, LieInAPoolOfTheHost) {
  Runtime runtime = value_or_throw(Runtime::open(small_config()));
  AddressAllocator allocator(runtime, "thrust", MemoryKind::kHost);
  using Resource = ThrustResource<thrust::mr::memory_resource<void*>>;
  Resource resource(allocator);
  {
    thrust::host_vector<int, thrust::mr::allocator<int, Resource>> values(
        1000, 7, thrust::mr::allocator<int, Resource>(&resource));
    values.resize(5000, 8);
    EXPECT_EQ(values[999], 7);
    EXPECT_EQ(values[4999], 8);
    EXPECT_GE(allocator.allocated(), Bytes{6000 * sizeof(int)});
  }
  EXPECT_EQ(runtime.statistics().pools[0].live_blocks, 0u);
}

}  // namespace
}  // namespace tenure::testing
