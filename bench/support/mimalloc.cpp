#include "bench/support/mimalloc.hpp"

#include <dlfcn.h>
#include <gnu/libc-version.h>

#include <cstdlib>

namespace tenure::bench {

namespace {

template <class Function>
Function* find(void* library, const char* name) {
  return reinterpret_cast<Function*>(dlsym(library, name));
}

// The file that a function of this process lies in.
std::string file_of(void* function) {
  Dl_info info{};
  return dladdr(function, &info) != 0 && info.dli_fname != nullptr ? info.dli_fname : "?";
}

}  // namespace

Result<Mimalloc> Mimalloc::load() {
  void* const library = dlopen(TENURE_BENCH_MIMALLOC, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return Error{ErrorCode::kUnsupported,
                 "the rival mimalloc cannot be opened (" + std::string(dlerror()) +
                     "): install libmimalloc2.0, or configure again with what is there"};
  }
  Mimalloc loaded;
  loaded.allocate = find<void*(std::size_t)>(library, "mi_malloc");
  loaded.free = find<void(void*)>(library, "mi_free");
  const auto version = find<int()>(library, "mi_version");
  const auto is_its_own = find<bool(const void*)>(library, "mi_is_in_heap_region");
  if (loaded.allocate == nullptr || loaded.free == nullptr || version == nullptr ||
      is_its_own == nullptr) {
    return Error{ErrorCode::kUnsupported, std::string(TENURE_BENCH_MIMALLOC) +
                                              " lacks a function of mimalloc 2's: it is not "
                                              "the library that is meant"};
  }
  // The proof that the two rivals are two.
  void* const plain = std::malloc(64);
  void* const rivals = loaded.allocate(64);
  const bool apart = !is_its_own(plain) && is_its_own(rivals);
  loaded.free(rivals);
  std::free(plain);
  if (!apart) {
    return Error{ErrorCode::kUnsupported,
                 "plain malloc is mimalloc's in this process: run without LD_PRELOAD, so that "
                 "the rivals are two"};
  }
  // Source: mimalloc.h: 212 stands for 2.1.2, so the first digit is all that is sure of 2.0.9's 209.
  loaded.described = "mimalloc, version number " + std::to_string(version()) + " (" +
                     file_of(reinterpret_cast<void*>(loaded.allocate)) + ")";
  return loaded;
}

std::string describe_malloc() {
  const std::string file = file_of(dlsym(RTLD_DEFAULT, "malloc"));
  const bool is_plain = file.find("libc.so") != std::string::npos;
  return is_plain ? "glibc " + std::string(gnu_get_libc_version()) + " (" + file + ")" : file;
}

}  // namespace tenure::bench
