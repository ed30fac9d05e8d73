#include "tenure/facade/struct_layout.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace tenure {

namespace {

Error bad(const std::string& layout, const std::string& what) {
  return {ErrorCode::kBadArgument, "the structure " + layout + ' ' + what};
}

Result<void> check_slots(const std::string& layout, const StructSize& size,
                         const std::vector<StructSlot>& slots) {
  std::set<std::uint32_t> taken;
  for (const StructSlot& slot : slots) {
    if (slot.slot >= size.references) {
      return bad(layout, "has " + std::to_string(size.references) + " references; " + slot.name +
                             " would be number " + std::to_string(slot.slot) + ", outside of it");
    }
    if (!taken.insert(slot.slot).second) {
      return bad(layout, "has two names for reference " + std::to_string(slot.slot) +
                             ": they overlap, " + slot.name + " is the second");
    }
  }
  return {};
}

Result<void> check_fields(const std::string& layout, const StructSize& size,
                          std::vector<StructField> fields) {
  std::sort(fields.begin(), fields.end(),
            [](const StructField& a, const StructField& b) { return a.offset < b.offset; });
  std::uint64_t end = 0;
  for (const StructField& field : fields) {
    const std::uint64_t element = bytes_of(field.element);
    std::uint64_t bytes = 0;
    if (__builtin_mul_overflow(element, field.count, &bytes) || field.count == 0 ||
        field.offset > size.size || bytes > size.size - field.offset) {
      return bad(layout, "has " + std::to_string(size.size) + " bytes; " + field.name +
                             " lies outside of them, or is empty");
    }
    if (field.offset < end) {
      return bad(layout, "has fields that overlap: " + field.name + " begins before another ends");
    }
    // Complex numbers are aligned as their halves are.
    if (field.offset % std::min<std::uint64_t>(element, kGranuleBytes) != 0) {
      return bad(layout, "has a field that is not aligned to its elements: " + field.name);
    }
    end = field.offset + bytes;
  }
  return {};
}

Result<void> check_names(const std::string& layout, const std::vector<StructSlot>& slots,
                         const std::vector<StructField>& fields) {
  std::set<std::string> names;
  const auto add = [&](const std::string& name) {
    return !name.empty() && names.insert(name).second;
  };
  for (const StructSlot& slot : slots) {
    if (!add(slot.name)) {
      return bad(layout, "has a reference without a name, or with another's: \"" + slot.name + '"');
    }
  }
  for (const StructField& field : fields) {
    if (!add(field.name)) {
      return bad(layout, "has a field without a name, or with another's: \"" + field.name + '"');
    }
  }
  return {};
}

}  // namespace

Result<StructLayout> StructLayout::declare(std::string name, StructSize size,
                                           std::vector<StructSlot> slots,
                                           std::vector<StructField> fields) {
  if (size.references > kMostReferences) {
    return bad(name, "has more than 65536 references");
  }
  for (const Result<void>& sound :
       {check_names(name, slots, fields), check_slots(name, size, slots),
        check_fields(name, size, fields)}) {
    if (!sound) {
      return sound.failure();
    }
  }
  StructLayout layout;
  std::vector<std::string> names(size.references);
  for (const StructSlot& slot : slots) {
    names[slot.slot] = name + '.' + slot.name;
  }
  layout.type_ = detail::make_kind({ObjectType::kStruct, size.references}, names);
  layout.name_ = std::move(name);
  layout.size_ = size;
  layout.slots_ = std::move(slots);
  layout.fields_ = std::move(fields);
  return layout;
}

Result<std::uint32_t> StructLayout::slot(std::string_view name) const {
  for (const StructSlot& slot : slots_) {
    if (slot.name == name) {
      return slot.slot;
    }
  }
  return bad(name_, "has no reference called " + std::string(name));
}

Result<StructField> StructLayout::field(std::string_view name) const {
  for (const StructField& field : fields_) {
    if (field.name == name) {
      return field;
    }
  }
  return bad(name_, "has no field called " + std::string(name));
}

Result<std::uint64_t> StructLayout::place_of(const Handle<GcObject>& object, std::string_view name,
                                             ElementType element) const {
  const Result<StructField> field = this->field(name);
  if (!field) {
    return field.failure();
  }
  if (field->element != element) {
    return bad(name_, "has a field " + std::string(name) + " of " +
                          std::string(to_string(field->element)) + ", not of " +
                          std::string(to_string(element)));
  }
  if (!object || detail::header_of(object.index()).type() != type_) {
    return bad(name_, "was looked for in an object that has another layout, or in none");
  }
  return field->offset;
}

}  // namespace tenure
