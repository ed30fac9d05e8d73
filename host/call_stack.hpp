// The calls that a thread is in, and what stands at an address of code.
#pragma once

#include <cstdint>
#include <span>

#include "core/backend/platform.hpp"

namespace tenure {

/// As `Platform::call_stack`.
[[nodiscard]] std::size_t host_call_stack(std::span<std::uintptr_t> frames);

/// As `Platform::code_at`.
[[nodiscard]] CodePlace host_code_at(std::uintptr_t address);

}  // namespace tenure
