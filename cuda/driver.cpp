#include "cuda/driver.hpp"

#include <cuda_runtime_api.h>

#include <optional>
#include <string>

#include "cuda/calls.hpp"

namespace tenure {

namespace {

// The interface that is asked for: contexts as they are since 4.0, mapping since 10.2, release of
// primary contexts since 11.0.
constexpr unsigned int kInterface = 11000;

// Takes functions one by one, and stops at the first error.
class Loader {
 public:
  // Leaves `function` null where the driver has none of that name.
  template <class Function>
  void take(Function*& function, const char* name) {
    if (error_) {
      return;
    }
    void* found = nullptr;
    cudaDriverEntryPointQueryResult answer = cudaDriverEntryPointSymbolNotFound;
    error_ = take_error(
        cudaGetDriverEntryPointByVersion(name, &found, kInterface, cudaEnableDefault, &answer),
        std::string("cudaGetDriverEntryPointByVersion of ") + name);
    if (answer == cudaDriverEntryPointSuccess) {
      function = reinterpret_cast<Function*>(found);
    }
    is_complete_ = is_complete_ && function != nullptr;
  }
  // Whether all functions since the last question are there.
  bool is_complete() { return std::exchange(is_complete_, true); }
  const std::optional<Error>& error() const { return error_; }

 private:
  std::optional<Error> error_;
  bool is_complete_ = true;
};

void forget_mapping(Driver& driver) {
  driver.reserve = nullptr;
  driver.free_addresses = nullptr;
  driver.create = nullptr;
  driver.release = nullptr;
  driver.map = nullptr;
  driver.unmap = nullptr;
  driver.set_access = nullptr;
  driver.granularity = nullptr;
}

}  // namespace

Result<Driver> load_driver() {
  Driver driver;
  Loader loader;
  loader.take(driver.device_get, "cuDeviceGet");
  loader.take(driver.device_attribute, "cuDeviceGetAttribute");
  loader.take(driver.retain_context, "cuDevicePrimaryCtxRetain");
  loader.take(driver.release_context, "cuDevicePrimaryCtxRelease");
  loader.take(driver.current_context, "cuCtxGetCurrent");
  loader.take(driver.push_context, "cuCtxPushCurrent");
  loader.take(driver.pop_context, "cuCtxPopCurrent");
  const bool has_contexts = loader.is_complete();
  loader.take(driver.reserve, "cuMemAddressReserve");
  loader.take(driver.free_addresses, "cuMemAddressFree");
  loader.take(driver.create, "cuMemCreate");
  loader.take(driver.release, "cuMemRelease");
  loader.take(driver.map, "cuMemMap");
  loader.take(driver.unmap, "cuMemUnmap");
  loader.take(driver.set_access, "cuMemSetAccess");
  loader.take(driver.granularity, "cuMemGetAllocationGranularity");
  if (!loader.is_complete()) {
    forget_mapping(driver);
  }
  if (loader.error()) {
    return *loader.error();
  }
  if (!has_contexts) {
    return Error{ErrorCode::kUnsupported, "the CUDA driver lacks functions for contexts"};
  }
  return driver;
}

}  // namespace tenure
