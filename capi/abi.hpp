// The C header as the library's own sources see it: its functions, and nothing else that is compiled
// here, are visible outside of the shared library.
#pragma once

#include <cstddef>
#include <cstdint>

#pragma GCC visibility push(default)
extern "C" {
#include "tenure/tenure.h"
}
#pragma GCC visibility pop
