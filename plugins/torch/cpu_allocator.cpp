// PyTorch's memory of CPU tensors from Tenure's pools, as a shared library: libtenure_torch.so.
//
// Compiled against the c10 of PyTorch 1.13. Later versions changed two signatures of c10::Allocator;
// both are there, and whichever the base has is overridden.
#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/util/Exception.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "tenure/plugins/allocator_table.hpp"

namespace tenure {

namespace {

// Why one for ever: PyTorch keeps what it was given until the process ends, and frees without saying
// to whom.
AllocatorTable table{};

void give_back(void* address) {
  if (table.release(table.self, address) == 0) {
    std::fprintf(stderr, "tenure: PyTorch freed %p, which was not allocated for it, or twice\n",
                 address);
    std::abort();
  }
}

class CpuAllocator final : public c10::Allocator {
 public:
  // Source: c10/core/Allocator.h; const up to 2.1.
  c10::DataPtr allocate(std::size_t bytes) const { return get(bytes); }
  c10::DataPtr allocate(std::size_t bytes) { return get(bytes); }
  // Not there up to 2.1, and asked for since.
  void copy_data(void* to, const void* from, std::size_t bytes) const {
    std::memcpy(to, from, bytes);
  }
  c10::DeleterFnPtr raw_deleter() const override { return &give_back; }

 private:
  static c10::DataPtr get(std::size_t bytes) {
    const char* why = nullptr;
    void* const address = table.allocate(table.self, bytes, &why);
    if (why != nullptr) {
      C10_THROW_ERROR(OutOfMemoryError, why);
    }
    return {address, address, &give_back, c10::Device(c10::DeviceType::CPU)};
  }
};

}  // namespace

}  // namespace tenure

/// Has PyTorch take the memory of all CPU tensors from `from`, from now on. Tensors that are there
/// already go back to where they came from. Once a process, and best before other threads use PyTorch.
///
/// from     copied; what it stands for is never ended
/// returns  0; 1 where it was done before: nothing changes; 2 for a table that lacks what is needed
/// errors   PyTorch raises its OutOfMemoryError, a RuntimeError, with Tenure's sentence
/// threads  any, one at a time is let through
extern "C" __attribute__((visibility("default"))) int tenure_torch_install_cpu(
    const tenure::AllocatorTable* from) {
  static std::mutex mutex;
  static bool is_installed = false;
  const std::scoped_lock lock(mutex);
  if (is_installed) {
    return 1;
  }
  if (from == nullptr || from->size < sizeof(tenure::AllocatorTable)) {
    return 2;
  }
  tenure::table = *from;
  // Why never deleted: see above. Why this priority: c10 keeps its own at 0, and takes equals.
  constexpr std::uint8_t kPriority = 1;
  c10::SetCPUAllocator(new tenure::CpuAllocator, kPriority);
  is_installed = true;
  return 0;
}
