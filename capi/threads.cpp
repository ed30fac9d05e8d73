// Threads: attached, away, detached.
#include "capi/registry.hpp"

using namespace tenure;
using namespace tenure::capi;

tenure_status tenure_thread_attach(tenure_runtime runtime, tenure_thread* thread) {
  if (thread == nullptr) {
    return fail_with_null("a thread");
  }
  return guarded([&] {
    Registry& registry = Registry::instance();
    if (!has_forked() && attachment_of_thread(runtime.bits) != nullptr) {
      return fail(TENURE_BUSY, "the thread is attached to that runtime already");
    }
    RuntimeBox* box = nullptr;
    {
      const Registry::Lock lock(registry.mutex);
      box = registry.open_runtime(lock, runtime.bits);
      if (box == nullptr) {
        return fail_with_runtime(runtime);
      }
      ++box->attached;
    }
    const tenure_status attached = attach(*box, *thread);
    if (attached != TENURE_OK) {
      const Registry::Lock lock(registry.mutex);
      --box->attached;
    }
    return attached;
  });
}

tenure_status tenure_thread_detach(tenure_thread thread) {
  Attachment* attachment = find_attachment(thread);
  // One that is away may go as well.
  for (Attachment* at = newest_attachment(); attachment == nullptr && at != nullptr;
       at = at->outer) {
    if (at->handle.load(std::memory_order_relaxed) == thread.bits) {
      attachment = at;
    }
  }
  if (attachment == nullptr) {
    return fail_with_thread(thread);
  }
  if (attachment->is_in_callback()) {
    return fail(TENURE_BUSY, "a callback cannot detach the thread that it is called on");
  }
  if (attachment != newest_attachment()) {
    return fail(TENURE_BUSY,
                "the thread attached to another runtime since; it detaches there first");
  }
  return guarded([&] {
    RuntimeBox& box = attachment->box();
    detach_newest();
    const Registry::Lock lock(Registry::instance().mutex);
    --box.attached;
    return TENURE_OK;
  });
}

tenure_status tenure_thread_poll(tenure_thread thread) {
  return on_thread(thread, [](Attachment& attachment) {
    attachment.mutator().poll();
    return TENURE_OK;
  });
}

tenure_status tenure_thread_go_away(tenure_thread thread) {
  return on_thread(thread, [](Attachment& attachment) {
    attachment.go_away();
    return TENURE_OK;
  });
}

tenure_status tenure_thread_come_back(tenure_thread thread) {
  for (Attachment* at = newest_attachment(); at != nullptr; at = at->outer) {
    if (thread.bits != 0 && at->handle.load(std::memory_order_relaxed) == thread.bits) {
      if (!at->is_away()) {
        return fail(TENURE_BUSY, "the thread is not away");
      }
      if (at->is_barred()) {
        return fail(TENURE_BUSY, "a callback is called in the midst of the thread's own request");
      }
      return guarded([&] {
        at->come_back();
        return TENURE_OK;
      });
    }
  }
  return fail_with_thread(thread);
}
