// Each CUDA call that a program of the backend makes fails once, with each sort of error. A refusal is
// got over, by the backend or by asking again; a loss is told by every later call. Nothing is left
// behind either way.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cuda/cuda_backend.hpp"
#include "tests/cuda/substitute/substitute.hpp"

namespace tenure {
namespace {

using substitute::Held;
using substitute::Machine;

// What one program went through.
struct Outcome {
  std::vector<Error> errors;  // that a caller was told
  std::vector<std::string> wrong;
  bool has_lost_device = false;
};

// A program that uses all of the backend. What is refused it asks for once more; that must do, as one
// call fails and no other.
class Program {
 public:
  enum class Fault : std::uint8_t { kRefusal, kLoss };
  Program(bool maps, Fault fault) : maps_(maps), may_be_lost_(fault == Fault::kLoss) {}

  Outcome run() {
    Result<std::unique_ptr<CudaBackend>> opened = open();
    if (!opened) {
      note(opened.failure());
      opened = open();
    }
    if (opened) {
      backend_ = std::move(*opened);
      use_memory();
      use_streams();
      read_back();
      expect_no_error_left();
      backend_.reset();
    } else {
      note(opened.failure());
    }
    expect_no_error_left();
    expect(may_be_lost_ || substitute::current_device() == -1,
           "a context stays current on the thread");
    expect(substitute::misuses().empty(), "the API's rules are broken");
    return outcome_;
  }

 private:
  static Result<std::unique_ptr<CudaBackend>> open() {
    return CudaBackend::open({.device = 0, .capacity = 64_MiB, .host_capacity = 64_MiB});
  }

  void note(const Error& error) {
    outcome_.errors.push_back(error);
    outcome_.has_lost_device |= error.code == ErrorCode::kDeviceLost;
  }
  void expect(bool holds, const std::string& what) {
    if (!holds) outcome_.wrong.push_back(what);
  }
  void expect_no_error_left() {
    // A lost device's error is told for ever, whoever asks.
    expect(may_be_lost_ || cudaPeekAtLastError() == cudaSuccess, "an error is left to be told");
  }

  // Calls, and once more where it is refused.
  template <class Call>
  auto attempt(const char* what, Call call) -> decltype(call()) {
    auto result = call();
    if (!result) {
      note(result.failure());
      expect_no_error_left();
      result = call();
    }
    if (!result) {
      note(result.failure());
      expect(outcome_.has_lost_device, std::string(what) + " is refused twice");
    }
    return result;
  }

  void use_memory() {
    if (maps_) {
      if (auto range =
              attempt("reserve", [&] { return backend_->reserve(MemoryKind::kDevice, 16_MiB); })) {
        use_range(*range);
        leave_range();
      }
    }
    for (const MemoryKind kind :
         {MemoryKind::kDevice, MemoryKind::kUnified, MemoryKind::kPinned, MemoryKind::kHost}) {
      const auto block = attempt("allocate", [&] { return backend_->allocate(kind, 2_MiB); });
      if (!block) continue;
      (void)attempt(
          "fill", [&] { return backend_->fill(StreamId::kDefault, *block, std::byte{7}, 4_KiB); });
      finish(StreamId::kDefault);
      backend_->deallocate(kind, *block, 2_MiB);
    }
    if (const auto pinned =
            attempt("allocate", [&] { return backend_->allocate(MemoryKind::kPinned, 2_MiB); })) {
      pinned_ = *pinned;
    }
    if (const auto device =
            attempt("allocate", [&] { return backend_->allocate(MemoryKind::kDevice, 2_MiB); })) {
      device_ = *device;
    }
  }

  void use_range(const AddressRange& range) {
    const auto map = [&](Bytes offset, Bytes size) {
      return attempt("map", [&] { return backend_->map(range, offset, size); }).ok();
    };
    if (map(Bytes{}, 6_MiB)) {
      std::byte* const across = range.base + (2_MiB - 2_KiB).count();  // two granules
      (void)attempt(
          "fill", [&] { return backend_->fill(StreamId::kDefault, across, std::byte{1}, 4_KiB); });
      finish(StreamId::kDefault);
      backend_->unmap(range, 2_MiB, 2_MiB);
      map(2_MiB, 2_MiB);
    }
    backend_->release(range);
  }

  // A range that is never released.
  void leave_range() {
    const auto range =
        attempt("reserve", [&] { return backend_->reserve(MemoryKind::kDevice, 4_MiB); });
    if (range) {
      (void)attempt("map", [&] { return backend_->map(*range, 2_MiB, 2_MiB); });
    }
  }

