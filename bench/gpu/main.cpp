// The device benchmark: figures of the machine itself, and of Tenure beside its rivals, as lines of JSON.
//
//   tenure_gpu_bench SECTION [--seconds S] [--largest OBJECTS] [--smallest OBJECTS]
//
// Exit status: 0 done, 1 a section failed, 2 the call is wrong, 77 there is no device.
#include <cuda_runtime_api.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string_view>

#include "bench/gpu/device.hpp"
#include "bench/gpu/report.hpp"
#include "bench/gpu/sections.hpp"

namespace tenure::bench {

namespace {

constexpr int kNoDevice = 77;

struct Section {
  std::string_view name;
  void (*measure)(const SectionOptions&);
};

void describe_machine(const SectionOptions&) {
  cudaDeviceProp card{};
  int driver = 0;
  must(cudaGetDeviceProperties(&card, 0), "cudaGetDeviceProperties");
  must(cudaDriverGetVersion(&driver), "cudaDriverGetVersion");
  std::printf(
      "{\"card\": \"%s\", \"compute\": \"%d.%d\", \"multiprocessors\": %d, \"memory_bytes\": %zu, "
      "\"l2_bytes\": %d, \"cuda_driver\": \"%d.%d\", \"cuda_built_for\": \"%d.%d\"}\n",
      card.name, card.major, card.minor, card.multiProcessorCount, card.totalGlobalMem,
      card.l2CacheSize, driver / 1000, driver % 1000 / 10, CUDART_VERSION / 1000,
      CUDART_VERSION % 1000 / 10);
}

constexpr std::array kSections{Section{"machine", describe_machine},
                               Section{"random_access", measure_random_access},
                               Section{"launches", measure_launches},
                               Section{"copies", measure_copies},
                               Section{"cards", measure_cards},
                               Section{"marking", measure_marking},
                               Section{"marking_lists", measure_marking_lists},
                               Section{"pool", measure_pool}};

const Section* find_section(std::string_view name) {
  for (const Section& section : kSections) {
    if (section.name == name) {
      return &section;
    }
  }
  return nullptr;
}

int explain() {
  std::fputs(
      "usage: tenure_gpu_bench SECTION [--seconds S] [--largest OBJECTS] "
      "[--smallest OBJECTS]\nsections:",
      stderr);
  for (const Section& section : kSections) {
    std::fprintf(stderr, " %s", section.name.data());
  }
  std::fputs("\n", stderr);
  return 2;
}

bool has_device() {
  int count = 0;  // left unwritten where there is no driver
  const bool found = cudaGetDeviceCount(&count) == cudaSuccess && count > 0;
  static_cast<void>(cudaGetLastError());
  return found;
}

int run(int count, char** words) {
  const Section* const section = count > 1 ? find_section(words[1]) : nullptr;
  SectionOptions options;
  for (int k = 2; k + 1 < count; k += 2) {
    const std::string_view name = words[k];
    if (name == "--seconds") {
      options.seconds = std::strtod(words[k + 1], nullptr);
    } else if (name == "--largest") {
      options.largest = std::strtoull(words[k + 1], nullptr, 10);
    } else if (name == "--smallest") {
      options.smallest = std::strtoull(words[k + 1], nullptr, 10);
    } else {
      return explain();
    }
  }
  if (section == nullptr || count % 2 != 0) {
    return explain();
  }
  if (!has_device()) {
    std::fputs("tenure_gpu_bench: skipped, no CUDA device\n", stderr);
    return kNoDevice;
  }
  section->measure(options);
  return 0;
}

}  // namespace

}  // namespace tenure::bench

int main(int count, char** words) {
  try {
    return tenure::bench::run(count, words);
  } catch (const std::exception& fault) {
    std::fprintf(stderr, "tenure_gpu_bench: %s\n", fault.what());
    return 1;
  }
}
