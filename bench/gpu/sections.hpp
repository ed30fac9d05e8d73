// The sections of the device benchmark. Each is run in a process of its own, so that one that fails, or
// loses the device, takes no other with it.
#pragma once

#include <cstdint>

namespace tenure::bench {

struct SectionOptions {
  double seconds = 120;                 // after which no further case is begun
  std::uint64_t largest = 100'000'000;  // objects in a heap that is marked
  std::uint64_t smallest = 1'000'000;
};

// The machine's own limits.
void measure_random_access(const SectionOptions& options);
void measure_launches(const SectionOptions& options);
void measure_copies(const SectionOptions& options);
void measure_cards(const SectionOptions& options);

// Tenure beside its rivals.
void measure_marking(const SectionOptions& options);
void measure_marking_lists(const SectionOptions& options);
void measure_pool(const SectionOptions& options);

}  // namespace tenure::bench
