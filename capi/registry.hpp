// All that C programs of this process hold, but for references to objects: runtimes, roots, pins,
// weak references, leases and arenas, under one mutex.
//
// Invariant: the mutex is held for a look-up or a table's change, never over a call that may stop the
// world: a thread that waits for it holds up a stop.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <variant>
#include <vector>

#include "capi/attachment.hpp"
#include "capi/shelf.hpp"
#include "tenure/arena.hpp"
#include "tenure/pinned.hpp"
#include "tenure/runtime.hpp"
#include "tenure/weak.hpp"
#include "tenure/weak_map.hpp"

namespace tenure::capi {

struct RuntimeBox {
  explicit RuntimeBox(Runtime opened) : runtime(std::move(opened)) {}

  Runtime runtime;
  std::uint64_t handle = 0;
  std::uint32_t calls = 0;        // under way; guarded by the registry
  std::uint32_t attached = 0;     // threads; likewise
  bool is_ending = false;         // likewise
  std::vector<StreamId> streams;  // made, the default one left out; likewise
};

/// What is held of one runtime, which may be gone.
template <class T>
struct Held {
  T thing;
  std::uint64_t runtime = 0;  // its handle
};

/// An arena, and the places in it that can be gone back to.
struct ArenaBox {
  struct Marked {
    Arena::Mark mark;
    std::uint32_t serial = 0;
  };
  Arena arena;
  std::vector<Marked> marks;
  std::uint32_t marks_made = 0;
  std::mutex in_use;
};

using ObjectMap = WeakMap<AnyObject, AnyObject>;

struct Registry {
  using Lock = std::scoped_lock<std::mutex>;

  /// Made when first asked for, never destroyed: threads may end after `main`.
  static Registry& instance();

  std::mutex mutex;
  Shelf<std::unique_ptr<RuntimeBox>, 1> runtimes;
  Shelf<Held<Handle<AnyObject>>, 2> roots;
  Shelf<Held<Pinned<AnyObject>>, 3> pins;
  Shelf<Held<Weak<AnyObject>>, 4> weak;
  Shelf<Held<PayloadLease>, 5> leases;
  Shelf<Held<std::shared_ptr<ArenaBox>>, 6> arenas;
  Shelf<Held<std::variant<PressureCallbackId, RootCallbackId>>, 7> hooks;
  Shelf<Held<std::shared_ptr<ObjectMap>>, 8> maps;
  std::uint64_t attachments_made = 0;

  /// The runtime's box, where it is open and not ending; null otherwise.
  [[nodiscard]] RuntimeBox* open_runtime(const Lock&, std::uint64_t handle);
  [[nodiscard]] bool has_stream(std::uint64_t runtime, std::uint32_t stream);
};

/// Whether this process is the child of one that had opened a runtime. Its threads, which a heap
/// needs, stayed there, so that nothing is open here and nothing can be.
[[nodiscard]] bool has_forked() noexcept;

/// A call on a runtime under way: it is not destroyed meanwhile.
class RuntimeUse {
 public:
  explicit RuntimeUse(tenure_runtime runtime);
  RuntimeUse(const RuntimeUse&) = delete;
  RuntimeUse& operator=(const RuntimeUse&) = delete;
  ~RuntimeUse();

  /// Null where there is no such runtime.
  [[nodiscard]] RuntimeBox* box() const { return box_; }
  [[nodiscard]] Runtime* operator->() const { return &box_->runtime; }

 private:
  RuntimeBox* box_;
};

[[gnu::cold]] tenure_status fail_with_runtime(tenure_runtime runtime) noexcept;
/// what   "root", "pin"
[[gnu::cold]] tenure_status fail_with_handle(const char* what) noexcept;
/// The failure of a stream that its runtime never made.
[[gnu::cold]] tenure_status fail_with_stream(std::uint32_t stream) noexcept;

/// The calling thread's attachment to a runtime; null where it has none. It may be away.
[[nodiscard]] Attachment* attachment_of_thread(std::uint64_t runtime);
/// The calling thread's attachment made last.
[[nodiscard]] Attachment*& newest_attachment();

/// Attaches the calling thread, which has no attachment to this runtime.
///
/// errors  TENURE_OUT_OF_MEMORY: 4095 threads are attached
[[nodiscard]] tenure_status attach(RuntimeBox& box, tenure_thread& thread);
/// Ends the calling thread's newest attachment, and leaves the count of its runtime as it is.
void detach_newest();

/// Calls `body(runtime box)` on an open runtime; what it gives is the status.
template <class Body>
tenure_status on_runtime(tenure_runtime runtime, Body body) noexcept {
  return guarded([&] {
    const RuntimeUse use(runtime);
    return use.box() == nullptr ? fail_with_runtime(runtime) : body(*use.box());
  });
}

/// Calls `body(attachment)` on the calling thread's; what it gives is the status.
template <class Body>
tenure_status on_thread(tenure_thread thread, Body body) noexcept {
  Attachment* const attachment = find_attachment(thread);
  if (attachment == nullptr) [[unlikely]] {
    return fail_with_thread(thread);
  }
  return guarded([&] { return body(*attachment); });
}

/// Takes a thing off its shelf; it ends once the registry is free again.
///
/// what   "root", "pin"
template <class Shelf>
tenure_status drop(Shelf& shelf, std::uint64_t bits, const char* what) noexcept {
  return guarded([&] {
    if (has_forked()) {
      return fail(TENURE_CLOSED, "what it belongs to stayed with the parent of this process");
    }
    auto gone = [&] {
      const Registry::Lock lock(Registry::instance().mutex);
      return shelf.take(bits);
    }();
    return gone.has_value() ? TENURE_OK : fail_with_handle(what);
  });
}

}  // namespace tenure::capi
