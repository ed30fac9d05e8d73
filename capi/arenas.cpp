// Arenas, and the marks in them.
#include "capi/payloads.hpp"
#include "capi/registry.hpp"

namespace tenure::capi {
namespace {

constexpr std::uint64_t kMostMarks = 1u << 20;  // in one arena at a time

// Calls `body(box)` on an arena that nobody else uses meanwhile; what it gives is the status. The
// arena's runtime is not destroyed either.
template <class Body>
tenure_status on_arena(tenure_arena arena, Body body) {
  return guarded([&] {
    std::shared_ptr<ArenaBox> box;
    std::uint64_t runtime = 0;
    {
      const Registry::Lock lock(Registry::instance().mutex);
      if (const auto* const held = Registry::instance().arenas.find(arena.bits); held != nullptr) {
        box = held->thing;
        runtime = held->runtime;
      }
    }
    if (box == nullptr) {
      return fail_with_handle("arena");
    }
    const RuntimeUse use(tenure_runtime{runtime});
    if (use.box() == nullptr) {
      return fail_with_runtime({runtime});
    }
    // Why not waited for: whoever waits holds up a stop that the other may be asking for.
    const std::unique_lock<std::mutex> alone(box->in_use, std::try_to_lock);
    if (!alone.owns_lock()) {
      return fail(TENURE_BUSY, "another thread uses the arena; one at a time may");
    }
    return body(*box);
  });
}

}  // namespace
}  // namespace tenure::capi

using namespace tenure;
using namespace tenure::capi;

tenure_status tenure_arena_open(tenure_runtime runtime, const tenure_arena_options* options,
                                tenure_arena* arena) {
  tenure_arena_options asked{};
  if (const tenure_status taken = take(options, asked); taken != TENURE_OK) {
    return taken;
  }
  if (arena == nullptr) {
    return fail_with_null("an arena");
  }
  return on_runtime(runtime, [&](RuntimeBox& box) {
    if (!is_memory_kind(asked.kind)) {
      return fail_with_kind(asked.kind);
    }
    if (!Registry::instance().has_stream(runtime.bits, asked.stream)) {
      return fail_with_stream(asked.stream);
    }
    ArenaOptions wanted{.kind = static_cast<MemoryKind>(asked.kind),
                        .stream = static_cast<StreamId>(asked.stream)};
    if (asked.chunk_bytes != 0) {
      wanted.chunk = Bytes{asked.chunk_bytes};
    }
    Result<Arena> opened = Arena::open(box.runtime, wanted);
    if (!opened) {
      return fail(opened.failure());
    }
    auto made = std::make_shared<ArenaBox>(std::move(*opened));
    Registry& registry = Registry::instance();
    const Registry::Lock lock(registry.mutex);
    arena->bits = registry.arenas.put({std::move(made), runtime.bits});
    return TENURE_OK;
  });
}

tenure_status tenure_arena_allocate(tenure_arena arena, uint64_t bytes, uint64_t alignment,
                                    void** data) {
  if (data == nullptr) {
    return fail_with_null("an address");
  }
  return on_arena(arena, [&](ArenaBox& box) {
    const Result<PayloadView> made = box.arena.allocate(Bytes{bytes}, Bytes{alignment});
    if (!made) {
      return fail(made.failure());
    }
    *data = made->data;
    return TENURE_OK;
  });
}

// A mark is its place in the arena's list, and a serial that tells it from one made there before.
tenure_status tenure_arena_mark(tenure_arena arena, tenure_mark* mark) {
  if (mark == nullptr) {
    return fail_with_null("a mark");
  }
  return on_arena(arena, [&](ArenaBox& box) {
    if (box.marks.size() >= kMostMarks) {
      return fail(TENURE_OUT_OF_MEMORY, "the arena has 2^20 marks, which is the most; rewind it");
    }
    box.marks.push_back({box.arena.mark(), ++box.marks_made});
    mark->bits = std::uint64_t{box.marks_made} << 32 | (box.marks.size() - 1);
    return TENURE_OK;
  });
}

tenure_status tenure_arena_rewind(tenure_arena arena, tenure_mark mark) {
  return on_arena(arena, [&](ArenaBox& box) {
    const std::uint64_t place = mark.bits & 0xFFFF'FFFF;
    if (place >= box.marks.size() || box.marks[place].serial != mark.bits >> 32) {
      return fail(TENURE_BAD_HANDLE,
                  "the mark is not this arena's, or the arena went back behind it since");
    }
    box.arena.rewind(box.marks[place].mark);
    box.marks.resize(place + 1);
    return TENURE_OK;
  });
}

tenure_status tenure_arena_close(tenure_arena arena) {
  return guarded([&] {
    Registry& registry = Registry::instance();
    std::optional<Held<std::shared_ptr<ArenaBox>>> gone;
    const Registry::Lock lock(registry.mutex);
    if (!has_forked()) {
      gone = registry.arenas.take(arena.bits);
    }
    return gone.has_value() ? TENURE_OK : fail_with_handle("arena");
  });
}
