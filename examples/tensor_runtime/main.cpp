// A network that is trained twice on each device: once with the program giving its tensors back, once
// with the collector finding them, in a tenth more memory than the first took.
//
//   example_tensor_runtime [DEVICE...]      host and a simulated device, if none is named
//
// Exit code: 1 where the losses differ, or do not fall as far as they should, or more memory is taken.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "examples/tensor_runtime/autograd.hpp"

using namespace tenure;
using namespace autograd;

namespace {

constexpr std::int64_t kRows = 8192;  // examples, all of them in each step
constexpr std::int64_t kInputs = 8;
constexpr std::int64_t kWidth = 32;
constexpr int kLayers = 6;
constexpr int kSteps = 12;
constexpr float kRate = 0.1f;
constexpr float kGoal = 0.05f;       // of the last loss
constexpr double kMostMemory = 1.1;  // times what explicit lifetimes map

struct Trained {
  std::vector<float> losses;
  PoolStatistics pool;
  std::uint64_t collections = 0;
};

struct Layer {
  Handle<Value> weights;
  Handle<Value> bias;
};

std::vector<Layer> make_layers(Tape& tape) {
  std::mt19937 random(1);
  std::vector<Layer> layers;
  std::int64_t inputs = kInputs;
  for (int k = 0; k < kLayers; ++k) {
    const std::int64_t outputs = k + 1 == kLayers ? 1 : kWidth;
    const float scale = std::sqrt(3.0f / static_cast<float>(inputs));
    const auto draw = [&](std::int64_t, std::int64_t) {
      return (static_cast<float>(random() % 2001) / 1000.0f - 1) * scale;
    };
    layers.push_back({Handle<Value>(tape.value(inputs, outputs, draw)),
                      Handle<Value>(tape.value(1, outputs, [](auto, auto) { return 0.0f; }))});
    inputs = outputs;
  }
  return layers;
}

void descend(Mutator& mutator, const Handle<Value>& parameter) {
  const Local<Value> value(mutator, parameter);
  float* const data = value->data->data_as<float>();
  float* const gradient = value->gradient->data_as<float>();
  for (std::int64_t at = 0; at < value->data->element_count(); ++at) {
    data[at] -= kRate * gradient[at];
    gradient[at] = 0;
  }
}

Trained train(const std::string& device, Lifetimes lifetimes, Bytes budget) {
  Runtime runtime = value_or_throw(Runtime::open({.payload_budget = budget, .device = device}));
  // On a device with a driver the host reaches unified memory alone; elsewhere it reaches any.
  const MemoryKind kind = device.starts_with("cuda") ? MemoryKind::kUnified : MemoryKind::kDevice;
  Mutator mutator(runtime);
  Tape tape(mutator, kind, lifetimes);
  const Local<Value> inputs = tape.value(kRows, kInputs, [](std::int64_t row, std::int64_t column) {
    return std::sin(static_cast<float>(row * 7 + column * 13));
  });
  const Local<Value> targets = tape.value(kRows, 1, [&](std::int64_t row, std::int64_t) {
    const float* const x = inputs->data->data_as<float>() + row * kInputs;
    return std::tanh(x[0] + x[1] * x[2] - x[3]);
  });
  const std::vector<Layer> layers = make_layers(tape);

  Trained trained;
  for (int step = 0; step < kSteps; ++step) {
    Local<Value> at = inputs;
    for (int k = 0; k < kLayers; ++k) {
      at = tape.add(tape.multiply(at, Local<Value>(mutator, layers[k].weights)),
                    Local<Value>(mutator, layers[k].bias));
      if (k + 1 < kLayers) at = tape.tanh(at);
    }
    const Local<Value> loss = tape.squared_error(at, targets);
    trained.losses.push_back(*loss->data->data_as<float>());
    tape.backward(loss);
    for (const Layer& layer : layers) {
      descend(mutator, layer.weights);
      descend(mutator, layer.bias);
    }
  }
  const Statistics statistics = runtime.statistics();
  for (const PoolStatistics& pool : statistics.pools) {
    if (pool.leases > trained.pool.leases) trained.pool = pool;
  }
  trained.collections = statistics.collections;
  return trained;
}

void print(const std::string& device, const char* lifetimes, const Trained& trained) {
  std::printf("%-10s  %-9s  %.4f -> %.4f  %9s  %9s  %11llu\n", device.c_str(), lifetimes,
              static_cast<double>(trained.losses.front()),
              static_cast<double>(trained.losses.back()), to_string(trained.pool.peak_live).c_str(),
              to_string(trained.pool.peak_reserved).c_str(),
              static_cast<unsigned long long>(trained.collections));
}

bool holds(bool condition, const char* otherwise) {
  if (!condition) std::printf("  %s\n", otherwise);
  return condition;
}

bool train_both_ways(const std::string& device) {
  const Trained given_back = train(device, Lifetimes::kExplicit, kUnlimited);
  print(device, "explicit", given_back);
  const Bytes most{static_cast<std::uint64_t>(
      static_cast<double>(given_back.pool.peak_reserved.count()) * kMostMemory)};
  const Trained collected = train(device, Lifetimes::kCollected, most);
  print(device, "collected", collected);
  bool good = holds(collected.losses == given_back.losses, "the losses differ");
  good &= holds(given_back.losses.back() < kGoal, "the loss did not fall as far as it should");
  good &= holds(collected.pool.peak_reserved <= most, "the collected run mapped too much memory");
  good &= holds(static_cast<double>(collected.pool.peak_live.count()) <=
                    static_cast<double>(given_back.pool.peak_live.count()) * kMostMemory,
                "the collected run kept too many tensors");
  return good & holds(collected.collections > 0, "nothing was collected");
}

}  // namespace

int main(int count, char** arguments) {
  std::vector<std::string> devices(arguments + 1, arguments + count);
  if (devices.empty()) devices = {"host", "sim:1GiB"};
  std::printf("%-10s  %-9s  %-16s  %9s  %9s  %s\n", "device", "lifetimes", "loss", "peak live",
              "reserved", "collections");
  bool good = true;
  for (const std::string& device : devices) {
    try {
      good &= train_both_ways(device);
    } catch (const Failure& failure) {
      std::printf("%s: %s\n", device.c_str(), failure.what());
      good = false;
    }
  }
  return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
