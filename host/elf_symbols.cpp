#include "host/elf_symbols.hpp"

#include <elf.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <system_error>

namespace tenure {

namespace {

// Source: elf(5).
class ElfFile {
 public:
  explicit ElfFile(const std::string& file) : in_(file, std::ios::binary) {
    Elf64_Ehdr head{};
    if (!read_at(0, &head, sizeof head) ||
        std::memcmp(static_cast<const void*>(head.e_ident), ELFMAG, SELFMAG) != 0 ||
        head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_shentsize != sizeof(Elf64_Shdr)) {
      return;
    }
    sections_.resize(head.e_shnum);
    if (!read_at(head.e_shoff, sections_.data(), sections_.size() * sizeof(Elf64_Shdr))) {
      sections_.clear();
    }
  }

  // The first section of a type.
  [[nodiscard]] const Elf64_Shdr* find(std::uint32_t type) const {
    const auto found = std::ranges::find(sections_, type, &Elf64_Shdr::sh_type);
    return found == sections_.end() ? nullptr : &*found;
  }
  [[nodiscard]] const Elf64_Shdr* linked_to(const Elf64_Shdr& section) const {
    return section.sh_link < sections_.size() ? &sections_[section.sh_link] : nullptr;
  }
  template <class Container>
  [[nodiscard]] bool read(const Elf64_Shdr& section, Container& into) {
    constexpr std::uint64_t kMost = std::uint64_t{1} << 31;
    if (section.sh_size > kMost) {
      return false;
    }
    into.resize(section.sh_size / sizeof(into[0]));
    return read_at(section.sh_offset, into.data(), into.size() * sizeof(into[0]));
  }

 private:
  bool read_at(std::uint64_t offset, void* into, std::size_t bytes) {
    in_.seekg(static_cast<std::streamoff>(offset));
    in_.read(static_cast<char*>(into), static_cast<std::streamsize>(bytes));
    return in_.good();
  }

  std::ifstream in_;
  std::vector<Elf64_Shdr> sections_;
};

}  // namespace

ElfSymbols::ElfSymbols(const std::string& file) {
  ElfFile elf(file);
  const Elf64_Shdr* table = elf.find(SHT_SYMTAB);
  table = table != nullptr ? table : elf.find(SHT_DYNSYM);
  const Elf64_Shdr* const names = table == nullptr ? nullptr : elf.linked_to(*table);
  std::vector<Elf64_Sym> rows;
  if (names == nullptr || !elf.read(*table, rows) || !elf.read(*names, names_)) {
    names_.clear();
    return;
  }
  for (const Elf64_Sym& row : rows) {
    if (ELF64_ST_TYPE(row.st_info) == STT_FUNC && row.st_shndx != SHN_UNDEF && row.st_size > 0 &&
        row.st_name < names_.size()) {
      symbols_.push_back({row.st_value, row.st_value + row.st_size, row.st_name});
    }
  }
  std::ranges::sort(symbols_, {}, &Symbol::first);
}

std::string ElfSymbols::name_at(std::uintptr_t address) const {
  auto after = std::ranges::upper_bound(symbols_, address, {}, &Symbol::first);
  if (after == symbols_.begin()) {
    return {};
  }
  const Symbol& symbol = *--after;
  return address < symbol.end ? std::string(names_.c_str() + symbol.name) : std::string();
}

std::string program_path() {
  std::error_code failed;
  const std::filesystem::path path = std::filesystem::read_symlink("/proc/self/exe", failed);
  return failed ? std::string() : path.string();
}

}  // namespace tenure
