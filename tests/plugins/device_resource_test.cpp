#include "tenure/plugins/device_resource.hpp"

#include <gtest/gtest.h>

#include <concepts>
#include <cstdint>
#include <new>
#include <string>
#include <type_traits>

#include "core/payload/block.hpp"
#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {
namespace {

static_assert(kPayloadAlignment == kBlockStep);

// Streams as CUDA's libraries wrap them.
struct StreamRef {
  int* handle;
  int* get() const { return handle; }
};
struct StreamView {
  int* handle;
  int* value() const { return handle; }
};
struct DeviceAccessible {};
struct HostAccessible {};

// Source: cuda::mr::resource and async_resource of CCCL 2 and 3.0.
template <class R>
concept Cccl30 = std::equality_comparable<R> && std::copyable<R> &&
    requires(R r, void* p, std::size_t n, StreamRef s) {
  { r.allocate(n, n) } -> std::same_as<void*>;
  { r.deallocate(p, n, n) } -> std::same_as<void>;
  { r.allocate_async(n, n, s) } -> std::same_as<void*>;
  { r.deallocate_async(p, n, n, s) } -> std::same_as<void>;
};
// Source: cuda::mr::synchronous_resource and resource of CCCL 3.1 and later.
template <class R>
concept Cccl31 = std::equality_comparable<R> && std::copyable<R> &&
    requires(R r, void* p, std::size_t n, StreamRef s) {
  { r.allocate_sync(n, n) } -> std::same_as<void*>;
  { r.deallocate_sync(p, n, n) }
  noexcept->std::same_as<void>;
  { r.allocate(s, n, n) } -> std::same_as<void*>;
  { r.deallocate(s, p, n, n) }
  noexcept->std::same_as<void>;
};
template <class R, class Property>
concept Has = requires(const R& r) {
  get_property(r, Property{});
};

using Pool = DeviceResource<DeviceAccessible>;
using Pinned = DeviceResource<DeviceAccessible, HostAccessible>;
static_assert(Cccl30<Pool> && Cccl31<Pool> && Cccl30<Pinned> && Cccl31<Pinned>);
static_assert(Has<Pool, DeviceAccessible> && !Has<Pool, HostAccessible>);
static_assert(Has<Pinned, DeviceAccessible> && Has<Pinned, HostAccessible>);

Config checked_config() {
  Config config = small_config();
  config.check = Check::kPayload;  // so that the pool can be asked who may use what
  return config;
}

class DeviceResources : public RuntimeTest {
 protected:
  DeviceResources() : RuntimeTest(checked_config()) {}
  bool may_use(void* bytes, Bytes size, void* stream) {
    return runtime
        .check_use({static_cast<std::byte*>(bytes), size, MemoryKind::kDevice},
                   value_or_throw(runtime.adopt_stream(stream)))
        .ok();
  }
  std::uint64_t live() { return runtime.statistics().pools[0].live_blocks; }
  Pool pool{runtime, "cudf"};
  int first = 0;
  int second = 0;
};

TEST_F(DeviceResources, GiveInStreamOrderInBothSpellings) {
  void* const a = pool.allocate(StreamRef{&first}, 1 << 20, 256);
  void* const b = pool.allocate_async(1 << 20, 256, StreamView{&second});
  void* const c = pool.allocate_async(1 << 20, &second);

  EXPECT_TRUE(may_use(a, 1_MiB, &first));
  EXPECT_FALSE(may_use(a, 1_MiB, &second));
  EXPECT_TRUE(may_use(b, 1_MiB, &second));
  EXPECT_TRUE(may_use(c, 1_MiB, &second));
  EXPECT_EQ(live(), 3u);
  pool.deallocate(StreamRef{&first}, a, 1 << 20, 256);
  pool.deallocate_async(b, 1 << 20, 256, StreamView{&second});
  pool.deallocate_async(c, 1 << 20, &second);
  EXPECT_EQ(live(), 0u);
}

TEST_F(DeviceResources, GiveWithoutAStreamInBothSpellings) {
  void* const a = pool.allocate_sync(100);
  void* const b = pool.allocate(100, 64);

  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(a) % kPayloadAlignment, 0u);
  pool.deallocate_sync(a, 100);
  pool.deallocate(b, 100, 64);
  EXPECT_EQ(live(), 0u);
}

TEST_F(DeviceResources, GiveAnAddressForNothing) {
  void* const a = pool.allocate(StreamRef{&first}, 0, 1);
  EXPECT_NE(a, nullptr);
  pool.deallocate(StreamRef{&first}, a, 0, 1);
}

TEST_F(DeviceResources, ThrowABadAllocThatSaysWhy) {
  try {
    (void)pool.allocate(StreamRef{&first}, std::size_t{2} << 30, 256);
    FAIL() << "2 GiB fitted into 1 GiB";
  } catch (const std::bad_alloc& thrown) {
    EXPECT_NE(std::string(thrown.what()).find("2 GiB"), std::string::npos) << thrown.what();
  }
  EXPECT_THROW((void)pool.allocate_sync(100, 4096), std::bad_alloc);
}

TEST_F(DeviceResources, AreEqualToTheirCopiesAlone) {
  const Pool copy = pool;
  const Pool other(runtime, "cudf");

  EXPECT_TRUE(copy == pool);
  EXPECT_FALSE(other == pool);
}

struct OutOfMemory : std::runtime_error {
  explicit OutOfMemory(const char* why) : std::runtime_error(why) {}
};

TEST_F(DeviceResources, AreCallbacksOfOthersAndThrowTheirError) {
  AddressAllocator allocator(runtime, "rmm");
  auto* const allocate = callback_allocate<StreamView, OutOfMemory>;
  auto* const deallocate = callback_deallocate<StreamView>;
  static_assert(std::is_same_v<decltype(allocate), void* (*const)(std::size_t, StreamView, void*)>);

  void* const a = allocate(1 << 20, StreamView{&first}, &allocator);

  EXPECT_TRUE(may_use(a, 1_MiB, &first));
  EXPECT_THROW((void)allocate(std::size_t{2} << 30, StreamView{&first}, &allocator), OutOfMemory);
  deallocate(a, 1 << 20, StreamView{&first}, &allocator);
  EXPECT_EQ(live(), 0u);
}

}  // namespace
}  // namespace tenure::testing
