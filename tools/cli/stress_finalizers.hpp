// The finalizers of a random graph: which are to come, and what those that ran had to say.
//
// Whoever allocates runs them, on any thread, while a graph is its own thread's. So a finalizer posts
// a farewell to its graph, with a handle of the object, and the graph hears it when its turn comes.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tools/cli/stress_ledger.hpp"
#include "tools/cli/stress_vertex.hpp"

namespace tenure::cli {

/// What a finalizer posts.
struct StressFarewell {
  StressId id = 0;
  Handle<Vertex> vertex;  // keeps it until it was heard
  bool saves = false;     // it is to live on
  std::string fault;      // what the finalizer found wrong
};

/// A graph's letter box.
///
/// threads  anyone, but for what says otherwise
class StressFarewells {
 public:
  void post(StressFarewell farewell) {
    const std::scoped_lock lock(mutex_);
    farewells_.push_back(std::move(farewell));
  }
  [[nodiscard]] std::vector<StressFarewell> take_all() {
    const std::scoped_lock lock(mutex_);
    return std::exchange(farewells_, {});
  }

  /// Who may look into the graph; null where nobody may. The graph's thread.
  void belong_to(const Mutator* owner) { owner_.store(owner); }
  [[nodiscard]] bool belongs_to(const Mutator& mutator) const { return owner_.load() == &mutator; }

 private:
  std::mutex mutex_;
  std::vector<StressFarewell> farewells_;  // guarded by mutex_
  std::atomic<const Mutator*> owner_{nullptr};
};

/// Calls that give a sentence say what is wrong, or nothing.
///
/// threads  one at a time
class StressFinalizers {
 public:
  /// What a finalizer does beside posting its farewell.
  enum class Kind : std::uint8_t { kPlain, kSaves, kThrows };
  using Look = std::function<std::string(const Vertex&, StressId)>;

  /// look     what is wrong with an object that died; called on the graph's own thread alone
  explicit StressFinalizers(Look look) : look_(std::move(look)) {}

  [[nodiscard]] StressFarewells& box() { return *box_; }

  /// Sets, replaces or takes back the finalizer of a vertex that can be reached.
  [[nodiscard]] std::string change(Mutator& mutator, const Local<Vertex>& vertex, StressId id,
                                   Kind kind, bool takes_back);

  /// Books that one ran.
  ///
  /// reached  what can be reached, by the oracle
  [[nodiscard]] std::string hear(StressId id, const StressSet& reached);

  /// A vertex came back from the dead with another one: it was dead too, so that its finalizer may
  /// have its turn although it can be reached again.
  void excuse(StressId id);
  [[nodiscard]] bool is_excused(StressId id) const;

  /// Those to come: of vertices in `reached`, or of the others.
  [[nodiscard]] std::uint64_t to_come(const StressSet& reached, bool inside) const;
  [[nodiscard]] std::vector<StressId> to_come() const;
  [[nodiscard]] std::uint64_t to_throw() const;
  [[nodiscard]] std::uint64_t ran() const { return ran_count_; }
  [[nodiscard]] std::uint64_t threw() const { return threw_count_; }

 private:
  struct Row {
    Kind kind = Kind::kPlain;
    bool is_excused = false;
  };
  [[nodiscard]] Result<void> set(Mutator& mutator, const Local<Vertex>& vertex, StressId id,
                                 Kind kind);

  Look look_;
  // Why shared: a runtime that is closed early may call when the graph has gone.
  std::shared_ptr<StressFarewells> box_ = std::make_shared<StressFarewells>();
  std::unordered_map<StressId, Row> rows_;  // to come
  StressSet ran_;
  std::uint64_t ran_count_ = 0;
  std::uint64_t threw_count_ = 0;
};

}  // namespace tenure::cli
