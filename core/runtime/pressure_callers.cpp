#include "core/runtime/pressure_callers.hpp"

#include <algorithm>
#include <exception>
#include <utility>

namespace tenure {

namespace {
thread_local const void* running_caller = nullptr;  // the innermost that this thread runs
}  // namespace

bool PressureCallers::is_calling() { return running_caller != nullptr; }

PressureCallbackId PressureCallers::add(Kind kind, std::string name, PressureCallback callback) {
  const std::scoped_lock lock(mutex_);
  auto caller = std::make_shared<Caller>();
  caller->id = static_cast<PressureCallbackId>(++last_id_);
  caller->kind = kind;
  caller->name = std::move(name);
  caller->callback = std::move(callback);
  callers_.push_back(caller);
  counts_[static_cast<std::size_t>(kind)].fetch_add(1, std::memory_order_relaxed);
  return caller->id;
}

bool PressureCallers::remove(PressureCallbackId id) {
  std::unique_lock lock(mutex_);
  const auto at = std::find_if(callers_.begin(), callers_.end(),
                               [id](const auto& caller) { return caller->id == id; });
  if (at == callers_.end()) {
    return false;
  }
  const std::shared_ptr<Caller> caller = *at;
  callers_.erase(at);
  counts_[static_cast<std::size_t>(caller->kind)].fetch_sub(1, std::memory_order_relaxed);
  // One that removes itself goes on to its end.
  const std::uint32_t own = running_caller == caller.get() ? 1 : 0;
  ended_.wait(lock, [&] { return caller->running <= own; });
  return true;
}

// A thread runs a caller, from here to the end.
class PressureCallers::Run {
 public:
  Run(PressureCallers& callers, Caller& caller)
      : callers_(callers), caller_(caller), outer_(std::exchange(running_caller, &caller)) {}
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  ~Run() {
    running_caller = outer_;
    const std::scoped_lock lock(callers_.mutex_);
    --caller_.running;
    callers_.ended_.notify_all();
  }

 private:
  PressureCallers& callers_;
  Caller& caller_;
  const void* outer_;
};

std::vector<std::string> PressureCallers::call(Kind kind, const PressureCall& call) {
  std::vector<std::shared_ptr<Caller>> due;
  {
    const std::scoped_lock lock(mutex_);
    std::copy_if(callers_.begin(), callers_.end(), std::back_inserter(due),
                 [kind](const auto& caller) { return caller->kind == kind; });
  }
  std::vector<std::string> failures;
  for (const std::shared_ptr<Caller>& caller : due) {
    {
      const std::scoped_lock lock(mutex_);
      if (std::find(callers_.begin(), callers_.end(), caller) == callers_.end()) {
        continue;  // removed meanwhile
      }
      ++caller->running;
    }
    const Run run(*this, *caller);
    try {
      caller->callback(call);
    } catch (const std::exception& thrown) {
      failures.push_back(caller->name + ": " + thrown.what());
    } catch (...) {
      failures.push_back(caller->name + ": an exception that is no std::exception");
    }
  }
  return failures;
}

}  // namespace tenure
