// An allocator as a table of functions, to hand from one shared library to another. A plug-in that is
// a library by itself holds no memory manager: it is handed one, so that all plug-ins of a process
// draw from one runtime's pools, whoever loaded them.
//
//   libtenure_torch.so  <-- AllocatorTable --  whoever has the runtime: a program, the Python package
//
// `AddressAllocator::table` makes one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tenure {

/// What a library is handed. No exception comes out of its functions.
///
/// Invariant: fields are only ever added behind the last; `size` says which there are.
///
/// threads  anyone. It lives as long as anything that was allocated by it.
struct AllocatorTable {
  std::uint32_t size;  // bytes of this table
  void* self;          // the first argument of each function

  /// `bytes` for work on the default stream, or null: `*why` is a sentence then, good until the
  /// calling thread's next call. Of 0 bytes null, and `*why` stays as it is.
  void* (*allocate)(void* self, std::size_t bytes, const char** why);

  /// 1, or 0 where nothing was allocated by this table at that address. Null is nothing, and 1.
  int (*release)(void* self, void* address);
};

}  // namespace tenure
