// Runtimes: made, ended, collected, asked.
#include <algorithm>
#include <cstring>
#include <optional>
#include <string>

#include "capi/payloads.hpp"
#include "capi/registry.hpp"
#include "tenure/inspect.hpp"
#include "tenure/snapshot_files.hpp"

namespace tenure::capi {
namespace {

tenure_collection collection_of(const CollectionReport& report) {
  return {.size = 0,
          .generation = report.collected == CollectionReport::kNothing ? TENURE_NO_GENERATION
                                                                       : report.collected,
          .full = report.full ? 1u : 0u,
          .pause_ns = report.pause_ns,
          .objects_copied = report.objects_copied,
          .objects_promoted = report.objects_promoted,
          .objects_marked = report.objects_marked,
          .bytes_freed = report.bytes_freed.count(),
          .payloads_retired = report.payloads_retired,
          .payload_bytes_retired = report.payload_bytes_retired.count(),
          .weak_cleared = report.weak_cleared,
          .finalizers_queued = report.finalizers_queued};
}

tenure_status give_collection(tenure_collection* report, const Result<CollectionReport>& done) {
  if (!done) {
    return fail(done.failure());
  }
  give(report, collection_of(*done));
  return TENURE_OK;
}

// A collection from within a callback of a request, which may be collected for, has to wait.
tenure_status not_in_a_request(tenure_runtime runtime) {
  const Attachment* const own = attachment_of_thread(runtime.bits);
  return own != nullptr && own->is_barred()
             ? fail(TENURE_BUSY, "a callback is called in the midst of the thread's own request")
             : TENURE_OK;
}

// Whether the runtime can end now; from then on nobody else gets at it.
tenure_status begin_to_end(tenure_runtime runtime, RuntimeBox*& box) {
  const Registry::Lock lock(Registry::instance().mutex);
  box = Registry::instance().open_runtime(lock, runtime.bits);
  if (box == nullptr) {
    return fail_with_runtime(runtime);
  }
  const Attachment* const own = attachment_of_thread(runtime.bits);
  if (own != nullptr && own->is_in_callback()) {
    return fail(TENURE_BUSY, "a callback cannot end the runtime that it is called by");
  }
  if (own != nullptr && own != newest_attachment()) {
    return fail(TENURE_BUSY,
                "the thread attached to another runtime since; it detaches there first");
  }
  const std::uint32_t others = box->attached - (own == nullptr ? 0u : 1u);
  if (others > 0 || box->calls > 0) {
    return fail(TENURE_BUSY, "a runtime was to end while " + std::to_string(others) +
                                 " other threads are attached and " + std::to_string(box->calls) +
                                 " calls are under way");
  }
  box->is_ending = true;
  return TENURE_OK;
}

tenure_close_report end(RuntimeBox& box) {
  Registry& registry = Registry::instance();
  // Finalizers run on this thread, and take its attachment.
  Attachment* const own = attachment_of_thread(box.handle);
  tenure_thread passing{};
  if (own != nullptr) {
    own->come_back();
  } else if (attach(box, passing) != TENURE_OK) {
    throw std::bad_alloc();
  }
  std::vector<Held<std::shared_ptr<ArenaBox>>> arenas;
  {
    const Registry::Lock lock(registry.mutex);
    arenas = registry.arenas.take_all([&](const auto& held) { return held.runtime == box.handle; });
  }
  arenas.clear();  // before their pools
  const CloseReport closed = box.runtime.close();
  detach_newest();
  return {.size = 0,
          .payloads_returned = closed.payloads_returned,
          .leases_outstanding = closed.leases_outstanding,
          .handles_outstanding = closed.handles_outstanding,
          .pins_outstanding = closed.pins_outstanding,
          .finalizers_run = closed.finalizers_run,
          .finalizers_failed = closed.finalizers_failed};
}

tenure_statistics statistics_of(const Statistics& from) {
  return {.size = 0,
          .collections = from.collections,
          .young_collections = from.young_collections,
          .full_collections = from.full_collections,
          .pause_total_ns = from.pauses.total_ns(),
          .pause_max_ns = from.pauses.max_ns(),
          .pause_target_misses = from.pause_target_misses,
          .bytes_allocated = from.bytes_allocated.count(),
          .heap_used = from.heap_used.count(),
          .heap_committed = from.heap_committed.count(),
          .heap_limit = from.heap_limit.count(),
          .payloads_retired = from.payloads_retired,
          .payload_bytes_retired = from.payload_bytes_retired.count(),
          .threads = from.mutators,
          .roots = from.handles,
          .pinned_objects = from.pinned_objects,
          .weak_references = from.weak_references,
          .finalizers_set = from.finalizers.set,
          .finalizers_waiting = from.finalizers.waiting,
          .finalizers_ran = from.finalizers.ran,
          .finalizers_failed = from.finalizers.failed};
}

}  // namespace
}  // namespace tenure::capi

using namespace tenure;
using namespace tenure::capi;