  void use_streams() {
    for (StreamId* const stream : {&left_, &right_}) {
      if (const auto made = attempt("make_stream", [&] { return backend_->make_stream(); })) {
        *stream = *made;
      }
    }
    if (device_ == nullptr || pinned_ == nullptr) {
      return;
    }
    for (int round = 1; round <= 3; ++round) {
      (void)attempt("fill", [&] {
        return backend_->fill(left_, device_, static_cast<std::byte>(round), 4_KiB);
      });
      const auto written = attempt("record", [&] { return backend_->record(left_); });
      if (!written) return;
      (void)attempt("wait", [&] { return backend_->wait(right_, *written); });
      (void)attempt("copy", [&] { return backend_->copy(right_, pinned_, device_, 4_KiB); });
      const auto copied = attempt("record", [&] { return backend_->record(right_); });
      if (!copied) return;
      const std::uint64_t before = backend_->reached(right_);
      (void)attempt("synchronize", [&] { return backend_->synchronize(*copied); });
      const std::uint64_t after = backend_->reached(right_);
      expect(after >= before, "an event was reached, and is not any more");
      expect(may_be_lost_ || after >= copied->sequence,
             "what was synchronized with is not reached");
      has_data_ = true;
      round_ = round;
    }
  }

  void read_back() {
    if (has_data_ && !may_be_lost_) {
      expect(pinned_[0] == static_cast<std::byte>(round_), "the bytes are wrong");
    }
  }

  void finish(StreamId stream) {
    const auto event = attempt("record", [&] { return backend_->record(stream); });
    if (event) {
      (void)attempt("synchronize", [&] { return backend_->synchronize(*event); });
    }
  }

  const bool maps_;
  const bool may_be_lost_;
  std::unique_ptr<CudaBackend> backend_;
  Outcome outcome_;
  std::byte* pinned_ = nullptr;
  std::byte* device_ = nullptr;
  StreamId left_ = StreamId::kDefault;
  StreamId right_ = StreamId::kDefault;
  bool has_data_ = false;
  int round_ = 0;
};

class CudaFaultsTest : public ::testing::TestWithParam<Machine> {
 protected:
  // How many calls the program makes where none fails.
  std::uint64_t calls_without_fault() {
    substitute::reset(GetParam());
    const Outcome outcome = Program(GetParam().can_map, Program::Fault::kRefusal).run();
    EXPECT_TRUE(outcome.errors.empty()) << outcome.errors.front().message;
    EXPECT_TRUE(outcome.wrong.empty()) << outcome.wrong.front();
    EXPECT_EQ(substitute::held(), Held{}) << to_string(substitute::held());
    return substitute::calls().size();
  }

