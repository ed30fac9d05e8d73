#include "tests/cuda/substitute/world.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

namespace tenure::substitute {

namespace {

thread_local cudaError_t last_error = cudaSuccess;
thread_local int depth_inside_stream = 0;

// Source: CUDA Runtime API, "Data types": after each of these the process must be relaunched.
bool loses_the_device(cudaError_t error) {
  switch (error) {
    case cudaErrorCudartUnloading:
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorContextIsDestroyed:
    case cudaErrorAssert:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
      return true;
    default:
      return false;
  }
}

// Takes the fault that is due now out of `faults`, and brings the others nearer.
cudaError_t due(std::vector<Fault>& faults) {
  cudaError_t error = cudaSuccess;
  std::erase_if(faults, [&](Fault& fault) {
    const bool is_due = --fault.nth == 0;
    error = is_due ? fault.error : error;
    return is_due;
  });
  return error;
}

bool overlaps(const Extent& left, const std::byte* base, std::size_t bytes) {
  return left.base < base + bytes && base < left.base + left.bytes;
}

void unmap_pages(const Block& block) {
  if (block.kind != Block::Kind::kRegistered && block.kind != Block::Kind::kMapping) {
    munmap(block.pages, block.page_bytes);
  }
}

}  // namespace

World& world() {
  static World world;
  static const bool is_ready = (world.reset({}), true);
  static_cast<void>(is_ready);
  return world;
}

// --- the machine ------------------------------------------------------------------------------

void World::reset(const Machine& played) {
  for (const auto& [base, block] : blocks) unmap_pages(block);
  for (const auto& [base, bytes] : reservations) munmap(base, bytes);
  for (const auto& [handle, memory] : physical) {
    if (memory.file >= 0) close(memory.file);
  }
  blocks.clear();
  reservations.clear();
  physical.clear();
  behind.clear();
  streams.clear();
  default_streams.clear();
  events.clear();
  contexts.clear();
  calls.clear();
  counts.clear();
  faults.clear();
  faults_of_any.clear();
  misuses.clear();
  peers.clear();
  pool_peers.clear();
  hints.clear();
  context_stack().clear();
  machine = played;
  random.seed(played.seed);
  gone = cudaSuccess;
  last_error = cudaSuccess;
  used.assign(static_cast<std::size_t>(played.devices), 0);
  for (int device = 0; device < played.devices; ++device) {
    default_streams.emplace_back().device = device;
    contexts.emplace_back().device = device;
  }
}

cudaError_t World::enter(const std::string& name) {
  calls.push_back(name);
  ++counts[name];
  if (depth_inside_stream != 0) {
    misuses.push_back(name + " was called from inside a stream");
    return cudaErrorNotPermitted;
  }
  const cudaError_t of_any = due(faults_of_any);
  const cudaError_t of_name = due(faults[name]);
  if (gone != cudaSuccess) {
    return gone;
  }
  if (!machine.has_driver) {
    return cudaErrorInsufficientDriver;
  }
  if (machine.devices == 0) {
    return cudaErrorNoDevice;
  }
  const cudaError_t error = of_name != cudaSuccess ? of_name : of_any;
  if (loses_the_device(error)) {
    lose(error);
  }
  return error;
}

void World::lose(cudaError_t error) {
  gone = error;
  for (CUstream_st& stream : default_streams) stream.queue.clear();
  for (const auto& stream : streams) stream->queue.clear();
  ran.notify_all();
}

// --- operations -------------------------------------------------------------------------------

bool World::is_alive(const CUstream_st* stream) const {
  return std::any_of(streams.begin(), streams.end(), [&](const auto& known) {
    return known.get() == stream && !known->is_destroyed;
  });
}

CUstream_st* World::stream_of(cudaStream_t stream) {
  if (stream == nullptr || stream == cudaStreamLegacy) {
    return &default_streams.at(static_cast<std::size_t>(device_of_call()));
  }
  return is_alive(stream) ? stream : nullptr;
}

bool World::is_idle() const {
  const auto idle = [this](const CUstream_st& stream) { return is_idle(stream); };
  return std::all_of(default_streams.begin(), default_streams.end(), idle) &&
         std::all_of(streams.begin(), streams.end(), [&](const auto& s) { return idle(*s); });
}

bool World::is_in_use(const std::byte* base, std::size_t bytes) const {
  const auto uses = [&](const CUstream_st& stream) {
    return std::any_of(stream.queue.begin(), stream.queue.end(), [&](const Operation& operation) {
      return std::any_of(operation.touches.begin(), operation.touches.end(),
                         [&](const Extent& extent) { return overlaps(extent, base, bytes); });
    });
  };
  return std::any_of(default_streams.begin(), default_streams.end(), uses) ||
         std::any_of(streams.begin(), streams.end(), [&](const auto& s) { return uses(*s); });
}

Operation* World::next_of(CUstream_st& stream) {
  if (stream.queue.empty() || stream.is_running) {
    return nullptr;
  }
  Operation& front = stream.queue.front();
  return front.on == nullptr || front.on->done >= front.generation ? &front : nullptr;
}

void World::protect(const Operation& operation, int access) {
  for (const auto& [base, block] : blocks) {
    const bool is_closed_to_host =
        block.kind == Block::Kind::kDevice || block.kind == Block::Kind::kMapping;
    const bool is_meant =
        operation.touches_all ||
        std::any_of(operation.touches.begin(), operation.touches.end(), [&](const Extent& extent) {
          return overlaps(extent, block.pages, block.page_bytes);
        });
    if (is_closed_to_host && block.is_open && is_meant) {
      mprotect(block.pages, block.page_bytes, access);
    }
  }
}

bool World::step(Lock& lock) {
  if (is_running) {
    ran.wait(lock);
    return true;
  }
  std::vector<CUstream_st*> ready;
  for (CUstream_st& stream : default_streams) {
    if (next_of(stream) != nullptr) ready.push_back(&stream);
  }
  for (const auto& stream : streams) {
    if (next_of(*stream) != nullptr) ready.push_back(stream.get());
  }
  if (ready.empty()) {
    return false;
  }
  CUstream_st& stream = *ready[random() % ready.size()];
  Operation operation = std::move(stream.queue.front());
  stream.queue.pop_front();
  if (operation.run) {
    is_running = true;
    stream.is_running = true;
    protect(operation, PROT_READ | PROT_WRITE);
    lock.unlock();
    {
      const InsideStream inside;
      operation.run();
    }
    lock.lock();
    protect(operation, PROT_NONE);
    stream.is_running = false;
    is_running = false;
  }
  std::erase_if(streams, [this](const auto& s) { return s->is_destroyed && is_idle(*s); });
  ran.notify_all();
  return true;
}

void World::poll(Lock& lock) {
  if (!is_running) {
    step(lock);
  }
}

cudaError_t World::wait_until(Lock& lock, const std::function<bool()>& is_done) {
  while (gone == cudaSuccess && !is_done()) {
    if (!step(lock)) {
      misuses.push_back("a wait that nothing can end");
      return cudaErrorUnknown;
    }
  }
  return gone;
}

// --- calls ------------------------------------------------------------------------------------

Call::Call(const char* name) : lock_(world().mutex), status_(world().enter(name)) {
  if (is_refused()) {
    last_error = status_;
  }
}

cudaError_t Call::answer(cudaError_t status) const {
  if (status != cudaSuccess) {
    last_error = status;
  }
  return status;
}

// The numbers of the two interfaces are the same.
// Source: CUDA Runtime API, cudaError: since 10.1 the values are those of CUresult.
DriverCall::DriverCall(const char* name)
    : lock_(world().mutex), status_(static_cast<CUresult>(world().enter(name))) {}

InsideStream::InsideStream() { ++depth_inside_stream; }
InsideStream::~InsideStream() { --depth_inside_stream; }

// --- steering ---------------------------------------------------------------------------------

void reset(const Machine& machine) {
  const World::Lock lock(world().mutex);
  world().reset(machine);
}

cudaError_t enqueue(cudaStream_t stream, std::function<void()> kernel) {
  Call call("enqueue");
  if (call.is_refused()) {
    return call.status();
  }
  CUstream_st* const target = world().stream_of(stream);
  if (target == nullptr) {
    return call.answer(cudaErrorInvalidResourceHandle);
  }
  Operation operation;
  operation.run = std::move(kernel);
  operation.touches_all = true;
  target->queue.push_back(std::move(operation));
  return cudaSuccess;
}

bool run_all() {
  World::Lock lock(world().mutex);
  while (world().step(lock)) {
  }
  return world().is_idle();
}

void fail(const std::string& call, std::uint64_t nth, cudaError_t error) {
  const World::Lock lock(world().mutex);
  world().faults[call].push_back({nth, error});
}

void fail_any(std::uint64_t nth, cudaError_t error) {
  const World::Lock lock(world().mutex);
  world().faults_of_any.push_back({nth, error});
}

void lose(cudaError_t error) {
  const World::Lock lock(world().mutex);
  world().lose(error);
}

void shut_down() { lose(cudaErrorCudartUnloading); }

std::vector<std::string> calls() {
  const World::Lock lock(world().mutex);
  return world().calls;
}

std::uint64_t count(const std::string& call) {
  const World::Lock lock(world().mutex);
  const auto found = world().counts.find(call);
  return found == world().counts.end() ? 0 : found->second;
}

std::vector<Hint> hints() {
  const World::Lock lock(world().mutex);
  return world().hints;
}
std::vector<std::string> misuses() {
  const World::Lock lock(world().mutex);
  return world().misuses;
}

Held held() {
  const World::Lock lock(world().mutex);
  const World& w = world();
  Held held;
  for (const std::size_t bytes : w.used) held.device_bytes += bytes;
  for (const auto& [base, block] : w.blocks) {
    const bool is_host = block.kind == Block::Kind::kHost || block.kind == Block::Kind::kRegistered;
    held.managed_bytes += block.kind == Block::Kind::kManaged ? block.bytes : 0;
    held.host_bytes += is_host ? block.bytes : 0;
    held.mappings += block.kind == Block::Kind::kMapping ? 1 : 0;
  }
  held.reservations = w.reservations.size();
  held.streams = w.streams.size();
  held.events = w.events.size();
  for (const CUctx_st& context : w.contexts) held.contexts += context.retained;
  return held;
}

std::string to_string(const Held& held) {
  return std::to_string(held.device_bytes) + " bytes of the device, " +
         std::to_string(held.managed_bytes) + " managed, " + std::to_string(held.host_bytes) +
         " of the host, " + std::to_string(held.reservations) + " reservations, " +
         std::to_string(held.mappings) + " mappings, " + std::to_string(held.streams) +
         " streams, " + std::to_string(held.events) + " events, " + std::to_string(held.contexts) +
         " contexts";
}

int current_device() { return context_stack().empty() ? -1 : context_stack().back()->device; }

bool was_initialised(int device) {
  const World::Lock lock(world().mutex);
  return world().contexts.at(static_cast<std::size_t>(device)).was_made;
}

}  // namespace tenure::substitute

extern "C" {

cudaError_t cudaGetLastError() {
  const std::scoped_lock lock(tenure::substitute::world().mutex);
  // The loss of a device is told for ever.
  return std::exchange(tenure::substitute::last_error, tenure::substitute::world().gone);
}

cudaError_t cudaPeekAtLastError() { return tenure::substitute::last_error; }

}  // extern "C"
