// Automatic differentiation in small: values, and the steps that made them, are objects of the heap.
//
//   input ──┐                        a value refers to the step that made it, a step to its values: the
//           ├─ step ── value ── ...  graph is full of cycles, which counted references would never free
//  weights ─┘    └──────┘
//
// The arithmetic runs on the host, in memory that it and the device see.
#pragma once

#include <cstdint>
#include <tenure/tenure.hpp>
#include <vector>

namespace autograd {

using tenure::Lifetimes;
using tenure::Local;
using tenure::Ref;
using tenure::Tensor;

enum class Operation : std::uint8_t { kMultiply, kAdd, kTanh, kSquaredError };

struct Step;

/// A matrix of floats, row by row, with its gradient once there is one.
struct Value {
  Ref<Tensor> data;
  Ref<Tensor> gradient;
  Ref<Step> maker;  // null for inputs and parameters
  static auto tenure_type() {
    return tenure::describe("Value", &Value::data, &Value::gradient, &Value::maker);
  }
};

struct Step {
  Ref<Value> left;
  Ref<Value> right;  // null for kTanh
  Ref<Value> result;
  Ref<Step> before;  // the one before it on the tape
  Operation operation = Operation::kMultiply;
  static auto tenure_type() {
    return tenure::describe("Step", &Step::left, &Step::right, &Step::result, &Step::before);
  }
};

/// What is done is noted, step by step, until `backward` goes the way back and forgets it.
///
/// lifetimes  kExplicit: `backward` hands bytes back as soon as it is done with them; kCollected: it
///            drops its references, and the collector finds out
class Tape {
 public:
  Tape(tenure::Mutator& mutator, tenure::MemoryKind kind, Lifetimes lifetimes)
      : mutator_(mutator), kind_(kind), lifetimes_(lifetimes), newest_(mutator) {}

  /// A value that no step makes: an input, or a parameter. Filled with `fill(row, column)`.
  template <class Fill>
  [[nodiscard]] Local<Value> value(std::int64_t rows, std::int64_t columns, Fill fill) {
    const Local<Value> made = make_value(rows, columns);
    float* at = made->data->data_as<float>();
    for (std::int64_t row = 0; row < rows; ++row) {
      for (std::int64_t column = 0; column < columns; ++column) *at++ = fill(row, column);
    }
    return made;
  }

  [[nodiscard]] Local<Value> multiply(const Local<Value>& left, const Local<Value>& right);
  /// Adds a row to each row.
  [[nodiscard]] Local<Value> add(const Local<Value>& left, const Local<Value>& row);
  [[nodiscard]] Local<Value> tanh(const Local<Value>& of);
  /// The mean of the squared differences: a matrix of one element.
  [[nodiscard]] Local<Value> squared_error(const Local<Value>& left, const Local<Value>& right);

  /// Fills the gradients of all parameters of `of`, the last value made.
  void backward(const Local<Value>& of);

 private:
  [[nodiscard]] Local<Tensor> make_tensor(std::int64_t rows, std::int64_t columns);
  [[nodiscard]] Local<Value> make_value(std::int64_t rows, std::int64_t columns);
  [[nodiscard]] Local<Value> note(Operation operation, const Local<Value>& left,
                                  const Local<Value>& right, const Local<Value>& result);
  void give_gradient(const Local<Value>& value);
  void differentiate(const Local<Step>& step);
  void drop(const Local<Value>& value);

  tenure::Mutator& mutator_;
  const tenure::MemoryKind kind_;
  const Lifetimes lifetimes_;
  Local<Step> newest_;
};

}  // namespace autograd
