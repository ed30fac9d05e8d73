// What /proc and /sys say of the machine.
#pragma once

#include <string>

#include "tenure/machine.hpp"

namespace tenure {

/// All of a report but its devices.
///
/// root     where proc/ and sys/ are: "" on a machine; tests lay out their own
[[nodiscard]] MachineReport read_machine(const std::string& root = "");

}  // namespace tenure
