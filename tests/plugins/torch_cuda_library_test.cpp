// libtenure_torch_cuda.so as PyTorch loads it: by its path, and its functions by their names.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <sys/types.h>

#include <cstring>
#include <exception>
#include <string>

namespace tenure {
namespace {

class TorchCudaLibrary : public ::testing::Test {
 protected:
  // Never closed, as PyTorch does not either.
  void* const library = dlopen(TENURE_TORCH_CUDA_LIBRARY, RTLD_NOW | RTLD_LOCAL);

  template <class Function>
  Function* find(const char* name) {
    return reinterpret_cast<Function*>(dlsym(library, name));
  }
};

TEST_F(TorchCudaLibrary, ShowsWhatPyTorchIsGiven) {
  ASSERT_NE(library, nullptr) << dlerror();
  for (const char* const name :
       {"tenure_torch_alloc", "tenure_torch_free", "tenure_torch_record_stream",
        "tenure_torch_reset", "tenure_torch_memory_fraction"}) {
    EXPECT_NE(dlsym(library, name), nullptr) << name;
  }
}

TEST_F(TorchCudaLibrary, ServesADeviceOrSaysWhyNot) {
  ASSERT_NE(library, nullptr) << dlerror();
  auto* const alloc = find<void*(ssize_t, int, void*)>("tenure_torch_alloc");
  auto* const free = find<void(void*, ssize_t, int, void*)>("tenure_torch_free");
  ASSERT_EQ(alloc(0, 0, nullptr), nullptr);
  try {
    void* const bytes = alloc(1 << 20, 0, nullptr);
    EXPECT_NE(bytes, nullptr);
    free(bytes, 1 << 20, 0, nullptr);
  } catch (const std::exception& thrown) {
    EXPECT_NE(std::string(thrown.what()).find("cuda:0"), std::string::npos) << thrown.what();
  }
}

}  // namespace
}  // namespace tenure
