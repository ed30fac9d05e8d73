// JSON in the making: where commas go is seen to.
#pragma once

#include <concepts>
#include <cstdint>
#include <cstdio>
#include <string_view>
#include <type_traits>

#include "core/observe/text_file.hpp"
#include "tenure/bytes.hpp"

namespace tenure {

/// Values one after another; `{`, `[` and their ends as functions.
class JsonRows {
 public:
  explicit JsonRows(TextFile& file) : file_(file) {}

  /// The name of the next value, inside of an object.
  JsonRows& key(std::string_view name) {
    separate();
    file_.quote(name) << ":";
    is_first_ = true;
    return *this;
  }
  void put(std::string_view text) {
    separate();
    file_.quote(text);
  }
  void put(const char* text) { put(std::string_view(text)); }
  void put(bool holds) { word(holds ? "true" : "false"); }
  void put(Bytes bytes) { put(bytes.count()); }
  void put(std::integral auto number) { word(std::to_string(number)); }
  void put(double number) {
    char text[32];
    std::snprintf(text, sizeof text, "%.6g", number);
    word(text);
  }
  template <class Value>
  void put(std::string_view name, const Value& value) {
    key(name).put(value);
  }

  /// `fill` puts what is inside.
  template <class Fill>
  void object(Fill fill) {
    enclose('{', '}', fill);
  }
  template <class Fill>
  void array(Fill fill) {
    enclose('[', ']', fill);
  }
  /// An array of objects, one a row: `put_row(row)` puts what is inside of each.
  template <class Rows, class PutRow>
  void rows(std::string_view name, const Rows& rows, PutRow put_row) {
    key(name).array([&] {
      for (const auto& row : rows) {
        object([&] { put_row(row); });
      }
    });
  }

 private:
  void separate() {
    if (!is_first_) {
      file_ << ",\n";
    }
    is_first_ = false;
  }
  void word(std::string_view text) {
    separate();
    file_ << text;
  }
  template <class Fill>
  void enclose(char open, char close, Fill& fill) {
    separate();
    file_ << std::string_view(&open, 1);
    is_first_ = true;
    fill();
    is_first_ = false;
    file_ << std::string_view(&close, 1);
  }

  TextFile& file_;
  bool is_first_ = true;
};

}  // namespace tenure
