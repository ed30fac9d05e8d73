// What a runtime does where the machine itself is short of memory: it gives back what it can spare, and
// tells those who can help.
#include "core/runtime/state.hpp"

namespace tenure {

void RuntimeState::relieve_system(PressureLevel level) {
  {
    const std::scoped_lock lock(pressure_mutex_);
    ladder_.note_system_call();
  }
  // Why not sooner: a full collection is one stop, which a heap that marks beside mutators avoids.
  if (level == PressureLevel::kCritical && config_.mode != Mode::kManual) {
    (void)conductor_->collect(nullptr, heap_->oldest(), CollectionTrigger::kSystemPressure);
  }
  const PressureCall call{.level = level,
                          .kind = MemoryKind::kHost,
                          .client = ClientId::kNone,
                          .wanted = {},
                          .of_system = true};
  call_under_pressure(nullptr, PressureCallers::Kind::kCallback, call);
  if (level >= PressureLevel::kHigh) {
    call_under_pressure(nullptr, PressureCallers::Kind::kCollector, call);
    (void)trim();  // last: what was just handed back goes, too
  }
}

}  // namespace tenure
