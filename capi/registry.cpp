#include "capi/registry.hpp"

#include <pthread.h>

#include <algorithm>
#include <string>

namespace tenure::capi {

namespace {

std::atomic<bool> forked{false};

// Ends what the thread that ends did not: a mutator that nobody runs would hold up every stop.
struct ThreadEnd {
  Attachment* newest = nullptr;
  ~ThreadEnd() {
    while (newest != nullptr) {
      RuntimeBox& box = newest->box();
      detach_newest();
      const Registry::Lock lock(Registry::instance().mutex);
      --box.attached;
    }
  }
};
thread_local ThreadEnd end_of_thread;

void lock_registry() { Registry::instance().mutex.lock(); }
void unlock_registry() { Registry::instance().mutex.unlock(); }

// The child has one thread, and none of those that a heap needs: it begins with nothing.
void begin_child() {
  forked.store(true, std::memory_order_relaxed);
  for (const std::atomic<Attachment*>& place : attachments) {
    if (Attachment* const at = place.load(std::memory_order_relaxed); at != nullptr) {
      at->handle.store(0, std::memory_order_relaxed);
    }
  }
  end_of_thread.newest = nullptr;
  current = {};
  unlock_registry();
}

}  // namespace

Registry& Registry::instance() {
  static Registry& registry = *[] {
    auto* const made = new Registry();
    // What can fail here is memory, and then there is no fork either.
    pthread_atfork(lock_registry, unlock_registry, begin_child);
    return made;
  }();
  return registry;
}

RuntimeBox* Registry::open_runtime(const Lock&, std::uint64_t handle) {
  std::unique_ptr<RuntimeBox>* const found = has_forked() ? nullptr : runtimes.find(handle);
  return found == nullptr || (*found)->is_ending ? nullptr : found->get();
}

bool Registry::has_stream(std::uint64_t runtime, std::uint32_t stream) {
  if (stream == TENURE_DEFAULT_STREAM) {
    return true;
  }
  const Lock lock(mutex);
  const std::unique_ptr<RuntimeBox>* const box = runtimes.find(runtime);
  return box != nullptr && std::count((*box)->streams.begin(), (*box)->streams.end(),
                                      static_cast<StreamId>(stream)) > 0;
}

bool has_forked() noexcept { return forked.load(std::memory_order_relaxed); }

RuntimeUse::RuntimeUse(tenure_runtime runtime) {
  Registry& registry = Registry::instance();
  const Registry::Lock lock(registry.mutex);
  box_ = registry.open_runtime(lock, runtime.bits);
  if (box_ != nullptr) {
    ++box_->calls;
  }
}

RuntimeUse::~RuntimeUse() {
  if (box_ != nullptr) {
    const Registry::Lock lock(Registry::instance().mutex);
    --box_->calls;
  }
}

tenure_status fail_with_runtime(tenure_runtime runtime) noexcept {
  if (has_forked()) {
    return fail(TENURE_CLOSED, "the runtime stayed with the parent of this process");
  }
  return runtime.bits == 0
             ? fail(TENURE_BAD_HANDLE, "a null runtime was given")
             : fail(TENURE_BAD_HANDLE, "there is no such runtime, or it was destroyed");
}

tenure_status fail_with_handle(const char* what) noexcept {
  return guarded([&] {
    return fail(TENURE_BAD_HANDLE, "there is no such " + std::string(what) +
                                       ", or it was dropped, or it is of another runtime");
  });
}

tenure_status fail_with_stream(std::uint32_t stream) noexcept {
  return guarded([&] {
    return fail(TENURE_BAD_ARGUMENT, "the runtime made no stream " + std::to_string(stream));
  });
}

Attachment*& newest_attachment() { return end_of_thread.newest; }

Attachment* attachment_of_thread(std::uint64_t runtime) {
  Attachment* attachment = newest_attachment();
  while (attachment != nullptr && attachment->box().handle != runtime) {
    attachment = attachment->outer;
  }
  return attachment;
}

tenure_status attach(RuntimeBox& box, tenure_thread& thread) {
  Registry& registry = Registry::instance();
  Attachment* free = nullptr;
  std::uint64_t handle = 0;
  {
    const Registry::Lock lock(registry.mutex);
    // Why from 1: a handle's low bits are the number, and no handle is 0.
    for (std::uint32_t number = 1; number < kMostAttachments && free == nullptr; ++number) {
      Attachment* at = attachments[number].load(std::memory_order_relaxed);
      if (at == nullptr) {
        at = new Attachment(number);
        attachments[number].store(at, std::memory_order_release);
      }
      if (!at->is_taken) {
        free = at;
      }
    }
    if (free == nullptr) {
      return fail(TENURE_OUT_OF_MEMORY, "4095 threads are attached, which is the most");
    }
    free->is_taken = true;
    handle = ++registry.attachments_made << kAttachmentBits | free->number();
  }
  // Without the lock: it waits for a stop that is under way.
  free->begin(box, handle);
  free->outer = newest_attachment();
  newest_attachment() = free;
  thread = {handle};
  return TENURE_OK;
}

void detach_newest() {
  Attachment*& newest = newest_attachment();
  Attachment& gone = *newest;
  newest = gone.outer;
  gone.end();
  const Registry::Lock lock(Registry::instance().mutex);
  gone.is_taken = false;
}

}  // namespace tenure::capi
