#include "examples/tensor_runtime/autograd.hpp"

#include <algorithm>
#include <cmath>

namespace autograd {

using namespace tenure;

namespace {

std::int64_t rows_of(const Local<Value>& value) { return value->data->extent(0); }
std::int64_t columns_of(const Local<Value>& value) { return value->data->extent(1); }
float* data(const Local<Value>& value) { return value->data->data_as<float>(); }
float* gradient(const Local<Value>& value) { return value->gradient->data_as<float>(); }

// Adds `factor` times a row to another.
void add_row(float* __restrict to, float factor, const float* __restrict from, std::int64_t count) {
  for (std::int64_t j = 0; j < count; ++j) to[j] += factor * from[j];
}

// result += left * right, row by row, in one order wherever the bytes lie.
void multiply_add(float* result, const float* left, const float* right, std::int64_t rows,
                  std::int64_t inner, std::int64_t columns) {
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t k = 0; k < inner; ++k) {
      add_row(result + i * columns, left[i * inner + k], right + k * columns, columns);
    }
  }
}

// What a product's gradient says of its factors: above * right^T for the left one, left^T * above for the
// right one.
void pass_product(const Local<Value>& left, const Local<Value>& right, const float* above) {
  const std::int64_t rows = rows_of(left);
  const std::int64_t inner = columns_of(left);
  const std::int64_t columns = columns_of(right);
  std::vector<float> turned(static_cast<std::size_t>(inner * columns));
  for (std::int64_t k = 0; k < inner; ++k) {
    for (std::int64_t j = 0; j < columns; ++j) {
      turned[static_cast<std::size_t>(j * inner + k)] = data(right)[k * columns + j];
    }
  }
  multiply_add(gradient(left), above, turned.data(), rows, columns, inner);
  const float* const left_data = data(left);
  float* const sum = gradient(right);
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t k = 0; k < inner; ++k) {
      add_row(sum + k * columns, left_data[i * inner + k], above + i * columns, columns);
    }
  }
}

}  // namespace

Local<Tensor> Tape::make_tensor(std::int64_t rows, std::int64_t columns) {
  Local<Tensor> made =
      value_or_throw(tenure::make_tensor(mutator_, {rows, columns}, {.kind = kind_}));
  std::fill_n(made->data_as<float>(), rows * columns, 0.0f);
  return made;
}

Local<Value> Tape::make_value(std::int64_t rows, std::int64_t columns) {
  const Local<Tensor> bytes = make_tensor(rows, columns);
  const Local<Value> made = make<Value>(mutator_);
  made->data = bytes;
  return made;
}

Local<Value> Tape::note(Operation operation, const Local<Value>& left, const Local<Value>& right,
                        const Local<Value>& result) {
  const Local<Step> step = make<Step>(mutator_);
  step->operation = operation;
  step->left = left;
  step->right = right;
  step->result = result;
  step->before = newest_;
  result->maker = step;
  newest_ = step;
  return result;
}

Local<Value> Tape::multiply(const Local<Value>& left, const Local<Value>& right) {
  const Local<Value> result = make_value(rows_of(left), columns_of(right));
  multiply_add(data(result), data(left), data(right), rows_of(left), columns_of(left),
               columns_of(right));
  return note(Operation::kMultiply, left, right, result);
}

Local<Value> Tape::add(const Local<Value>& left, const Local<Value>& row) {
  const Local<Value> result = make_value(rows_of(left), columns_of(left));
  for (std::int64_t i = 0; i < rows_of(left); ++i) {
    for (std::int64_t j = 0; j < columns_of(left); ++j) {
      const std::int64_t at = i * columns_of(left) + j;
      data(result)[at] = data(left)[at] + data(row)[j];
    }
  }
  return note(Operation::kAdd, left, row, result);
}

Local<Value> Tape::tanh(const Local<Value>& of) {
  const Local<Value> result = make_value(rows_of(of), columns_of(of));
  std::transform(data(of), data(of) + of->data->element_count(), data(result),
                 [](float x) { return std::tanh(x); });
  return note(Operation::kTanh, of, Local<Value>(mutator_), result);
}

Local<Value> Tape::squared_error(const Local<Value>& left, const Local<Value>& right) {
  const Local<Value> result = make_value(1, 1);
  const std::int64_t count = left->data->element_count();
  double sum = 0;
  for (std::int64_t at = 0; at < count; ++at) {
    const double difference = data(left)[at] - data(right)[at];
    sum += difference * difference;
  }
  *data(result) = static_cast<float>(sum / static_cast<double>(count));
  return note(Operation::kSquaredError, left, right, result);
}

void Tape::give_gradient(const Local<Value>& value) {
  if (value && !value->gradient) {
    value->gradient = make_tensor(rows_of(value), columns_of(value));
  }
}

void Tape::differentiate(const Local<Step>& step) {
  const Local<Value> left(mutator_, step->left);
  const Local<Value> right(mutator_, step->right);
  const Local<Value> result(mutator_, step->result);
  give_gradient(left);
  give_gradient(right);
  const std::int64_t count = left->data->element_count();
  const float* const above = gradient(result);
  float* const below = gradient(left);
  switch (step->operation) {
    case Operation::kMultiply:
      pass_product(left, right, above);
      break;
    case Operation::kAdd:
      for (std::int64_t at = 0; at < count; ++at) {
        below[at] += above[at];
        gradient(right)[at % columns_of(left)] += above[at];
      }
      break;
    case Operation::kTanh:
      for (std::int64_t at = 0; at < count; ++at) {
        below[at] += above[at] * (1 - data(result)[at] * data(result)[at]);
      }
      break;
    case Operation::kSquaredError: {
      const float factor = 2 * *above / static_cast<float>(count);
      for (std::int64_t at = 0; at < count; ++at) {
        const float slope = factor * (data(left)[at] - data(right)[at]);
        below[at] += slope;
        gradient(right)[at] -= slope;
      }
      break;
    }
  }
}

// Nobody asks for what a step made once its own gradient went on.
void Tape::drop(const Local<Value>& value) {
  if (lifetimes_ == Lifetimes::kExplicit) {
    value->data->release();
    value->gradient->release();
  }
  value->data = nullptr;
  value->gradient = nullptr;
}

void Tape::backward(const Local<Value>& of) {
  give_gradient(of);
  *gradient(of) = 1;
  while (newest_) {
    differentiate(newest_);
    drop(Local<Value>(mutator_, newest_->result));
    newest_ = newest_->before;
  }
}

}  // namespace autograd
