// What the C ABI costs over C++: the same objects made and stored through tenure.h and through the
// typed door, by turns.
//
// Models: an interpreter in C. "made in scopes" makes 64 objects and closes the scope that they are
// kept by, as a call of a small function does; "made and released" gives each back by itself; "list"
// is the usual loop that makes a node, stores the one before it there, and lets go of that.
//
// Rows "more than C++" are the differences, a call: an object costs one call in scopes, and a store
// one. The library is loaded as any C program has it, with a heap of its own.
#include <array>
#include <cstdint>
#include <vector>

#include "bench/benches.hpp"
#include "core/base/check.hpp"
#include "tenure/runtime.hpp"

extern "C" {
#include "tenure/tenure.h"
}

namespace tenure::bench {

namespace {

constexpr double kLimit = 5.0;  // ns a call
constexpr std::uint32_t kInScope = 64;
constexpr std::uint32_t kPlaces = 512;

struct Node {
  Ref<Node> next;
  Ref<Node> other;
  std::int64_t value = 0;
  static auto tenure_type() { return describe("Node", &Node::next, &Node::other); }
};

void must(tenure_status status) {
  if (status != TENURE_OK) [[unlikely]] {
    check(false, tenure_last_error());
  }
}

// A runtime of the shared library, and this thread in it.
class Embedded {
 public:
  Embedded() {
    must(tenure_runtime_create("", &runtime_));
    must(tenure_thread_attach(runtime_, &thread));
    const tenure_type_description description{sizeof description, "Node", sizeof(std::int64_t), 2,
                                              0};
    must(tenure_type_register(&description, &type));
  }
  Embedded(const Embedded&) = delete;
  Embedded& operator=(const Embedded&) = delete;
  ~Embedded() { must(tenure_runtime_destroy(runtime_, nullptr)); }

  tenure_thread thread{};
  tenure_type type{};