  // Runs the program with the n-th call failing; says which that was.
  Outcome run_with(std::uint64_t nth, cudaError_t error, Program::Fault fault, std::string& name) {
    substitute::reset(GetParam());
    substitute::fail_any(nth, error);
    const Outcome outcome = Program(GetParam().can_map, fault).run();
    name = substitute::calls().at(nth - 1) + ", call " + std::to_string(nth);
    return outcome;
  }
};

INSTANTIATE_TEST_SUITE_P(Machines, CudaFaultsTest,
                         ::testing::Values(Machine{}, Machine{.can_map = false},
                                           Machine{.can_map = false, .has_memory_pools = false}),
                         [](const auto& row) {
                           return std::string(row.param.can_map            ? "mapped"
                                              : row.param.has_memory_pools ? "pools"
                                                                           : "plain");
                         });

TEST_P(CudaFaultsTest, GetsOverEachCallThatIsRefusedOnce) {
  const std::uint64_t calls = calls_without_fault();
  ASSERT_GT(calls, 100u);
  // Memory that is short has a code of its own; all else that is refused has one, and takes turns.
  for (const bool is_short : {true, false}) {
    for (std::uint64_t nth = 1; nth <= calls; ++nth) {
      const cudaError_t error = is_short       ? cudaErrorMemoryAllocation
                                : nth % 2 == 0 ? cudaErrorUnknown
                                               : cudaErrorInvalidValue;
      std::string name;
      const Outcome outcome = run_with(nth, error, Program::Fault::kRefusal, name);

      EXPECT_LE(outcome.errors.size(), 1u) << name;
      EXPECT_TRUE(outcome.wrong.empty()) << name << ": " << outcome.wrong.front();
      EXPECT_EQ(substitute::held(), Held{}) << name << ": " << to_string(substitute::held());
      for (const Error& told : outcome.errors) {
        EXPECT_NE(told.code, ErrorCode::kDeviceLost) << name << ": " << told.message;
        EXPECT_NE(told.message.find("failed"), std::string::npos) << name << ": " << told.message;
      }
    }
  }
}

TEST_P(CudaFaultsTest, TellsTheLossOfTheDeviceFromThenOn) {
  const std::uint64_t calls = calls_without_fault();
  for (std::uint64_t nth = 1; nth <= calls; ++nth) {
    std::string name;
    const Outcome outcome = run_with(nth, cudaErrorIllegalAddress, Program::Fault::kLoss, name);

    EXPECT_TRUE(outcome.wrong.empty()) << name << ": " << outcome.wrong.front();
    for (const Error& told : outcome.errors) {
      EXPECT_EQ(told.code, ErrorCode::kDeviceLost) << name << ": " << told.message;
    }
    // Nothing is asked for after the loss but, by each call that is in progress, that its context goes
    // from the thread.
    EXPECT_LE(substitute::calls().size(), nth + 3 + 2 * outcome.errors.size()) << name;
  }
}

// --- a lost device ----------------------------------------------------------------------------

class LostCudaDeviceTest : public ::testing::Test {
 protected:
  LostCudaDeviceTest() {
    substitute::reset();
    backend = value_or_throw(CudaBackend::open({}));
  }
  std::unique_ptr<CudaBackend> backend;
};

TEST_F(LostCudaDeviceTest, RefusesWithTheReason) {
  substitute::lose(cudaErrorIllegalAddress);
  ASSERT_FALSE(backend->record(StreamId::kDefault).ok());

  const Result<StreamId> refused = backend->make_stream();

  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.failure().code, ErrorCode::kDeviceLost);
  EXPECT_NE(refused.failure().message.find("cuda:0 is lost"), std::string::npos);
  EXPECT_NE(refused.failure().message.find("cudaErrorIllegalAddress"), std::string::npos)
      << refused.failure().message;
}

TEST_F(LostCudaDeviceTest, SaysWhatWasLastReached) {
  ASSERT_TRUE(backend->synchronize(*backend->record(StreamId::kDefault)).ok());
  ASSERT_TRUE(backend->record(StreamId::kDefault).ok());

  substitute::lose();

  EXPECT_EQ(backend->reached(StreamId::kDefault), 1u);
  EXPECT_EQ(backend->reached(StreamId::kDefault), 1u);
}

TEST_F(LostCudaDeviceTest, LetsGoOfWhatItHeldAndEndsWithoutWaiting) {
  const AddressRange range = *backend->reserve(MemoryKind::kDevice, 4_MiB);
  ASSERT_TRUE(backend->map(range, Bytes{}, 4_MiB).ok());
  std::byte* const block = *backend->allocate(MemoryKind::kPinned, 2_MiB);
  ASSERT_TRUE(backend->fill(StreamId::kDefault, range.base, std::byte{1}, 4_MiB).ok());

  substitute::lose();
  ASSERT_FALSE(backend->record(StreamId::kDefault).ok());
  const std::size_t asked = substitute::calls().size();
  backend->unmap(range, Bytes{}, 2_MiB);
  backend->deallocate(MemoryKind::kPinned, block, 2_MiB);
  backend->release(range);
  backend.reset();

  EXPECT_EQ(substitute::calls().size(), asked);
}

TEST_F(LostCudaDeviceTest, DoesNothingOnceTheDriverHasShutDown) {
  ASSERT_TRUE(backend->allocate(MemoryKind::kDevice, 2_MiB).ok());
  const AddressRange range = *backend->reserve(MemoryKind::kDevice, 4_MiB);
  ASSERT_TRUE(backend->map(range, Bytes{}, 4_MiB).ok());
  const std::size_t asked = substitute::calls().size();

  substitute::shut_down();
  backend.reset();

  EXPECT_LE(substitute::calls().size(), asked + 1);  // the answer to the first says it all
}

TEST_F(LostCudaDeviceTest, IsFoundOutByACallThatTellsNoError) {
  std::byte* const block = *backend->allocate(MemoryKind::kUnified, 2_MiB);
  substitute::fail("cudaFree", 1, cudaErrorLaunchFailure);

  backend->deallocate(MemoryKind::kUnified, block, 2_MiB);

  EXPECT_EQ(backend->make_stream().failure().code, ErrorCode::kDeviceLost);
}

// --- a driver that refuses to take memory back ------------------------------------------------

TEST(CudaRefusalsTest, MapsAgainWhatTheDriverWouldNotUnmap) {
  substitute::reset();
  {
    const std::unique_ptr<CudaBackend> backend = value_or_throw(CudaBackend::open({}));
    const AddressRange range = *backend->reserve(MemoryKind::kDevice, 8_MiB);
    ASSERT_TRUE(backend->map(range, Bytes{}, 6_MiB).ok());
    for (std::uint64_t nth = 1; nth <= 3; ++nth) {
      substitute::fail("cuMemUnmap", nth, cudaErrorUnknown);
    }

    backend->unmap(range, 2_MiB, 2_MiB);

    EXPECT_TRUE(backend->map(range, 2_MiB, 2_MiB).ok());
    EXPECT_TRUE(backend->fill(StreamId::kDefault, range.base, std::byte{1}, 6_MiB).ok());
    EXPECT_TRUE(substitute::run_all());
    backend->unmap(range, Bytes{}, 6_MiB);
  }
  EXPECT_EQ(substitute::held(), Held{}) << to_string(substitute::held());
}

}  // namespace
}  // namespace tenure
