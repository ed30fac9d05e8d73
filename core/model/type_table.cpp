#include "core/model/type_table.hpp"

#include <cstdlib>

#include "core/base/check.hpp"

namespace tenure {

namespace {

// References stand first, at bytes 0, 4, 8, ...: a device finds them by counting.
void check_layout(const TypeDescription& type) {
  for (std::uint32_t k = 0; k < type.reference_count; ++k) {
    if (type.offsets[k] != k * sizeof(ObjectIndex)) {
      fail("type " + std::string(type.name) + ": its references must stand first and be named in " +
           "order; number " + std::to_string(k) + " lies at byte " +
           std::to_string(type.offsets[k]) + ", not " + std::to_string(k * sizeof(ObjectIndex)));
    }
  }
}

}  // namespace

TypeTable& TypeTable::instance() {
  // Why never destroyed: objects and their types may be looked at while the program exits.
  static TypeTable& table = *new TypeTable();
  return table;
}

TypeTable::TypeTable() : rows_(static_cast<TypeRow*>(std::calloc(kTypeLimit, sizeof(TypeRow)))) {
  check(rows_ != nullptr, "no memory for the table of types");
  names_ = {"free cell", "filler"};
  field_names_.resize(names_.size());
}

TypeId TypeTable::add(const TypeDescription& type) {
  check_layout(type);
  const std::scoped_lock lock(mutex_);
  check(names_.size() < kTypeLimit, "more than 2^20 types were registered");
  const auto id = static_cast<std::uint32_t>(names_.size());
  rows_[id] = type.fills_with_references ? TypeRow{TypeRow::kFill, type.tail_granules}
                                         : TypeRow{type.reference_count, 0};
  names_.emplace_back(type.name);
  std::vector<std::string>& fields = field_names_.emplace_back();
  if (type.field_names != nullptr) {
    fields.assign(type.field_names, type.field_names + type.reference_count);
  }
  return static_cast<TypeId>(id);
}

std::string_view TypeTable::name(TypeId type) const {
  const std::scoped_lock lock(mutex_);
  const auto id = static_cast<std::uint32_t>(type);
  check(id < names_.size(), "the name of a type that was never registered was asked for");
  return names_[id];
}

std::string_view TypeTable::field_name(TypeId type, std::uint32_t slot) const {
  const std::scoped_lock lock(mutex_);
  const auto id = static_cast<std::uint32_t>(type);
  check(id < field_names_.size(), "a field of a type that was never registered was asked for");
  const std::vector<std::string>& fields = field_names_[id];
  return slot < fields.size() ? std::string_view(fields[slot]) : std::string_view();
}

std::uint32_t TypeTable::size() const {
  const std::scoped_lock lock(mutex_);
  return static_cast<std::uint32_t>(names_.size());
}

TypeId register_type(const TypeDescription& type) { return TypeTable::instance().add(type); }

std::string_view type_name(TypeId type) { return TypeTable::instance().name(type); }

std::string_view type_field_name(TypeId type, std::uint32_t slot) {
  return TypeTable::instance().field_name(type, slot);
}

}  // namespace tenure
