// A random graph held twice: in the heap, and in a ledger that no collector touches. Each operation
// is done to both; every step down a path compares them. Several graphs, each with a thread of its
// own, share a heap, and post parts of theirs to each other.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>

#include "tools/cli/stress_finalizers.hpp"
#include "tools/cli/stress_ledger.hpp"
#include "tools/cli/stress_mail.hpp"
#include "tools/cli/stress_map.hpp"
#include "tools/cli/stress_roots.hpp"
#include "tools/cli/stress_vertex.hpp"
#include "tools/cli/stress_walk.hpp"
#include "tools/cli/stress_weak.hpp"

namespace tenure::cli {

/// Calls that give a sentence say what is wrong, or nothing.
///
/// threads  one at a time: that of the mutator it was told to work with
class StressGraph {
 public:
  /// number   of the graph, so that no two give the same id
  /// mail     null where it is the only graph; outlives it
  StressGraph(Runtime& runtime, std::uint64_t seed, std::uint32_t number, StressMail* mail);
  StressGraph(const StressGraph&) = delete;
  StressGraph& operator=(const StressGraph&) = delete;
  ~StressGraph() { rest(); }

  /// From here on steps are this mutator's thread's.
  void work_with(Mutator& mutator);
  /// From here on the graph is nobody's.
  void rest();

  /// Does one operation, drawn from the seed.
  [[nodiscard]] std::string step();

  /// Hears what finalizers posted.
  [[nodiscard]] std::string hear();
  void adopt(StressMail::Letter letter);

  /// Compares all that can be reached with the ledger.
  [[nodiscard]] std::string compare_all();
  /// What can be reached, by the ledger, which forgets what can not and has no finalizer to come.
  [[nodiscard]] StressSet reach();
  /// Whether a full collection that has just ended left of the weak ones what it should have.
  [[nodiscard]] std::string check_weak(const StressSet& reached);
  /// The same after the runtime was closed: all is heard, and no weak way is left.
  [[nodiscard]] std::string check_closed();

  [[nodiscard]] const StressLedger& ledger() const { return ledger_; }
  [[nodiscard]] const StressFinalizers& finalizers() const { return finalizers_; }

  /// Drops every root, so that nothing may be left.
  void drop_all() { roots_.clear(); }

 private:
  using Id = StressId;
  struct Place {
    Local<Vertex> vertex;
    Id id;
  };
  struct Share {
    std::uint64_t per_mille;
    std::string (StressGraph::*operation)(Place& at);
  };
  static const Share kShares[];

  [[nodiscard]] std::uint64_t draw(std::uint64_t below) { return random_() % below; }
  [[nodiscard]] std::string operate();
  [[nodiscard]] std::string at_step(const std::string& fault) const;
  [[nodiscard]] Place create();
  [[nodiscard]] std::optional<Place> wander(std::string& fault);
  [[nodiscard]] std::string follow(Place& at);
  [[nodiscard]] std::string check_dying(const Vertex& vertex, Id id);
  [[nodiscard]] std::string revive(Handle<Vertex> vertex, Id id, StressSet& reached);

  // What a step may do. `at` can be reached.
  std::string grow(Place& at);
  std::string link(Place& at);
  std::string unlink(Place& at);
  std::string give_fan(Place& at);
  std::string give_tensor(Place& at);
  std::string pin(Place& at);
  std::string keep_in_table(Place& at);
  std::string exchange_mail(Place& at);
  std::string take_weak(Place& at);
  std::string follow_weak(Place& at);
  std::string change_map(Place& at);
  std::string change_finalizer(Place& at);
  std::string hear_some(Place& at);
  std::string drop_root(Place& at);
  std::string add_root(Place& at);
  std::string waste(Place& at);
  std::string collect_some(Place& at);
  std::string watch(Place& at);
  void store(Place& from, const Place& to);
  void post();

  Runtime& runtime_;
  Mutator* mutator_ = nullptr;
  StressMail* mail_;
  std::mt19937_64 random_;
  std::uint64_t steps_ = 0;
  Id next_id_ = 1;
  StressLedger ledger_;
  StressRoots roots_;
  StressWeak weak_;
  StressMap map_{ledger_};
  StressFinalizers finalizers_;
};

}  // namespace tenure::cli
