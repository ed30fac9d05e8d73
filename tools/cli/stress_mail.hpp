// Chains of vertices on their way from one graph to another.
#pragma once

#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tools/cli/stress_ledger.hpp"
#include "tools/cli/stress_vertex.hpp"

namespace tenure::cli {

/// threads  anyone
class StressMail {
 public:
  struct Letter {
    Handle<Vertex> first;
    StressId first_id = 0;
    std::unordered_map<StressId, Shadow> shadows;
  };

  void post(Letter letter) {
    const std::scoped_lock lock(mutex_);
    letters_.push_back(std::move(letter));
  }
  [[nodiscard]] std::optional<Letter> take() {
    const std::scoped_lock lock(mutex_);
    if (letters_.empty()) {
      return std::nullopt;
    }
    Letter letter = std::move(letters_.back());
    letters_.pop_back();
    return letter;
  }

 private:
  std::mutex mutex_;
  std::vector<Letter> letters_;  // guarded by mutex_
};

}  // namespace tenure::cli
