#include "host/call_stack.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <string>
#include <vector>

#include "host/elf_symbols.hpp"

namespace tenure::testing {
namespace {

[[gnu::noinline]] std::vector<std::uintptr_t> stack_below(int calls) {
  if (calls > 0) {
    std::vector<std::uintptr_t> stack = stack_below(calls - 1);
    stack.push_back(0);  // so that the call is none of the last
    stack.pop_back();
    return stack;
  }
  std::array<std::uintptr_t, 64> frames{};
  const std::size_t count = host_call_stack(frames);
  return {frames.begin(), frames.begin() + static_cast<std::ptrdiff_t>(count)};
}

TEST(CallStack, HasTheCallsInnermostFirst) {
  const std::vector<std::uintptr_t> stack = stack_below(5);

  int calls = 0;
  bool is_test_behind = false;
  for (const std::uintptr_t address : stack) {
    const std::string function = host_code_at(address).function;
    if (function.find("stack_below") != std::string::npos) {
      ++calls;
    } else if (function.find("HasTheCallsInnermostFirst") != std::string::npos) {
      is_test_behind = calls == 6;
    }
  }
  EXPECT_EQ(calls, 6);
  EXPECT_TRUE(is_test_behind);
}

TEST(CallStack, TakesNoMoreThanThereIsRoomFor) {
  std::array<std::uintptr_t, 2> frames{};

  EXPECT_EQ(host_call_stack(frames), 2u);
}

TEST(CodeAt, KnowsFunctionsOfSharedLibrariesAndTheirModules) {
  const CodePlace place = host_code_at(reinterpret_cast<std::uintptr_t>(&std::puts) + 1);

  EXPECT_NE(place.function.find("puts"), std::string::npos) << place.function;
  EXPECT_NE(place.module.find(".so"), std::string::npos) << place.module;
  EXPECT_GT(place.offset, 0u);
}

TEST(CodeAt, KnowsNothingOfWhatIsNoCode) {
  EXPECT_TRUE(host_code_at(16).function.empty());
  EXPECT_TRUE(host_code_at(16).module.empty());
}

TEST(ElfSymbols, AreNoneOfAFileThatIsNoProgram) {
  EXPECT_EQ(ElfSymbols("/proc/self/status").name_at(100), "");
  EXPECT_EQ(ElfSymbols("/no/such/file").name_at(100), "");
}

TEST(ElfSymbols, EndWhereTheFunctionEnds) { EXPECT_EQ(ElfSymbols(program_path()).name_at(1), ""); }

}  // namespace
}  // namespace tenure::testing
