// The process's types, as rows that a marker can read. Rows are added and never changed, so readers
// need no lock.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/heap_view.hpp"
#include "tenure/type.hpp"

namespace tenure {

/// threads  anyone
class TypeTable {
 public:
  /// The one table of the process.
  [[nodiscard]] static TypeTable& instance();

  TypeTable();
  TypeTable(const TypeTable&) = delete;
  TypeTable& operator=(const TypeTable&) = delete;

  /// Adds a type. Stops the program, with a sentence, on one whose references do not stand first.
  [[nodiscard]] TypeId add(const TypeDescription& type);

  [[nodiscard]] const TypeRow* rows() const { return rows_; }
  [[nodiscard]] const TypeRow& row(TypeId type) const {
    return rows_[static_cast<std::uint32_t>(type)];
  }
  [[nodiscard]] std::string_view name(TypeId type) const;
  /// Of a reference; empty where it has no name.
  [[nodiscard]] std::string_view field_name(TypeId type, std::uint32_t slot) const;
  [[nodiscard]] std::uint32_t size() const;

 private:
  mutable std::mutex mutex_;
  TypeRow* rows_;                  // [kTypeLimit], reserved, touched as types come
  std::deque<std::string> names_;  // guarded by mutex_; a deque, since names are lent out
  std::deque<std::vector<std::string>> field_names_;  // of the same types; likewise
};

}  // namespace tenure
