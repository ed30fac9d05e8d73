// Functions of the CUDA driver, taken at run time. Never linked, because a program that is linked to
// the driver does not start where there is none.
#pragma once

#include <cuda.h>

#include "tenure/result.hpp"

namespace tenure {

struct Driver {
  // Contexts: always there.
  decltype(&cuDeviceGet) device_get = nullptr;
  decltype(&cuDeviceGetAttribute) device_attribute = nullptr;
  decltype(&cuDevicePrimaryCtxRetain) retain_context = nullptr;
  decltype(&cuDevicePrimaryCtxRelease) release_context = nullptr;
  decltype(&cuCtxGetCurrent) current_context = nullptr;
  decltype(&cuCtxPushCurrent) push_context = nullptr;
  decltype(&cuCtxPopCurrent) pop_context = nullptr;

  // Virtual memory management: all of them, or null.
  decltype(&cuMemAddressReserve) reserve = nullptr;
  decltype(&cuMemAddressFree) free_addresses = nullptr;
  decltype(&cuMemCreate) create = nullptr;
  decltype(&cuMemRelease) release = nullptr;
  decltype(&cuMemMap) map = nullptr;
  decltype(&cuMemUnmap) unmap = nullptr;
  decltype(&cuMemSetAccess) set_access = nullptr;
  decltype(&cuMemGetAllocationGranularity) granularity = nullptr;

  [[nodiscard]] bool can_map() const { return granularity != nullptr; }
};

/// Asks the runtime for the functions.
///
/// errors   kUnsupported: no driver, or none that has contexts; kDeviceRefused; kDeviceLost
[[nodiscard]] Result<Driver> load_driver();

}  // namespace tenure
