// Uses the installed package through both doors, and fails where something does not work.
#include <cstdio>
#include <tenure/tenure.hpp>

struct Node {
  tenure::Ref<Node> next;
  std::int64_t value = 0;
  static auto tenure_type() { return tenure::describe("Node", &Node::next); }
};

int main() {
  using namespace tenure;
  Runtime runtime = value_or_throw(Runtime::open());
  Mutator mutator(runtime);
  Local<Node> head(mutator);
  for (std::int64_t k = 0; k < 100'000; ++k) {
    Local<Node> node = make<Node>(mutator);
    node->value = k;
    node->next = head;
    head = node;
  }
  value_or_throw(runtime.collect());
  std::int64_t sum = 0;
  for (const Node* node = head.get(); node != nullptr; node = node->next.get()) {
    sum += node->value;
  }
  GarbageCollector gc = value_or_throw(GarbageCollector::open());
  const Handle<GcObject> array = value_or_throw(gc.allocate(ObjectType::kArray, 100));
  Arena arena = value_or_throw(Arena::open(runtime));
  const PayloadView bytes = value_or_throw(arena.allocate(1_KiB));
  const bool works = sum == 4'999'950'000 && array->size() == 100 && bytes.size == 1_KiB;
  std::puts(works ? "the installed package works" : "the installed package does not work");
  return works ? 0 : 1;
}
