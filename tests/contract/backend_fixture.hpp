// The fixture of the backend contract. Contents are read and written by `fill` and `copy` alone, so
// that the suite holds for memory that the host cannot follow.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <tuple>

#include "core/backend/backend.hpp"
#include "core/backend/platform.hpp"

namespace tenure {
// How a test's name and its failures show a kind.
inline void PrintTo(MemoryKind kind, std::ostream* out) { *out << to_string(kind); }
}  // namespace tenure

namespace tenure::testing {

/// How to open a backend; `capacity` is that of the kind under test, and of those that share it. Null
/// where this machine has none.
struct BackendOpener {
  std::string name;
  std::function<std::unique_ptr<Backend>(Bytes capacity)> open;
};
inline std::ostream& operator<<(std::ostream& out, const BackendOpener& opener) {
  return out << opener.name;
}

using BackendCase = std::tuple<BackendOpener, MemoryKind>;

inline std::string case_name(const ::testing::TestParamInfo<BackendCase>& info) {
  return std::get<0>(info.param).name + "_" + std::string(to_string(std::get<1>(info.param)));
}

inline auto all_kinds() {
  return ::testing::Values(MemoryKind::kHost, MemoryKind::kPinned, MemoryKind::kUnified,
                           MemoryKind::kDevice);
}

class BackendContract : public ::testing::TestWithParam<BackendCase> {
 protected:
  static constexpr Bytes kCapacity = 64_MiB;
  static constexpr StreamId kUnknown{1234};

  void SetUp() override {
    backend = std::get<0>(GetParam()).open(kCapacity);
    kind = std::get<1>(GetParam());
    if (backend == nullptr) GTEST_SKIP() << "this machine has no " << std::get<0>(GetParam()).name;
    if (!backend->traits(kind).supported) GTEST_SKIP() << backend->traits(kind).note;
    granule = backend->traits(kind).granularity;
  }

  bool can_map() const { return backend->traits(kind).can_map; }
  AddressRange reserve(std::uint64_t granules) {
    Result<AddressRange> range = backend->reserve(kind, granule * granules);
    EXPECT_TRUE(range.ok()) << range.failure().message;
    return range ? *range : AddressRange{};
  }
  void map(const AddressRange& range, std::uint64_t first, std::uint64_t granules) {
    const Result<void> mapped = backend->map(range, granule * first, granule * granules);
    ASSERT_TRUE(mapped.ok()) << mapped.failure().message;
  }
  // A range that is mapped as a whole; of a kind that cannot be mapped, a block.
  AddressRange mapped_range(std::uint64_t granules) {
    if (!can_map()) {
      const Result<std::byte*> block = backend->allocate(kind, granule * granules);
      EXPECT_TRUE(block.ok()) << block.failure().message;
      return {block ? *block : nullptr, granule * granules, kind};
    }
    const AddressRange range = reserve(granules);
    map(range, 0, granules);
    return range;
  }
  StreamId make_stream() {
    const Result<StreamId> stream = backend->make_stream();
    EXPECT_TRUE(stream.ok()) << stream.failure().message;
    return stream ? *stream : StreamId::kDefault;
  }

  void fill(std::byte* to, int value, Bytes size, StreamId stream = StreamId::kDefault) {
    const Result<void> filled = backend->fill(stream, to, static_cast<std::byte>(value), size);
    ASSERT_TRUE(filled.ok()) << filled.failure().message;
  }
  StreamEvent record(StreamId stream) {
    const Result<StreamEvent> event = backend->record(stream);
    EXPECT_TRUE(event.ok()) << event.failure().message;
    return event ? *event : StreamEvent{};
  }
  // The byte at `from`, once all work put on the stream so far is done.
  int read(const std::byte* from, StreamId stream = StreamId::kDefault) {
    std::byte value{};
    EXPECT_TRUE(backend->copy(stream, &value, from, Bytes{1}).ok());
    EXPECT_TRUE(backend->synchronize(record(stream)).ok());
    return std::to_integer<int>(value);
  }
  std::byte* at(const AddressRange& range, std::uint64_t granules) const {
    return range.base + (granule * granules).count();
  }

  static constexpr const char* kNoMapping = "this kind comes in blocks, and cannot be mapped";

  std::unique_ptr<Backend> backend;
  MemoryKind kind = MemoryKind::kHost;
  Bytes granule;
};

template <class T>
void expect_refused(const Result<T>& result, ErrorCode code) {
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.failure().code, code) << result.failure().message;
  EXPECT_FALSE(result.failure().message.empty());
}

}  // namespace tenure::testing
