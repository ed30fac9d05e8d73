#include "core/backend/backend.hpp"

#include <array>
#include <string>

namespace tenure {

std::string_view to_string(MemoryKind kind) {
  constexpr std::array<std::string_view, kMemoryKinds> kWords{"host", "pinned", "unified",
                                                              "device"};
  return kWords.at(static_cast<std::size_t>(kind));
}

Result<HintOutcome> Backend::prefetch(StreamId stream, const std::byte* /*at*/, Bytes size,
                                      MemorySide /*side*/) {
  if (has_stream(stream)) {
    return HintOutcome::kIgnored;
  }
  return Error{ErrorCode::kBadArgument, "cannot prefetch " + to_string(size) + ": stream " +
                                            std::to_string(static_cast<std::uint32_t>(stream)) +
                                            " was never made"};
}

Result<HintOutcome> Backend::advise(const std::byte* /*at*/, Bytes /*size*/,
                                    MemoryAdvice /*advice*/) {
  return HintOutcome::kIgnored;
}

}  // namespace tenure
