// Tensors: objects whose bytes lie in a pool.
#include <algorithm>

#include "capi/payloads.hpp"
#include "capi/registry.hpp"

namespace tenure::capi {
namespace {

// Calls `body(tensor)` on the tensor that a reference names; what it gives is the status.
template <class Body>
tenure_status on_tensor(tenure_thread thread, tenure_ref reference, Body body) {
  return on_thread(thread, [&](Attachment& attachment) {
    const Attachment::Slot* const slot = attachment.find(reference);
    if (slot == nullptr) {
      return fail_with_reference(reference);
    }
    if (detail::header_of(slot->link.object).type() != type_id<Tensor>()) {
      return fail(TENURE_BAD_ARGUMENT, "the object is no tensor");
    }
    const Local<Tensor> tensor(attachment.core(), slot->link.object);
    return body(attachment, tensor);
  });
}

// A tensor just made, as a reference.
tenure_status give_tensor(Attachment& attachment, const Result<Local<Tensor>>& made,
                          tenure_ref* reference) {
  if (!made) {
    return fail(made.failure());
  }
  *reference = attachment.push(made->index());
  return TENURE_OK;
}

tenure_status fail_with_rank(std::uint32_t rank) {
  return fail(TENURE_BAD_ARGUMENT, "a tensor has 8 axes at most, not " + std::to_string(rank));
}

}  // namespace
}  // namespace tenure::capi

using namespace tenure;
using namespace tenure::capi;

tenure_status tenure_tensor_make(tenure_thread thread, const tenure_tensor_options* options,
                                 tenure_ref* tensor) {
  tenure_tensor_options asked{};
  if (const tenure_status taken = take(options, asked); taken != TENURE_OK) {
    return taken;
  }
  if (tensor == nullptr) {
    return fail_with_null("a reference");
  }
  return on_thread(thread, [&](Attachment& attachment) {
    if (!is_memory_kind(asked.kind)) {
      return fail_with_kind(asked.kind);
    }
    if (!is_element(asked.element)) {
      return fail(TENURE_BAD_ARGUMENT, "there is no element " + std::to_string(asked.element));
    }
    if (asked.rank > kMaxRank) {
      return fail_with_rank(asked.rank);
    }
    if (!Registry::instance().has_stream(attachment.box().handle, asked.stream)) {
      return fail_with_stream(asked.stream);
    }
    if (const tenure_status room = attachment.make_room(); room != TENURE_OK) {
      return room;
    }
    return give_tensor(attachment,
                       make_tensor(attachment.mutator(), Shape({asked.shape, asked.rank}),
                                   {.element = static_cast<ElementType>(asked.element),
                                    .kind = static_cast<MemoryKind>(asked.kind),
                                    .stream = static_cast<StreamId>(asked.stream)}),
                       tensor);
  });
}

tenure_status tenure_tensor_view(tenure_thread thread, tenure_ref base,
                                 const tenure_view_options* options, tenure_ref* view) {
  tenure_view_options asked{};
  if (const tenure_status taken = take(options, asked); taken != TENURE_OK) {
    return taken;
  }
  if (view == nullptr) {
    return fail_with_null("a reference");
  }
  return on_tensor(thread, base, [&](Attachment& attachment, const Local<Tensor>& tensor) {
    if (asked.rank > kMaxRank) {
      return fail_with_rank(asked.rank);
    }
    if (asked.reserved != 0) {
      return fail(TENURE_BAD_ARGUMENT, "what is reserved is 0");
    }
    if (const tenure_status room = attachment.make_room(); room != TENURE_OK) {
      return room;
    }
    return give_tensor(attachment,
                       make_view(attachment.mutator(), tensor, Shape({asked.shape, asked.rank}),
                                 {asked.strides, asked.rank}, asked.offset),
                       view);
  });
}

tenure_status tenure_tensor_describe(tenure_thread thread, tenure_ref reference,
                                     tenure_tensor* out) {
  if (const tenure_status room = has_room(out); room != TENURE_OK) {
    return room;
  }
  return on_tensor(thread, reference, [&](Attachment&, const Local<Tensor>& tensor) {
    tenure_tensor found{.size = 0,
                        .data = tensor->data(),
                        .bytes = tensor->size().count(),
                        .element = static_cast<std::int32_t>(tensor->element_type()),
                        .kind = static_cast<std::int32_t>(tensor->kind()),
                        .stream = static_cast<std::uint32_t>(tensor->stream()),
                        .rank = tensor->rank(),
                        .is_view = tensor->is_view() ? 1u : 0u,
                        .reserved = 0,
                        .shape = {},
                        .strides = {}};
    std::copy_n(tensor->shape().data(), tensor->rank(), found.shape);
    std::copy_n(tensor->strides().data(), tensor->rank(), found.strides);
    give(out, found);
    return TENURE_OK;
  });
}

tenure_status tenure_tensor_used_on(tenure_thread thread, tenure_ref reference, uint32_t stream) {
  return on_tensor(thread, reference, [&](Attachment& attachment, const Local<Tensor>& tensor) {
    if (!Registry::instance().has_stream(attachment.box().handle, stream)) {
      return fail_with_stream(stream);
    }
    tensor->used_on(static_cast<StreamId>(stream));
    return TENURE_OK;
  });
}

tenure_status tenure_tensor_release(tenure_thread thread, tenure_ref reference) {
  return on_tensor(thread, reference, [&](Attachment&, const Local<Tensor>& tensor) {
    tensor->release();
    return TENURE_OK;
  });
}
