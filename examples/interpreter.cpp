// A small Lisp whose values live in the heap; docs/embedding.md explains it line by line.
//
//   echo "(define f (lambda (n) (if (< n 2) n (+ (f (- n 1)) (f (- n 2)))))) (f 20)" | interpreter
#include <algorithm>
#include <cstdio>
#include <functional>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <tenure/tenure.hpp>
#include <unordered_map>
#include <vector>

using namespace tenure;

namespace {

enum class Kind : std::uint32_t { kNumber, kPair, kSymbol, kClosure, kBuiltin, kArray, kTensor };

// Any value but nil, which is the null reference. References stand first, all of them described.
struct Value {
  Ref<Value> first;            // a pair's head; a closure's parameters; a symbol's global value
  Ref<Value> second;           // a pair's tail; a closure's body
  Ref<Value> scope;            // a closure's
  Ref<RefArray<Value>> items;  // an array's
  Ref<Tensor> tensor;
  Kind kind = Kind::kNumber;
  double number = 0;  // a symbol's place among the names, a builtin's among the builtins
  static auto tenure_type() {
    return describe("Value", &Value::first, &Value::second, &Value::scope, &Value::items,
                    &Value::tensor);
  }
};
using Root = Local<Value>;

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error(what); }

class Interpreter {
 public:
  Interpreter(Runtime& runtime, Mutator& mutator) : runtime_(runtime), mutator_(mutator) {
    for (const char* form : {"quote", "if", "define", "lambda", "set!"}) {
      (void)symbol(form);  // so that their numbers are those of Form
    }
    for (std::size_t k = 0; k < std::size(kBuiltins); ++k) {
      const Root name = symbol(kBuiltins[k].name);
      name->first = make_value(Kind::kBuiltin, static_cast<double>(k));
    }
  }

  // Runs a text; prints what each of its expressions comes to.
  void run(const std::string& text) {
    text_ = &text;
    for (at_ = 0; skip_space();) {
      const Root expression = read();
      const Root value = evaluate(expression, nil());
      std::printf("%s\n", print(value).c_str());
    }
  }

 private:
  enum class Form : std::uint32_t { kQuote, kIf, kDefine, kLambda, kSet, kNone };
  struct Builtin {
    const char* name;
    Root (Interpreter::*call)(const Root& arguments);
  };
  static const Builtin kBuiltins[16];

  // Making values. What a constructor is given are roots: making may collect, and move.
  Root nil() { return Root(mutator_); }
  Root make_value(Kind kind, double number) {
    return make<Value>(mutator_, nullptr, nullptr, nullptr, nullptr, nullptr, kind, number);
  }
  Root pair(const Root& head, const Root& tail) {
    return make<Value>(mutator_, head, tail, nullptr, nullptr, nullptr, Kind::kPair, 0.0);
  }
  Root truth(bool holds) { return holds ? make_value(Kind::kNumber, 1) : nil(); }
  // The table outlives every scope of C++, so it holds handles.
  Root symbol(const std::string& name) {
    const auto [place, is_new] = places_.emplace(name, symbols_.size());
    if (is_new) {
      names_.push_back(name);
      symbols_.emplace_back(make_value(Kind::kSymbol, static_cast<double>(names_.size() - 1)));
    }
    return Root(mutator_, symbols_[place->second]);
  }

  // Reading.
  bool skip_space() {
    at_ = std::min(text_->find_first_not_of(" \n\t", at_), text_->size());
    return at_ < text_->size();
  }
  Root read() {
    if (!skip_space()) {
      fail("the text ends inside an expression");
    }
    const char next = (*text_)[at_];
    if (next == ')') {
      fail("a closing parenthesis without an opening one");
    }
    if (next == '(') {
      ++at_;
      return read_list();
    }
    if (next == '\'') {
      ++at_;
      const Root quoted = pair(read(), nil());
      return pair(symbol("quote"), quoted);
    }
    const std::size_t end = std::min(text_->find_first_of(" \n\t()'", at_), text_->size());
    const std::string word = text_->substr(at_, end - at_);
    at_ = end;
    std::size_t used = 0;
    try {
      const double number = std::stod(word, &used);
      if (used == word.size()) {
        return make_value(Kind::kNumber, number);
      }
    } catch (const std::logic_error&) {  // no number
    }
    return symbol(word);
  }
  Root read_list() {
    if (!skip_space()) {
      fail("the text ends inside a list");
    }
    if ((*text_)[at_] == ')') {
      ++at_;
      return nil();
    }
    const Root head = read();
    const Root tail = read_list();
    return pair(head, tail);
  }

