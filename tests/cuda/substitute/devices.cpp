// Devices, their contexts, functions of the driver by name, and words for errors.
#include <cstring>

#include "tests/cuda/substitute/world.hpp"

namespace tenure::substitute {

void* mapping_function(const std::string& name);

std::vector<CUcontext>& context_stack() {
  thread_local std::vector<CUcontext> stack;
  return stack;
}

namespace {

CUcontext primary(int device) { return &world().contexts.at(static_cast<std::size_t>(device)); }

bool is_device(int device) { return device >= 0 && device < world().machine.devices; }

void make_current(int device) {
  primary(device)->was_made = true;
  if (context_stack().empty()) {
    context_stack().push_back(nullptr);
  }
  context_stack().back() = primary(device);
}

// --- functions of the driver ------------------------------------------------------------------

CUresult device_get(CUdevice* device, int number) {
  const DriverCall call("cuDeviceGet");
  if (call.is_refused()) {
    return call.status();
  }
  *device = number;
  return is_device(number) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

CUresult device_attribute(int* value, CUdevice_attribute attribute, CUdevice device) {
  const DriverCall call("cuDeviceGetAttribute");
  if (call.is_refused()) {
    return call.status();
  }
  if (!is_device(device) || attribute != CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  *value = world().machine.can_map ? 1 : 0;
  return CUDA_SUCCESS;
}

CUresult retain(CUcontext* context, CUdevice device) {
  const DriverCall call("cuDevicePrimaryCtxRetain");
  if (call.is_refused()) {
    return call.status();
  }
  if (!is_device(device)) {
    return CUDA_ERROR_INVALID_DEVICE;
  }
  *context = primary(device);
  (*context)->was_made = true;
  ++(*context)->retained;
  return CUDA_SUCCESS;
}

CUresult release(CUdevice device) {
  const DriverCall call("cuDevicePrimaryCtxRelease");
  if (call.is_refused()) {
    return call.status();
  }
  if (!is_device(device) || primary(device)->retained == 0) {
    return CUDA_ERROR_INVALID_CONTEXT;
  }
  --primary(device)->retained;
  return CUDA_SUCCESS;
}

CUresult get_current(CUcontext* context) {
  const DriverCall call("cuCtxGetCurrent");
  if (call.is_refused()) {
    return call.status();
  }
  *context = context_stack().empty() ? nullptr : context_stack().back();
  return CUDA_SUCCESS;
}

CUresult push_current(CUcontext context) {
  const DriverCall call("cuCtxPushCurrent");
  if (call.is_refused()) {
    return call.status();
  }
  context_stack().push_back(context);
  return CUDA_SUCCESS;
}

CUresult pop_current(CUcontext* context) {
  const DriverCall call("cuCtxPopCurrent");
  if (call.is_refused()) {
    return call.status();
  }
  if (context_stack().empty()) {
    return CUDA_ERROR_INVALID_CONTEXT;
  }
  *context = context_stack().back();
  context_stack().pop_back();
  return CUDA_SUCCESS;
}

template <class Function>
void* pointer(Function* function) {
  return reinterpret_cast<void*>(function);
}

struct Words {
  cudaError_t error;
  const char* name;
  const char* sentence;
};
constexpr Words kWords[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorCudartUnloading, "cudaErrorCudartUnloading", "driver shutting down"},
    {cudaErrorInsufficientDriver, "cudaErrorInsufficientDriver",
     "CUDA driver version is insufficient for CUDA runtime version"},
    {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
    {cudaErrorIllegalAddress, "cudaErrorIllegalAddress",
     "an illegal memory access was encountered"},
    {cudaErrorNotPermitted, "cudaErrorNotPermitted", "operation not permitted"},
    {cudaErrorPeerAccessUnsupported, "cudaErrorPeerAccessUnsupported",
     "peer access is not supported between these two devices"},
    {cudaErrorPeerAccessAlreadyEnabled, "cudaErrorPeerAccessAlreadyEnabled",
     "peer access is already enabled"},
    {cudaErrorNotSupported, "cudaErrorNotSupported", "operation not supported"},
    {cudaErrorUnknown, "cudaErrorUnknown", "unknown error"},
};

}  // namespace

void* driver_function(const std::string& name) {
  static const std::map<std::string, void*> table{
      {"cuDeviceGet", pointer<decltype(cuDeviceGet)>(device_get)},
      {"cuDeviceGetAttribute", pointer<decltype(cuDeviceGetAttribute)>(device_attribute)},
      {"cuDevicePrimaryCtxRetain", pointer<decltype(cuDevicePrimaryCtxRetain)>(retain)},
      {"cuDevicePrimaryCtxRelease", pointer<decltype(cuDevicePrimaryCtxRelease)>(release)},
      {"cuCtxGetCurrent", pointer<decltype(cuCtxGetCurrent)>(get_current)},
      {"cuCtxPushCurrent", pointer<decltype(cuCtxPushCurrent)>(push_current)},
      {"cuCtxPopCurrent", pointer<decltype(cuCtxPopCurrent)>(pop_current)}};
  const auto found = table.find(name);
  return found == table.end() ? mapping_function(name) : found->second;
}

int device_of_call() {
  if (context_stack().empty() || context_stack().back() == nullptr) {
    make_current(0);
  }
  return context_stack().back()->device;
}

}  // namespace tenure::substitute

using namespace tenure::substitute;

extern "C" {

cudaError_t cudaDriverGetVersion(int* version) {
  const World::Lock lock(world().mutex);
  world().calls.emplace_back("cudaDriverGetVersion");  // answers 0 where there is no driver
  *version = world().machine.has_driver ? CUDART_VERSION : 0;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int* count) {
  const Call call("cudaGetDeviceCount");
  if (call.is_refused()) {
    return call.status();  // and leaves the count unwritten, as the real one does
  }
  *count = world().machine.devices;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  const Call call("cudaGetDeviceProperties");
  if (call.is_refused()) {
    return call.status();
  }
  if (!is_device(device)) {
    return call.answer(cudaErrorInvalidDevice);
  }
  *properties = {};
  std::strncpy(properties->name, "substitute", sizeof(properties->name) - 1);
  properties->major = world().machine.compute_major;
  properties->minor = world().machine.compute_minor;
  properties->multiProcessorCount = world().machine.multiprocessors;
  properties->totalGlobalMem = world().machine.device_bytes;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  const Call call("cudaDeviceGetAttribute");
  if (call.is_refused()) {
    return call.status();
  }
  const Machine& machine = world().machine;
  if (!is_device(device)) {
    return call.answer(cudaErrorInvalidDevice);
  }
  switch (attribute) {
    case cudaDevAttrMemoryPoolsSupported:
      *value = machine.has_memory_pools;
      return cudaSuccess;
    case cudaDevAttrManagedMemory:
      *value = machine.has_managed_memory;
      return cudaSuccess;
    case cudaDevAttrConcurrentManagedAccess:
      *value = machine.has_managed_memory && machine.has_concurrent_managed_access;
      return cudaSuccess;
    case cudaDevAttrPageableMemoryAccessUsesHostPageTables:
      *value = machine.shares_host_memory;
      return cudaSuccess;
    case cudaDevAttrMultiProcessorCount:
      *value = machine.multiprocessors;
      return cudaSuccess;
    case cudaDevAttrComputeCapabilityMajor:
      *value = machine.compute_major;
      return cudaSuccess;
    case cudaDevAttrComputeCapabilityMinor:
      *value = machine.compute_minor;
      return cudaSuccess;
    case cudaDevAttrUnifiedAddressing:
    case cudaDevAttrHostRegisterSupported:
    case cudaDevAttrCooperativeLaunch:
      *value = 1;
      return cudaSuccess;
    case cudaDevAttrPageableMemoryAccess:
    case cudaDevAttrDirectManagedMemAccessFromHost:
      *value = 0;  // no coherent link
      return cudaSuccess;
    default:
      return call.answer(cudaErrorInvalidValue);
  }
}

// Without a context the runtime says 0, and makes none.
cudaError_t cudaGetDevice(int* device) {
  const Call call("cudaGetDevice");
  if (call.is_refused()) {
    return call.status();
  }
  const int current = current_device();
  *device = current < 0 ? 0 : current;
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
  const Call call("cudaSetDevice");
  if (call.is_refused()) {
    return call.status();
  }
  if (!is_device(device)) {
    return call.answer(cudaErrorInvalidDevice);
  }
  make_current(device);
  return cudaSuccess;
}

cudaError_t cudaInitDevice(int device, unsigned int, unsigned int) {
  const Call call("cudaInitDevice");
  if (call.is_refused()) {
    return call.status();
  }
  if (!is_device(device)) {
    return call.answer(cudaErrorInvalidDevice);
  }
  primary(device)->was_made = true;
  return cudaSuccess;
}

// --- peers ------------------------------------------------------------------------------------

cudaError_t cudaDeviceCanAccessPeer(int* can, int device, int peer) {
  const Call call("cudaDeviceCanAccessPeer");
  if (call.is_refused()) {
    return call.status();
  }
  if (!is_device(device) || !is_device(peer)) {
    return call.answer(cudaErrorInvalidDevice);
  }
  *can = device != peer && world().machine.has_peers ? 1 : 0;
  return cudaSuccess;
}

cudaError_t cudaDeviceEnablePeerAccess(int peer, unsigned int flags) {
  const Call call("cudaDeviceEnablePeerAccess");
  if (call.is_refused()) {
    return call.status();
  }
  const int device = device_of_call();
  if (!is_device(peer) || device == peer) {
    return call.answer(cudaErrorInvalidDevice);
  }
  if (!world().machine.has_peers) {
    return call.answer(cudaErrorPeerAccessUnsupported);
  }
  if (flags != 0) {
    return call.answer(cudaErrorInvalidValue);
  }
  return call.answer(
      world().peers.emplace(device, peer).second ? cudaSuccess : cudaErrorPeerAccessAlreadyEnabled);
}

// A device's pool is known by where its context lies.
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int device) {
  const Call call("cudaDeviceGetDefaultMemPool");
  if (call.is_refused()) {
    return call.status();
  }
  if (!is_device(device)) {
    return call.answer(cudaErrorInvalidDevice);
  }
  *pool = reinterpret_cast<cudaMemPool_t>(primary(device));
  return cudaSuccess;
}

cudaError_t cudaMemPoolSetAccess(cudaMemPool_t pool, const cudaMemAccessDesc* access,
                                 std::size_t count) {
  const Call call("cudaMemPoolSetAccess");
  if (call.is_refused()) {
    return call.status();
  }
  const int owner = reinterpret_cast<CUcontext>(pool)->device;
  for (std::size_t k = 0; k < count; ++k) {
    if (access[k].location.type != cudaMemLocationTypeDevice || !is_device(access[k].location.id) ||
        access[k].flags != cudaMemAccessFlagsProtReadWrite || !world().machine.has_peers) {
      return call.answer(cudaErrorInvalidValue);
    }
    world().pool_peers.emplace(access[k].location.id, owner);
  }
  return cudaSuccess;
}

cudaError_t cudaGetDriverEntryPointByVersion(const char* name, void** function, unsigned int,
                                             unsigned long long,
                                             cudaDriverEntryPointQueryResult* found) {
  const Call call("cudaGetDriverEntryPointByVersion");
  if (call.is_refused()) {
    return call.status();
  }
  *function = driver_function(name);
  if (found != nullptr) {
    *found =
        *function == nullptr ? cudaDriverEntryPointSymbolNotFound : cudaDriverEntryPointSuccess;
  }
  return cudaSuccess;
}

const char* cudaGetErrorName(cudaError_t error) {
  for (const Words& words : kWords) {
    if (words.error == error) return words.name;
  }
  return "an error";
}

const char* cudaGetErrorString(cudaError_t error) {
  for (const Words& words : kWords) {
    if (words.error == error) return words.sentence;
  }
  return "unrecognized error code";
}

}  // extern "C"
