#include "cuda/host_work.hpp"

#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace tenure {

namespace {

using Work = std::function<void()>;

// All work that the driver was given and has not run. Why kept here: nobody else could free what a lost
// device never runs.
struct Register {
  std::mutex mutex;
  std::unordered_map<Work*, std::unique_ptr<Work>> works;  // guarded by mutex
};

// Why never destroyed: the driver's thread may come while the program ends.
Register& all_work() {
  static Register* const all = new Register;
  return *all;
}

std::unique_ptr<Work> take(Work* work) {
  const std::scoped_lock lock(all_work().mutex);
  return std::move(all_work().works.extract(work).mapped());
}

}  // namespace

cudaError_t launch_host_work(cudaStream_t stream, std::function<void()> work) {
  auto kept = std::make_unique<Work>(std::move(work));
  Work* const place = kept.get();
  {
    const std::scoped_lock lock(all_work().mutex);
    all_work().works.emplace(place, std::move(kept));
  }
  const cudaError_t status = cudaLaunchHostFunc(
      stream, [](void* given) { (*take(static_cast<Work*>(given)))(); }, place);
  if (status != cudaSuccess) {
    take(place).reset();
  }
  return status;
}

}  // namespace tenure
