// The functions of a program or shared library, as its file's symbol table has them; those that it
// exports, where it was stripped.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tenure {

class ElfSymbols {
 public:
  /// Of a file that cannot be read, or is not of this machine's form, there are none.
  explicit ElfSymbols(const std::string& file);

  /// The function that an address lies in, as the linker spells it; empty where there is none.
  ///
  /// address  from where the module begins
  [[nodiscard]] std::string name_at(std::uintptr_t address) const;

 private:
  struct Symbol {
    std::uint64_t first = 0;
    std::uint64_t end = 0;
    std::uint32_t name = 0;  // place in names_
  };

  std::vector<Symbol> symbols_;  // by address
  std::string names_;            // each ends with a 0
};

/// Where the program's file lies.
[[nodiscard]] std::string program_path();

}  // namespace tenure
