// What each type looks like, for those who ask: samples from the profiler, uses from who noted them.
#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "core/runtime/optimizer.hpp"
#include "core/runtime/state.hpp"
#include "core/tune/patterns.hpp"
#include "tenure/allocation_pattern.hpp"
#include "tenure/runtime.hpp"
#include "tenure/type.hpp"

namespace tenure {

namespace {

// By type, or kind of payload.
std::map<std::string, TypeFigures> sum_by_type(const std::vector<AllocationSite>& sites) {
  std::map<std::string, TypeFigures> types;
  for (const AllocationSite& site : sites) {
    TypeFigures& type = types[site.what];
    type.type = site.what;
    type.allocations += site.total_allocations;
    type.bytes += static_cast<double>(site.total_bytes.count());
    type.live_allocations += site.live_allocations;
    type.per_second += site.allocations_per_second;
    type.samples += site.samples;
  }
  return types;
}

}  // namespace

void Optimizer::note_access(TypeId type, const void* address, AccessKind kind) {
  const std::scoped_lock lock(accesses_mutex_);
  accesses_.note(static_cast<std::uint32_t>(type), reinterpret_cast<std::uintptr_t>(address),
                 kind == AccessKind::kWrite);
}

std::vector<AllocationPattern> Optimizer::patterns() const {
  Profile profile;
  profile.taken_ns = host_platform().now_ns();
  // Why without names: nobody asks where here, and looking them up reads the program's symbols.
  runtime_.profiler().report(profile, [](std::uintptr_t) { return StackFrame{}; });
  std::map<std::string, TypeFigures> types = sum_by_type(profile.sites);
  {
    const std::scoped_lock lock(accesses_mutex_);
    accesses_.for_each([&](std::uint32_t id, const AccessFigures& figures) {
      const std::string name(type_name(static_cast<TypeId>(id)));
      TypeFigures& type = types[name];
      type.type = name;
      type.accesses = figures;
    });
  }
  bool in_batches = false;
  {
    const std::scoped_lock lock(mutex_);
    in_batches = works_in_batches(batches_, profile.patterns.bursts);
  }
  std::vector<TypeFigures> sorted;
  for (auto& [name, type] : types) {
    sorted.push_back(std::move(type));
  }
  std::ranges::stable_sort(sorted, std::greater{}, &TypeFigures::bytes);
  std::vector<AllocationPattern> patterns;
  for (const TypeFigures& type : sorted) {
    patterns.push_back(describe_pattern(type, in_batches));
  }
  return patterns;
}

Result<std::vector<AllocationPattern>> analyze_patterns(Runtime& runtime) {
  RuntimeState& state = runtime.state();
  if (state.is_child() || !state.is_open()) {
    return Error{ErrorCode::kClosed, "the runtime was closed; it has no patterns"};
  }
  if (!state.profiler().is_sampling()) {
    return Error{ErrorCode::kBadArgument,
                 "types are watched from the profile level detailed on; the option profile, or "
                 "set_profile_level, changes it"};
  }
  return state.optimizer().patterns();
}

void record_access(Runtime& runtime, TypeId type, const void* address, AccessKind kind) {
  runtime.state().optimizer().note_access(type, address, kind);
}

}  // namespace tenure