  // Evaluating. A loop, so that a call in the last place needs no stack.
  Root evaluate(const Root& expression, const Root& scope) {
    Root at = expression;
    Root in = scope;
    for (;;) {
      mutator_.poll();  // an expression that makes nothing must let a collection happen too
      if (!at) {
        return at;
      }
      if (at->kind == Kind::kSymbol) {
        return Root(mutator_, *find(at, in));
      }
      if (at->kind != Kind::kPair) {
        return at;
      }
      Root rest(mutator_, at->second);
      switch (form_of(at)) {
        case Form::kQuote:
          return item(rest, 0);
        case Form::kIf:
          at = item(rest, evaluate(item(rest, 0), in) ? 1 : 2);
          continue;
        case Form::kLambda: {
          const Root parameters = item(rest, 0);
          const Root body(mutator_, rest ? rest->second.get() : nullptr);
          return make<Value>(mutator_, parameters, body, in, nullptr, nullptr, Kind::kClosure, 0.0);
        }
        case Form::kDefine:
        case Form::kSet: {
          const Root value = evaluate(item(rest, 1), in);
          const Root name = typed(rest, 0, Kind::kSymbol, "name");
          // Why found now: a place inside an object is good until the next value is made.
          *(form_of(at) == Form::kSet ? find(name, in) : &name->first) = value;
          return value;
        }
        case Form::kNone:
          break;
      }
      const Root function = evaluate(item(at, 0), in);
      const Root arguments = evaluate_all(rest, in);
      if (function && function->kind == Kind::kBuiltin) {
        return (this->*kBuiltins[static_cast<std::size_t>(function->number)].call)(arguments);
      }
      if (!function || function->kind != Kind::kClosure) {
        fail(print(function) + " is no function");
      }
      in = bind(function, arguments);
      at = last_of_body(function, in);
    }
  }
  static Form form_of(const Root& call) {
    const Value* const head = call->first.get();
    return head != nullptr && head->kind == Kind::kSymbol &&
                   head->number < static_cast<double>(Form::kNone)
               ? static_cast<Form>(head->number)
               : Form::kNone;
  }
  Root evaluate_all(const Root& expressions, const Root& scope) {
    if (!expressions) {
      return nil();
    }
    const Root head = evaluate(item(expressions, 0), scope);
    const Root tail = evaluate_all(Root(mutator_, expressions->second), scope);
    return pair(head, tail);
  }
  // A scope is a list of pairs of name and value; the global one is in the symbols themselves.
  Root bind(const Root& closure, const Root& arguments) {
    Root scope(mutator_, closure->scope);
    Root name(mutator_, closure->first);
    Root value = arguments;
    while (name) {
      if (!value) {
        fail("a call has too few arguments");
      }
      const Root bound = pair(item(name, 0), item(value, 0));
      scope = pair(bound, scope);
      name = name->second;
      value = value->second;
    }
    return scope;
  }
  Root last_of_body(const Root& closure, const Root& scope) {
    Root body(mutator_, closure->second);
    for (; body && body->second; body = body->second) {
      (void)evaluate(item(body, 0), scope);
    }
    return item(body, 0);
  }
  // Makes nothing, so that bare pointers are good in here; what it gives, until something is made.
  static Ref<Value>* find(const Root& name, const Root& scope) {
    for (Value* at = scope.get(); at != nullptr; at = at->second.get()) {
      if (at->first->first.index() == name.index()) {
        return &at->first->second;
      }
    }
    return &name->first;
  }
  Root item(const Root& list, int place) {
    const Value* at = list.get();
    for (; at != nullptr && at->kind == Kind::kPair && place > 0; --place) {
      at = at->second.get();
    }
    return at == nullptr ? nil() : Root(mutator_, at->first);
  }

  // Builtins.
  Root typed(const Root& arguments, int place, Kind kind, const char* what) {
    Root value = item(arguments, place);
    if (!value || value->kind != kind) {
      fail(print(value) + " is no " + what);
    }
    return value;
  }
  double number(const Root& arguments, int place) {
    return typed(arguments, place, Kind::kNumber, "number")->number;
  }
  template <class Operation>
  Root arithmetic(const Root& arguments, Operation operation) {
    return make_value(Kind::kNumber, operation(number(arguments, 0), number(arguments, 1)));
  }
  Root add(const Root& a) { return arithmetic(a, std::plus<>()); }
  Root subtract(const Root& a) { return arithmetic(a, std::minus<>()); }
  Root multiply(const Root& a) { return arithmetic(a, std::multiplies<>()); }
  Root less(const Root& a) { return truth(number(a, 0) < number(a, 1)); }
  Root same(const Root& a) { return truth(number(a, 0) == number(a, 1)); }
  Root cons(const Root& a) { return pair(item(a, 0), item(a, 1)); }
  Root head(const Root& a) { return Root(mutator_, typed(a, 0, Kind::kPair, "pair")->first); }
  Root tail(const Root& a) { return Root(mutator_, typed(a, 0, Kind::kPair, "pair")->second); }
  Root is_nil(const Root& a) { return truth(!item(a, 0)); }

