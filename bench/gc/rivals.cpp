#include "bench/gc/rivals.hpp"

#include <dlfcn.h>
#include <fmt/format.h>
#include <stdlib.h>

#include <cstdio>
#include <utility>

namespace tenure::bench {

namespace {

template <class Function>
bool find(void* library, const char* name, Function*& function) {
  function = reinterpret_cast<Function*>(dlsym(library, name));
  return function != nullptr;
}

// What a command prints; empty where it fails.
std::string output_of(const std::string& command) {
  std::string text;
  std::FILE* const pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) {
    return text;
  }
  for (int character = std::fgetc(pipe); character != EOF; character = std::fgetc(pipe)) {
    text += static_cast<char>(character);
  }
  return pclose(pipe) == 0 ? text : std::string{};
}

}  // namespace

Result<Bdwgc> Bdwgc::load(Bytes limit) {
  void* const library = dlopen("libgc.so.1", RTLD_NOW | RTLD_LOCAL);
  Bdwgc loaded;
  void (*begin)() = nullptr;
  int (*expand)(std::size_t) = nullptr;
  unsigned (*version)() = nullptr;
  if (library == nullptr || !find(library, "GC_init", begin) ||
      !find(library, "GC_get_version", version) || !find(library, "GC_expand_hp", expand) ||
      !find(library, "GC_set_max_heap_size", loaded.set_limit_) ||
      !find(library, "GC_malloc", loaded.heap.allocate) ||
      !find(library, "GC_malloc_atomic", loaded.heap.allocate_leaf) ||
      !find(library, "GC_gcollect", loaded.heap.collect)) {
    return Error{ErrorCode::kUnsupported, "bdwgc is not here: install libgc1"};
  }
  begin();
  (void)expand(limit.count());
  loaded.set_limit_(limit.count());
  const unsigned number = version();
  loaded.described = "bdwgc " + std::to_string(number >> 16) + "." +
                     std::to_string(number >> 8 & 0xFF) + "." + std::to_string(number & 0xFF);
  return loaded;
}

void Bdwgc::lift_limit() const { set_limit_(0); }

Result<Java> Java::compile() {
  if (output_of("java -version 2>&1").empty() || output_of("javac -version 2>&1").empty()) {
    return Error{ErrorCode::kUnsupported, "OpenJDK is not here: there is no java or no javac"};
  }
  std::string name = (std::filesystem::temp_directory_path() / "tenure-bench-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) {
    return Error{ErrorCode::kFile, "no folder could be made for the Java programs"};
  }
  Java java{std::filesystem::path(name)};
  const std::string command = "javac -d '" + name + "' '" TENURE_BENCH_JAVA "' 2>&1 && echo done";
  if (output_of(command).empty()) {
    return Error{ErrorCode::kFile, std::string(TENURE_BENCH_JAVA) + " does not compile"};
  }
  return java;
}

Java::Java(Java&& from) noexcept : folder_(std::exchange(from.folder_, {})) {}

Java::~Java() {
  if (!folder_.empty()) {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
}

Result<JavaRun> Java::run(const std::string& collector, Bytes limit, GcProgram program,
                          const GcSizes& sizes, std::uint32_t warm, std::uint32_t timed) const {
  const std::string text = output_of(fmt::format(
      "java -Xms{0}m -Xmx{0}m -XX:+Use{1}GC -cp '{2}' GcPrograms {3} {4} {5}{6} 2>/dev/null",
      limit.count() >> 20, collector, folder_.string(), static_cast<unsigned>(program), warm, timed,
      sizes.arguments()));
  JavaRun run;
  unsigned long long sum = 0;
  if (std::sscanf(text.c_str(), "%llu %lf", &sum, &run.ns) != 2) {
    return Error{ErrorCode::kUnsupported,
                 "OpenJDK " + collector + " does not run the program in " + to_string(limit)};
  }
  run.sum = sum;
  return run;
}

}  // namespace tenure::bench
