#include "core/base/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace tenure {

void fail(std::string_view what, const char* file, int line) {
  std::fprintf(stderr, "tenure: %.*s (%s:%d)\n", static_cast<int>(what.size()), what.data(), file,
               line);
  std::abort();
}

}  // namespace tenure
