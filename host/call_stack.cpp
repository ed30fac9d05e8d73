#include "host/call_stack.hpp"

#include <cxxabi.h>
#include <dlfcn.h>
#include <link.h>
#include <unwind.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "host/elf_symbols.hpp"

namespace tenure {

namespace {

struct Walk {
  std::span<std::uintptr_t> frames;
  std::size_t count = 0;
};

_Unwind_Reason_Code visit_frame(_Unwind_Context* context, void* argument) {
  Walk& walk = *static_cast<Walk*>(argument);
  if (walk.count == walk.frames.size()) {
    return _URC_END_OF_STACK;
  }
  int is_before_instruction = 0;
  std::uintptr_t address = _Unwind_GetIPInfo(context, &is_before_instruction);
  if (address == 0) {
    return _URC_END_OF_STACK;
  }
  // What is returned to stands behind the call, and may belong to another line or function.
  address -= is_before_instruction != 0 ? 0 : 1;
  walk.frames[walk.count++] = address;
  return _URC_NO_REASON;
}

std::string demangled(const char* symbol) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(
      abi::__cxa_demangle(symbol, nullptr, nullptr, &status), &std::free);
  return status == 0 ? std::string(name.get()) : std::string(symbol);
}

// The symbols of a module that was asked about before.
const ElfSymbols& symbols_of(const std::string& module) {
  static std::mutex mutex;
  // Why never destroyed: a profile may be taken by the program's last destructors.
  static auto& read = *new std::map<std::string, ElfSymbols>;  // guarded by mutex
  const std::scoped_lock lock(mutex);
  const auto known = read.find(module);
  return known != read.end() ? known->second
                             : read.emplace(module, ElfSymbols(module)).first->second;
}

}  // namespace

std::size_t host_call_stack(std::span<std::uintptr_t> frames) {
  Walk walk{.frames = frames};
  _Unwind_Backtrace(visit_frame, &walk);
  return walk.count;
}

CodePlace host_code_at(std::uintptr_t address) {
  CodePlace place;
  Dl_info info{};
  link_map* module = nullptr;
  if (dladdr1(reinterpret_cast<void*>(address), &info, reinterpret_cast<void**>(&module),
              RTLD_DL_LINKMAP) == 0 ||
      module == nullptr) {
    return place;
  }
  // The program itself has no name there; what it was called by may not be where it lies.
  const std::string own = "/proc/self/exe";
  place.module = module->l_name[0] == '\0' ? own : std::string(module->l_name);
  place.offset = address - module->l_addr;
  std::string symbol = symbols_of(place.module).name_at(place.offset);
  if (symbol.empty() && info.dli_sname != nullptr) {
    symbol = info.dli_sname;
  }
  place.function = symbol.empty() ? symbol : demangled(symbol.c_str());
  if (place.module == own) {
    place.module = program_path();
  }
  return place;
}

}  // namespace tenure
