// Who is called under pressure: the program's callbacks, and other garbage collectors.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tenure/pressure.hpp"

namespace tenure {

/// threads  anyone
class PressureCallers {
 public:
  enum class Kind : std::uint8_t { kCallback, kCollector };

  PressureCallbackId add(Kind kind, std::string name, PressureCallback callback);
  /// It is not called again, and no other thread runs it any more. False where there is none.
  bool remove(PressureCallbackId id);

  [[nodiscard]] bool has(Kind kind) const {
    return counts_[static_cast<std::size_t>(kind)].load(std::memory_order_relaxed) > 0;
  }
  [[nodiscard]] bool has_any() const { return has(Kind::kCallback) || has(Kind::kCollector); }

  /// Calls each of a kind, with no lock held.
  ///
  /// returns  what those said that threw, with their names
  std::vector<std::string> call(Kind kind, const PressureCall& call);

  /// Whether the thread runs a callback, of whichever runtime: it must not cause further calls.
  [[nodiscard]] static bool is_calling();

 private:
  struct Caller {
    PressureCallbackId id{};
    Kind kind = Kind::kCallback;
    std::string name;
    PressureCallback callback;
    std::uint32_t running = 0;  // threads; guarded by mutex_
  };
  class Run;

  std::mutex mutex_;
  std::condition_variable ended_;
  std::vector<std::shared_ptr<Caller>> callers_;  // guarded by mutex_
  std::uint64_t last_id_ = 0;                     // likewise
  std::atomic<std::uint32_t> counts_[2]{};        // by kind
};

}  // namespace tenure
