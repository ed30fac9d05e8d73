#include "core/backend/backend.hpp"

#include <array>

namespace tenure {

std::string_view to_string(MemoryKind kind) {
  constexpr std::array<std::string_view, kMemoryKinds> kWords{"host", "pinned", "unified",
                                                              "device"};
  return kWords.at(static_cast<std::size_t>(kind));
}

}  // namespace tenure
