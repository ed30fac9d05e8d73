#include "capi/types.hpp"

#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

#include "capi/failure.hpp"
#include "tenure/ref.hpp"

namespace tenure::capi {

namespace {

constexpr std::size_t kMostTypes = 65536;  // of the 2^20 that the process's table holds
constexpr std::size_t kLongestName = 255;

using Key = std::tuple<std::string, std::uint32_t, std::uint64_t>;

struct Types {
  std::mutex mutex;
  std::map<Key, TypeId> known;
};

Types& types() {
  static Types& made = *new Types();  // never destroyed: threads may end after `main`
  return made;
}

TypeId add(const Key& key) {
  const auto& [name, references, data_bytes] = key;
  std::vector<std::uint32_t> offsets(references);
  for (std::uint32_t k = 0; k < references; ++k) {
    offsets[k] = static_cast<std::uint32_t>(k * sizeof(ObjectIndex));
  }
  const TypeId type =
      register_type({.name = name, .offsets = offsets.data(), .reference_count = references});
  const std::uint64_t granules =
      1 + granules_for(sizeof(ObjectIndex) * std::uint64_t{references}) + granules_for(data_bytes);
  set_row(type, {static_cast<std::uint32_t>(granules), references});
  return type;
}

}  // namespace

TypeId array_type() {
  static const TypeId type = [] {
    const TypeId made = register_type({.name = "reference[]",
                                       .fills_with_references = true,
                                       .tail_granules = RefArray<int>::kTailGranules});
    set_row(made, {TypeRow::kArray, 0});
    return made;
  }();
  return type;
}

}  // namespace tenure::capi

using namespace tenure;
using namespace tenure::capi;

tenure_status tenure_type_register(const tenure_type_description* description, tenure_type* type) {
  tenure_type_description asked{};
  if (const tenure_status taken = take(description, asked); taken != TENURE_OK) {
    return taken;
  }
  if (type == nullptr || asked.name == nullptr) {
    return fail_with_null(type == nullptr ? "a type" : "a type's name");
  }
  return guarded([&] {
    const std::size_t length = strnlen(asked.name, kLongestName + 1);
    if (length > kLongestName || asked.reserved != 0) {
      return fail(TENURE_BAD_ARGUMENT,
                  "a type's name has 255 bytes at most, and what is reserved is 0");
    }
    if (asked.references == 0 && asked.data_bytes == 0) {
      return fail(TENURE_BAD_ARGUMENT, "a type has a reference or a byte of data at least");
    }
    // Why so few: a row of offsets is made of them, and more is what arrays are for.
    constexpr std::uint32_t kMostReferences = 1u << 16;
    if (asked.references > kMostReferences || asked.data_bytes > kMostObjectBytes / 2) {
      return fail(TENURE_BAD_ARGUMENT,
                  "a type has 65536 references and 16 GiB of data at most; "
                  "arrays hold more references");
    }
    const Key key(std::string(asked.name, length), asked.references, asked.data_bytes);
    const std::scoped_lock lock(types().mutex);
    const auto found = types().known.find(key);
    if (found == types().known.end() && types().known.size() == kMostTypes) {
      return fail(TENURE_OUT_OF_MEMORY, "65536 types are registered, which is the most");
    }
    const TypeId id = found != types().known.end()
                          ? found->second
                          : types().known.emplace(key, add(key)).first->second;
    type->bits = static_cast<std::uint64_t>(id);
    return TENURE_OK;
  });
}