tenure_status tenure_runtime_create(const char* options, tenure_runtime* runtime) {
  if (runtime == nullptr) {
    return fail_with_null("a runtime");
  }
  return guarded([&] {
    Registry& registry = Registry::instance();
    if (has_forked()) {
      return fail(TENURE_UNSUPPORTED,
                  "a runtime was to be opened in the child of a process that had one; fork before");
    }
    constexpr std::size_t kLongest = 4096;
    const std::string_view text =
        options == nullptr ? "" : std::string_view(options, strnlen(options, kLongest + 1));
    if (text.size() > kLongest) {
      return fail(TENURE_BAD_CONFIG, "the options are longer than 4096 bytes");
    }
    const Result<Config> config = text.empty() ? Result<Config>(Config{}) : parse_config(text);
    if (!config) {
      return fail(config.failure());
    }
    Result<Runtime> opened = Runtime::open(*config);
    if (!opened) {
      return fail(opened.failure());
    }
    auto box = std::make_unique<RuntimeBox>(std::move(*opened));
    RuntimeBox& kept = *box;
    const Registry::Lock lock(registry.mutex);
    kept.handle = registry.runtimes.put(std::move(box));
    runtime->bits = kept.handle;
    return TENURE_OK;
  });
}

tenure_status tenure_runtime_destroy(tenure_runtime runtime, tenure_close_report* report) {
  if (const tenure_status room = has_room_or_null(report); room != TENURE_OK) {
    return room;
  }
  return guarded([&] {
    RuntimeBox* box = nullptr;
    if (const tenure_status begun = begin_to_end(runtime, box); begun != TENURE_OK) {
      return begun;
    }
    give(report, end(*box));
    std::optional<std::unique_ptr<RuntimeBox>> gone;
    const Registry::Lock lock(Registry::instance().mutex);
    gone = Registry::instance().runtimes.take(runtime.bits);
    return TENURE_OK;
  });
}

tenure_status tenure_collect(tenure_runtime runtime, uint32_t last, tenure_collection* report) {
  if (const tenure_status room = has_room_or_null(report); room != TENURE_OK) {
    return room;
  }
  if (const tenure_status free = not_in_a_request(runtime); free != TENURE_OK) {
    return free;
  }
  return on_runtime(runtime, [&](RuntimeBox& box) {
    return give_collection(report, last == TENURE_ALL_GENERATIONS
                                       ? box.runtime.collect(Collect::kFull)
                                       : box.runtime.collect_up_to(last));
  });
}

tenure_status tenure_compact(tenure_runtime runtime, tenure_collection* report) {
  if (const tenure_status room = has_room_or_null(report); room != TENURE_OK) {
    return room;
  }
  if (const tenure_status free = not_in_a_request(runtime); free != TENURE_OK) {
    return free;
  }
  return on_runtime(
      runtime, [&](RuntimeBox& box) { return give_collection(report, box.runtime.compact()); });
}

tenure_status tenure_trim(tenure_runtime runtime, uint64_t* bytes) {
  return on_runtime(runtime, [&](RuntimeBox& box) {
    const Bytes given_back = box.runtime.trim();
    if (bytes != nullptr) {
      *bytes = given_back.count();
    }
    return TENURE_OK;
  });
}

tenure_status tenure_verify(tenure_runtime runtime) {
  if (const tenure_status free = not_in_a_request(runtime); free != TENURE_OK) {
    return free;
  }
  return on_runtime(runtime, [&](RuntimeBox& box) {
    const Result<void> sound = verify_heap(box.runtime);
    return sound ? TENURE_OK : fail(TENURE_INTERNAL, sound.failure().message);
  });
}

tenure_status tenure_get_statistics(tenure_runtime runtime, tenure_statistics* statistics) {
  if (const tenure_status room = has_room(statistics); room != TENURE_OK) {
    return room;
  }
  return on_runtime(runtime, [&](RuntimeBox& box) {
    give(statistics, statistics_of(box.runtime.statistics()));
    return TENURE_OK;
  });
}

tenure_status tenure_runtime_write_snapshot(tenure_runtime runtime, const char* path,
                                            const char* format) {
  return on_runtime(runtime, [&](RuntimeBox& box) {
    const std::optional<SnapshotFormat> known =
        format == nullptr ? std::nullopt : snapshot_format(format);
    if (path == nullptr || *path == '\0' || !known) {
      return fail(TENURE_BAD_ARGUMENT,
                  "a snapshot needs a path, and a format: \"heapsnapshot\" or \"json\"");
    }
    const Result<HeapSnapshot> snapshot = take_snapshot(box.runtime);
    if (!snapshot) {
      return fail(snapshot.failure());
    }
    if (Result<void> written = write_snapshot(*snapshot, path, *known); !written) {
      return fail(written.failure());
    }
    return TENURE_OK;
  });
}

tenure_status tenure_get_pool_statistics(tenure_runtime runtime, int32_t kind,
                                         tenure_pool_statistics* statistics) {
  if (const tenure_status room = has_room(statistics); room != TENURE_OK) {
    return room;
  }
  return on_runtime(runtime, [&](RuntimeBox& box) {
    if (!is_memory_kind(kind)) {
      return fail_with_kind(kind);
    }
    tenure_pool_statistics found{};
    for (const PoolStatistics& pool : box.runtime.statistics().pools) {
      if (pool.kind == static_cast<MemoryKind>(kind)) {
        found = {.size = 0,
                 .live = pool.live.count(),
                 .reserved = pool.reserved.count(),
                 .peak_live = pool.peak_live.count(),
                 .peak_reserved = pool.peak_reserved.count(),
                 .live_blocks = pool.live_blocks,
                 .leases = pool.leases,
                 .returns = pool.returns,
                 .device_waits = pool.device_waits,
                 .refusals = pool.refusals};
      }
    }
    give(statistics, found);
    return TENURE_OK;
  });
}