  std::uint32_t place_in(const Root& arguments, double length) {
    const double place = number(arguments, 1);
    if (!(place >= 0 && place < length)) {
      fail("there is no item " + print(item(arguments, 1)));
    }
    return static_cast<std::uint32_t>(place);
  }
  std::uint32_t length(const Root& arguments) {
    constexpr double kLongest = 1 << 24;
    const double wanted = number(arguments, 0);
    if (!(wanted >= 1 && wanted <= kLongest)) {
      fail("a length is 1 to 16777216, not " + print(item(arguments, 0)));
    }
    return static_cast<std::uint32_t>(wanted);
  }
  Root array(const Root& a) {
    const Root value = make_value(Kind::kArray, 0);
    value->items = make_array<Value>(mutator_, length(a));
    return value;
  }
  Root get(const Root& a) {
    const Root from = typed(a, 0, Kind::kArray, "array");
    return Root(mutator_, (*from->items)[place_in(a, from->items->size())]);
  }
  Root put(const Root& a) {
    const Root to = typed(a, 0, Kind::kArray, "array");
    const Root value = item(a, 2);
    (*to->items)[place_in(a, to->items->size())] = value;
    return value;
  }
  // A tensor's numbers lie outside the heap, and go back when its value is found dead.
  Root tensor(const Root& a) {
    const std::uint32_t count = length(a);
    const Root value = make_value(Kind::kTensor, 0);
    value->tensor = value_or_throw(make_tensor(
        mutator_, {count}, {.element = ElementType::kFloat64, .kind = MemoryKind::kHost}));
    std::fill_n(value->tensor->data_as<double>(), count, number(a, 1));
    return value;
  }
  Root sum(const Root& a) {
    const Root value = typed(a, 0, Kind::kTensor, "tensor");
    const double* const numbers = value->tensor->data_as<double>();
    double total = 0;
    for (std::int64_t k = 0; k < value->tensor->extent(0); ++k) {
      total += numbers[k];
    }
    return make_value(Kind::kNumber, total);
  }
  Root scale(const Root& a) {
    const Root value = typed(a, 0, Kind::kTensor, "tensor");
    const double factor = number(a, 1);
    double* const numbers = value->tensor->data_as<double>();
    for (std::int64_t k = 0; k < value->tensor->extent(0); ++k) {
      numbers[k] *= factor;
    }
    return value;
  }
  Root collect(const Root&) {
    (void)value_or_throw(runtime_.collect());
    return nil();
  }

  // Printing makes nothing.
  std::string print(const Root& value) const { return print(value.get()); }
  std::string print(const Value* value) const {
    if (value == nullptr) {
      return "()";
    }
    switch (value->kind) {
      case Kind::kNumber: {
        char text[32];
        std::snprintf(text, sizeof(text), "%.15g", value->number);
        return text;
      }
      case Kind::kSymbol:
        return names_[static_cast<std::size_t>(value->number)];
      case Kind::kClosure:
      case Kind::kBuiltin:
        return "#function";
      case Kind::kArray:
        return "#array of " + std::to_string(value->items->size());
      case Kind::kTensor:
        return "#tensor of " + std::to_string(value->tensor->extent(0));
      case Kind::kPair:
        break;
    }
    std::string text = "(" + print(value->first.get());
    const Value* at = value->second.get();
    for (; at != nullptr && at->kind == Kind::kPair; at = at->second.get()) {
      text += " " + print(at->first.get());
    }
    return text + (at == nullptr ? "" : " . " + print(at)) + ")";
  }

  Runtime& runtime_;
  Mutator& mutator_;
  std::vector<std::string> names_;
  std::vector<Handle<Value>> symbols_;  // [names_]
  std::unordered_map<std::string, std::size_t> places_;
  const std::string* text_ = nullptr;
  std::size_t at_ = 0;
};

const Interpreter::Builtin Interpreter::kBuiltins[16] = {
    {"+", &Interpreter::add},         {"-", &Interpreter::subtract},
    {"*", &Interpreter::multiply},    {"<", &Interpreter::less},
    {"=", &Interpreter::same},        {"cons", &Interpreter::cons},
    {"head", &Interpreter::head},     {"tail", &Interpreter::tail},
    {"nil?", &Interpreter::is_nil},   {"array", &Interpreter::array},
    {"get", &Interpreter::get},       {"put", &Interpreter::put},
    {"tensor", &Interpreter::tensor}, {"sum", &Interpreter::sum},
    {"scale", &Interpreter::scale},   {"collect", &Interpreter::collect}};

}  // namespace

int main() {
  const std::string text(std::istreambuf_iterator<char>(std::cin), {});
  try {
    Runtime runtime = value_or_throw(Runtime::open());
    Mutator mutator(runtime);
    Interpreter(runtime, mutator).run(text);
  } catch (const std::exception& error) {
    std::fflush(stdout);
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
