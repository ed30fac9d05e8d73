// A graph of objects and a tensor, collected by itself.
#include <cstdio>
#include <tenure/tenure.hpp>

using namespace tenure;

struct Layer {
  Ref<Layer> next;
  Ref<Tensor> weights;
  std::int64_t width = 0;
  static auto tenure_type() { return describe("Layer", &Layer::next, &Layer::weights); }
};

int main() {
  Runtime runtime = value_or_throw(Runtime::open({.device = "sim:8GiB"}));
  Mutator mutator(runtime);

  Local<Layer> network(mutator);
  for (std::int64_t width : {1024, 512, 256}) {
    Local<Layer> layer = make<Layer>(mutator);
    layer->width = width;
    layer->weights = value_or_throw(make_tensor(mutator, {width, width}));
    layer->next = network;
    network = layer;
  }
  network->next = nullptr;  // two layers are garbage now, and so are their weights

  const CollectionReport report = value_or_throw(runtime.collect());
  std::printf("%llu tensors and %s came back\n",
              static_cast<unsigned long long>(report.payloads_retired),
              to_string(report.payload_bytes_retired).c_str());
}