 private:
  tenure_runtime runtime_{};
};

[[gnu::noinline]] void make_in_scopes(Mutator& mutator, std::uint64_t scopes) {
  for (std::uint64_t scope = 0; scope < scopes; ++scope) {
    // Locals of 64 in a function are what a scope of 64 is; a chain of calls makes them here.
    const auto make_all = [&](auto again, std::uint32_t left) -> void {
      const Local<Node> a = make<Node>(mutator);
      const Local<Node> b = make<Node>(mutator);
      const Local<Node> c = make<Node>(mutator);
      const Local<Node> d = make<Node>(mutator);
      if (left > 4) again(again, left - 4);
    };
    make_all(make_all, kInScope);
  }
}

[[gnu::noinline]] void make_in_scopes(Embedded& c, std::uint64_t scopes) {
  for (std::uint64_t k = 0; k < scopes; ++k) {
    tenure_scope scope;
    must(tenure_scope_open(c.thread, &scope));
    for (std::uint32_t made = 0; made < kInScope; ++made) {
      tenure_ref node;
      must(tenure_allocate(c.thread, c.type, &node));
    }
    must(tenure_scope_close(c.thread, scope, nullptr));
  }
}

[[gnu::noinline]] void make_and_drop(Mutator& mutator, std::uint64_t count) {
  for (std::uint64_t k = 0; k < count; ++k) {
    const Local<Node> node = make<Node>(mutator);
  }
}

[[gnu::noinline]] void make_and_drop(Embedded& c, std::uint64_t count) {
  for (std::uint64_t k = 0; k < count; ++k) {
    tenure_ref node;
    must(tenure_allocate(c.thread, c.type, &node));
    must(tenure_ref_release(c.thread, node));
  }
}

// Lists of so many nodes, each dropped whole: what a young collection has to copy is little.
constexpr std::uint64_t kListLength = 1000;

[[gnu::noinline]] void make_list(Mutator& mutator, std::uint64_t count) {
  Local<Node> head(mutator);
  for (std::uint64_t k = 0; k < count; ++k) {
    if (k % kListLength == 0) head = nullptr;
    const Local<Node> node = make<Node>(mutator);
    node->next = head;
    head = node;
  }
}

[[gnu::noinline]] void make_list(Embedded& c, std::uint64_t count) {
  tenure_ref head{};
  for (std::uint64_t k = 0; k < count; ++k) {
    tenure_ref node;
    must(tenure_allocate(c.thread, c.type, &node));
    if (k % kListLength != 0) must(tenure_store(c.thread, node, 0, head));
    if (head.bits != 0) must(tenure_ref_release(c.thread, head));
    head = node;
  }
  if (head.bits != 0) must(tenure_ref_release(c.thread, head));
}

[[gnu::noinline]] void store(const std::vector<Node*>& places, Node* value, std::uint64_t times) {
  for (std::uint64_t k = 0; k < times; ++k) {
    for (Node* const place : places) {
      place->other = value;
    }
  }
}

[[gnu::noinline]] void store(Embedded& c, const std::vector<tenure_ref>& places, tenure_ref value,
                             std::uint64_t times) {
  for (std::uint64_t k = 0; k < times; ++k) {
    for (const tenure_ref place : places) {
      must(tenure_store(c.thread, place, 1, value));
    }
  }
}

// A run's nanoseconds for one of `each` things that a turn of `work` does.
template <class Work>
Run per_thing(std::uint32_t each, Work work) {
  return [each, work](std::uint64_t times) {
    const Stopwatch watch;
    work(times);
    return watch.ns() / (static_cast<double>(times) * each);
  };
}

// Measures C beside C++; where there is one call a thing, the difference is held to the limit.
void compare(Session& session, const std::string& name, Run c, Run typed, bool is_one_call) {
  const Measured found = session.measure({.name = name,
                                          .unit = "ns per object",
                                          .ours = std::move(c),
                                          .rivals = {{"C++", {}, std::move(typed)}}});
  if (!is_one_call) return;
  Measured more;
  for (std::size_t round = 0; round < found.ours.size(); ++round) {
    more.ours.push_back(found.ours[round] - found.rivals.front()[round]);
  }
  session.add({.name = name + ", more than C++", .unit = "ns per call", .limit = kLimit}, more);
}

void compare_stores(Session& session, Mutator& mutator, Embedded& c) {
  const Local<RefArray<Node>> held = make_array<Node>(mutator, kPlaces);
  std::vector<tenure_ref> there(kPlaces);
  for (std::uint32_t k = 0; k < kPlaces; ++k) {
    (*held)[k] = make<Node>(mutator);
    must(tenure_allocate(c.thread, c.type, &there[k]));
  }
  std::vector<Node*> here;  // nothing is made from here on, so that nothing moves
  for (std::uint32_t k = 0; k < kPlaces; ++k) {
    here.push_back((*held)[k].get());
  }
  compare(session, "store in objects of the nursery",
          per_thing(kPlaces, [&](std::uint64_t n) { store(c, there, there[0], n); }),
          per_thing(kPlaces, [&](std::uint64_t n) { store(here, here[0], n); }), true);
}

}  // namespace

void bench_capi(Session& session) {
  Runtime runtime = value_or_throw(Runtime::open());
  Mutator mutator(runtime);
  Embedded c;
  compare(session, "24 B objects, made in scopes of 64",
          per_thing(kInScope, [&](std::uint64_t n) { make_in_scopes(c, n); }),
          per_thing(kInScope, [&](std::uint64_t n) { make_in_scopes(mutator, n); }), true);
  compare(session, "24 B objects, made and released, two calls",
          per_thing(1, [&](std::uint64_t n) { make_and_drop(c, n); }),
          per_thing(1, [&](std::uint64_t n) { make_and_drop(mutator, n); }), false);
  compare(session, "24 B objects, made into a list, three calls",
          per_thing(1, [&](std::uint64_t n) { make_list(c, n); }),
          per_thing(1, [&](std::uint64_t n) { make_list(mutator, n); }), false);
  compare_stores(session, mutator, c);
}

}  // namespace tenure::bench
