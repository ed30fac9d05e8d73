// A small runtime whose heap is verified after each collection, a mutator in it, and a node type.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>

#include "tenure/inspect.hpp"
#include "tenure/runtime.hpp"

namespace tenure::testing {

/// Two references and a value: 24 bytes with its header.
struct Node {
  Ref<Node> left;
  Ref<Node> right;
  std::int64_t value = 0;
  static auto tenure_type() { return describe("Node", &Node::left, &Node::right); }
};

/// A value alone.
struct Plain {
  std::int64_t value = 0;
};

inline Config small_config() {
  Config config;
  config.nursery = 1_MiB;
  config.old_start = 4_MiB;
  config.heap_limit = 64_MiB;
  config.device = "sim:1GiB";
  config.verify = true;
  config.watch_system_ms = 0;  // how the machine is that day is no test's matter
  return config;
}

class RuntimeTest : public ::testing::Test {
 protected:
  explicit RuntimeTest(const Config& config = small_config())
      : runtime(value_or_throw(Runtime::open(config))), mutator(std::in_place, runtime) {}

  CollectionReport collect_young() { return value_or_throw(runtime.collect(Collect::kYoung)); }
  CollectionReport collect_full() { return value_or_throw(runtime.collect(Collect::kFull)); }

  /// How many objects there are, the dead that nobody found included.
  std::uint64_t objects() { return take_census(runtime).total.objects; }
  /// How many are in a generation.
  std::uint64_t objects_in(std::uint32_t generation) {
    return take_census(runtime).by_generation[generation].objects;
  }

  Local<Node> make_node(std::int64_t value) {
    Local<Node> node = make<Node>(*mutator);
    node->value = value;
    return node;
  }
  /// A list of `length` nodes by `left`, values counting up from its head.
  Local<Node> make_list(std::int64_t length) {
    Local<Node> head(*mutator);
    for (std::int64_t k = length; k-- > 0;) {
      const Local<Node> node = make_node(k);
      node->left = head;
      head = node;
    }
    return head;
  }
  /// The list's length if its values count up from 0, else -1.
  static std::int64_t length_of(const Node* head) {
    std::int64_t length = 0;
    for (const Node* node = head; node != nullptr; node = node->left.get()) {
      if (node->value != length) {
        return -1;
      }
      ++length;
    }
    return length;
  }

  Runtime runtime;
  std::optional<Mutator> mutator;
};

}  // namespace tenure::testing
