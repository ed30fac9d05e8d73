// Opens what needs no device, by its name. Both builds' `open_backend` begin here; they differ in
// what they say of CUDA.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/backend/backend.hpp"
#include "tenure/result.hpp"

namespace tenure {

/// Opens "auto" and "host", the computer itself, and "sim:80GiB", a simulated device whose calls cost
/// what those of a real one do.
///
/// seed       for a simulated device's own choices
/// on_cuda    why a device "cuda:0" cannot be opened, and what to do about it
/// errors     kUnsupported: a CUDA device; kBadConfig: any other name, or a size that is none
[[nodiscard]] Result<std::unique_ptr<Backend>> open_host_backend(std::string_view name,
                                                                 std::uint64_t seed,
                                                                 const std::string& on_cuda);

}  // namespace tenure
