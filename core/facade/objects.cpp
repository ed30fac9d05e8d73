#include "tenure/facade/objects.hpp"

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/base/check.hpp"

namespace tenure {

namespace {

constexpr std::array<std::string_view, kObjectTypes> kNames{
    "scalar", "complex", "string",     "vector",   "matrix", "tensor",
    "array",  "struct",  "unit_value", "function", "closure"};

// Kinds by type, in pages that are made as types come: types are numbered from 0, and kinds are few.
class KindTable {
 public:
  [[nodiscard]] TypeId type_of(const ObjectKind& kind) {
    const std::scoped_lock lock(mutex_);
    const std::pair key(kind.type, kind.references);
    if (const auto found = ids_.find(key); found != ids_.end()) {
      return found->second;
    }
    const TypeId made = add(kind, nullptr);
    ids_.emplace(key, made);
    return made;
  }

  [[nodiscard]] TypeId make(const ObjectKind& kind, std::span<const std::string> names) {
    const std::scoped_lock lock(mutex_);
    std::vector<std::string_view> fields{"payload"};
    fields.insert(fields.end(), names.begin(), names.end());
    return add(kind, fields.data());
  }

  [[nodiscard]] bool find(TypeId type, ObjectKind& kind) const {
    const auto number = static_cast<std::uint32_t>(type);
    const Page* const page = pages_[number / kPage].load(std::memory_order_acquire);
    if (page == nullptr) {
      return false;
    }
    const std::uint32_t packed = (*page)[number % kPage].load(std::memory_order_acquire);
    if (packed == 0) {
      return false;
    }
    kind = {.type = static_cast<ObjectType>((packed & kTypeMask) - 1),
            .references = packed >> kReferenceShift};
    return true;
  }

 private:
  static constexpr std::uint32_t kPage = 1024;
  static constexpr std::uint32_t kReferenceShift = 8;
  static constexpr std::uint32_t kTypeMask = (1u << kReferenceShift) - 1;
  static_assert(kMostReferences < (1u << (32 - kReferenceShift)));
  using Page = std::array<std::atomic<std::uint32_t>, kPage>;  // 0: no kind's

  // With the lock held.
  [[nodiscard]] TypeId add(const ObjectKind& kind, const std::string_view* fields) {
    check(kind.references <= kMostReferences, "an object was to have more than 65536 references");
    std::vector<std::uint32_t> offsets(kind.references + std::size_t{1});
    for (std::size_t k = 0; k < offsets.size(); ++k) {
      offsets[k] = static_cast<std::uint32_t>(k * sizeof(ObjectIndex));
    }
    const TypeId made = register_type({.name = to_string(kind.type),
                                       .offsets = offsets.data(),
                                       .reference_count = kind.references + 1,
                                       .field_names = fields});
    note(made, kind);
    return made;
  }

  void note(TypeId type, const ObjectKind& kind) {
    const auto number = static_cast<std::uint32_t>(type);
    std::atomic<Page*>& place = pages_[number / kPage];
    if (place.load(std::memory_order_relaxed) == nullptr) {
      owned_.push_back(std::make_unique<Page>());
      place.store(owned_.back().get(), std::memory_order_release);
    }
    (*place.load(std::memory_order_relaxed))[number % kPage].store(
        (static_cast<std::uint32_t>(kind.type) + 1) | kind.references << kReferenceShift,
        std::memory_order_release);
  }

  std::mutex mutex_;
  std::map<std::pair<ObjectType, std::uint32_t>, TypeId> ids_;  // guarded by mutex_
  std::vector<std::unique_ptr<Page>> owned_;                    // guarded by mutex_
  std::array<std::atomic<Page*>, kTypeLimit / kPage> pages_{};
};

KindTable& kinds() {
  static KindTable& made = *new KindTable();  // objects may be looked at while the program ends
  return made;
}

// Of a payload that was handed back there is nothing to read.
bool is_readable(const Tensor* payload) {
  return payload == nullptr ||
         (payload->kind() != MemoryKind::kDevice && payload->data() != nullptr);
}

}  // namespace

std::string_view to_string(ObjectType type) {
  const auto k = static_cast<std::size_t>(type);
  check(k < kObjectTypes, "an object type that does not exist");
  return kNames[k];
}

namespace detail {

TypeId type_of_kind(const ObjectKind& kind) { return kinds().type_of(kind); }
TypeId make_kind(const ObjectKind& kind, std::span<const std::string> names) {
  return kinds().make(kind, names);
}
bool find_kind(TypeId type, ObjectKind& kind) { return kinds().find(type, kind); }

}  // namespace detail

ObjectKind GcObject::kind() const {
  ObjectKind kind;
  check(detail::find_kind(detail::header_of(index()).type(), kind),
        "an object of another door was looked at as one of the dynamic door's");
  return kind;
}

const Tensor* GcObject::payload() const {
  const ObjectIndex payload = detail::places_of(index())[0];
  return payload == ObjectIndex::kNull ? nullptr
                                       : reinterpret_cast<const Tensor*>(detail::data_of(payload));
}

std::span<const std::byte> GcObject::bytes() const {
  const std::uint32_t references = reference_count();
  if (!is_readable(payload())) {
    return {};
  }
  return {detail::bytes_place(index(), references), detail::size_place(index(), references)};
}

Result<std::span<std::byte>> GcObject::writable_bytes() {
  if (is_sealed()) {
    return Error{ErrorCode::kBadArgument,
                 "a " + std::string(to_string(type())) + " that is sealed was to be written to"};
  }
  if (!is_readable(payload())) {
    return Error{
        ErrorCode::kBadArgument,
        "the host was to write to bytes that lie in a device's memory, or were handed back"};
  }
  const std::uint32_t references = reference_count();
  return std::span(detail::bytes_place(index(), references),
                   detail::size_place(index(), references));
}

GcObject* GcObject::reference(std::uint32_t slot) const {
  if (slot >= reference_count()) {
    return nullptr;
  }
  const ObjectIndex target = detail::places_of(index())[slot + 1];
  return target == ObjectIndex::kNull ? nullptr
                                      : reinterpret_cast<GcObject*>(detail::data_of(target));
}

}  // namespace tenure
