#include "tenure/plugins/dlpack.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <limits>
#include <string>
#include <thread>

#include "tests/support/runtime_fixture.hpp"

namespace tenure::testing {
namespace {

class DlPack : public RuntimeTest {
 protected:
  std::uint64_t live_blocks() {
    std::uint64_t blocks = 0;
    for (const PoolStatistics& pool : runtime.statistics().pools) {
      blocks += pool.live_blocks;
    }
    return blocks;
  }
  Result<dlpack::ManagedTensor*> lease(std::vector<std::int64_t> shape,
                                       dlpack::DataType type = {dlpack::TypeCode::kFloat, 32},
                                       dlpack::Device device = {}) {
    return dlpack::lease(runtime, {.device = device,
                                   .rank = static_cast<std::int32_t>(shape.size()),
                                   .type = type,
                                   .shape = shape.data()});
  }
};

TEST_F(DlPack, SharesATensorWithoutACopyUntilItsDeleterIsCalled) {
  dlpack::ManagedTensor* shared = nullptr;
  {
    const Handle<Tensor> tensor(value_or_throw(make_tensor(
        *mutator, {3, 5}, {.element = ElementType::kInt16, .kind = MemoryKind::kHost})));
    std::memset(tensor->data(), 7, 30);
    shared = dlpack::share(runtime, tensor);
    EXPECT_EQ(shared->tensor.data, tensor->data());
  }
  collect_full();
  collect_full();

  EXPECT_EQ(shared->version.major, 1u);
  EXPECT_EQ(shared->tensor.rank, 2);
  EXPECT_EQ(shared->tensor.shape[0], 3);
  EXPECT_EQ(shared->tensor.shape[1], 5);
  EXPECT_EQ(shared->tensor.strides[0], 5);
  EXPECT_EQ(shared->tensor.strides[1], 1);
  EXPECT_EQ(shared->tensor.type, (dlpack::DataType{dlpack::TypeCode::kInt, 16}));
  EXPECT_EQ(shared->tensor.device.type, dlpack::DeviceType::kCpu);
  EXPECT_EQ(static_cast<const std::int16_t*>(shared->tensor.data)[14], 0x0707);
  EXPECT_EQ(objects(), 1u);

  std::thread([shared] { shared->deleter(shared); }).join();
  collect_full();

  EXPECT_EQ(objects(), 0u);
  EXPECT_EQ(live_blocks(), 0u);
}

TEST_F(DlPack, SharesAViewByItsStrides) {
  const Local<Tensor> base = value_or_throw(make_tensor(*mutator, {4, 4}));
  constexpr std::array<std::int64_t, 2> kTransposed{1, 4};
  const Handle<Tensor> view(value_or_throw(make_view(*mutator, base, {2, 3}, kTransposed, 1)));

  dlpack::ManagedTensor* const shared = dlpack::share(runtime, view);

  EXPECT_EQ(shared->tensor.data, base->data() + 4);
  EXPECT_EQ(shared->tensor.strides[1], 4);
  shared->deleter(shared);
}

TEST_F(DlPack, KnowsEachElementTypeByItsBits) {
  for (int element = 0; element <= static_cast<int>(ElementType::kComplex128); ++element) {
    const auto type = static_cast<ElementType>(element);
    EXPECT_EQ(dlpack::data_type_of(type).bits, 8 * bytes_of(type)) << to_string(type);
    EXPECT_NE(dlpack::data_type_of(type).code, dlpack::TypeCode::kOpaque) << to_string(type);
  }
}

TEST_F(DlPack, LeasesWhatOthersAskForAndTakesItBack) {
  dlpack::ManagedTensor* const fresh = value_or_throw(lease({100, 3}));
  EXPECT_EQ(live_blocks(), 1u);
  EXPECT_EQ(fresh->tensor.strides[0], 3);
  EXPECT_EQ(fresh->tensor.shape[0], 100);
  std::memset(fresh->tensor.data, 1, 1200);

  fresh->deleter(fresh);

  EXPECT_EQ(live_blocks(), 0u);
}

TEST_F(DlPack, LeasesPackedElementsByTheirBits) {
  dlpack::ManagedTensor* const packed =
      value_or_throw(lease({1024}, {dlpack::TypeCode::kUnsigned, 4}));
  const Statistics statistics = runtime.statistics();
  EXPECT_EQ(statistics.pools.front().live, 512_B);
  packed->deleter(packed);

  dlpack::ManagedTensor* const empty = value_or_throw(lease({0, 1 << 20, 1 << 20}));
  EXPECT_EQ(empty->tensor.data, nullptr);
  EXPECT_EQ(live_blocks(), 0u);
  empty->deleter(empty);
}

TEST_F(DlPack, RefusesWhatCannotBe) {
  constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();
  const auto code = [](const Result<dlpack::ManagedTensor*>& result) {
    EXPECT_FALSE(result.ok());
    return result.ok() ? ErrorCode::kClosed : result.failure().code;
  };
  EXPECT_EQ(code(lease({-1})), ErrorCode::kBadArgument);
  EXPECT_EQ(code(lease({kHuge, kHuge})), ErrorCode::kBadArgument);
  EXPECT_EQ(code(lease({1, 1, 1, 1, 1, 1, 1, 1, 1})), ErrorCode::kBadArgument);
  EXPECT_EQ(code(lease({1}, {dlpack::TypeCode::kFloat, 0})), ErrorCode::kBadArgument);
  EXPECT_EQ(code(lease({std::int64_t{1} << 50})), ErrorCode::kOutOfMemory);
  EXPECT_EQ(code(lease({1}, {}, {dlpack::DeviceType::kCuda})), ErrorCode::kUnsupported);
  EXPECT_EQ(code(lease({1}, {}, {dlpack::DeviceType::kCpu, 1})), ErrorCode::kUnsupported);
  EXPECT_EQ(code(lease({1}, {}, {static_cast<dlpack::DeviceType>(7)})), ErrorCode::kUnsupported);
  EXPECT_EQ(live_blocks(), 0u);
}

}  // namespace
}  // namespace tenure::testing
