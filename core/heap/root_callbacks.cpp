#include "core/heap/root_callbacks.hpp"

#include <algorithm>
#include <cstring>
#include <exception>
#include <utility>

#include "core/base/check.hpp"
#include "tenure/detail/fast_path.hpp"

namespace tenure {

namespace detail {

void RootAnswer::name(ObjectIndex object, void* slot, RootForm form) {
  check(regions_[region_of(object)].heap == heap_,
        "a root callback named something that is no object of its runtime");
  named_.push_back({object, slot, form});
}

void RootAnswer::rewrite(const Named& named) {
  if (named.slot == nullptr) {
    return;
  }
  if (named.form == RootForm::kIndex) {
    *static_cast<ObjectIndex*>(named.slot) = named.object;
    return;
  }
  // Why by bytes: the slot is a T*, and T is not known here.
  const void* const data = data_of(named.object);
  std::memcpy(named.slot, &data, sizeof(data));
}

void RootAnswer::forget_slots() {
  for (Named& named : named_) {
    named.slot = nullptr;
  }
}

void name_root(RootAnswer& answer, ObjectIndex object, void* slot, RootForm form) {
  answer.name(object, slot, form);
}

ObjectIndex object_of_root(const void* data) {
  const auto offset =
      reinterpret_cast<std::uintptr_t>(data) - reinterpret_cast<std::uintptr_t>(cage_base);
  check(offset < kCageGranules * kGranuleBytes && offset % kGranuleBytes == 0,
        "a root callback named an address that is no object's");
  return object_at(data);
}

}  // namespace detail

RootCallbacks::~RootCallbacks() {
  for (Row& row : rows_) {
    release(row);
  }
}

RootCallbackId RootCallbacks::add(RootCallback callback, std::string name) {
  const auto id = static_cast<RootCallbackId>(++last_id_);
  rows_.push_back({.id = id,
                   .name = std::move(name),
                   .callback = std::move(callback),
                   .answer = detail::RootAnswer(regions_, heap_),
                   .partial = detail::RootAnswer(regions_, heap_),
                   .pins = {}});
  return id;
}

bool RootCallbacks::remove(RootCallbackId id) {
  const auto at =
      std::find_if(rows_.begin(), rows_.end(), [id](const Row& row) { return row.id == id; });
  if (at == rows_.end()) {
    return false;
  }
  release(*at);
  rows_.erase(at);
  return true;
}

RootsAsked RootCallbacks::ask() {
  RootsAsked asked;
  for (Row& row : rows_) {
    try {
      ask(row);
      continue;
    } catch (const std::exception& thrown) {
      asked.failure = thrown.what();
    } catch (...) {
      asked.failure = "an exception that is no std::exception";
    }
    ++asked.failures;
  }
  return asked;
}

void RootCallbacks::ask(Row& row) {
  detail::RootAnswer fresh(regions_, heap_);
  RootVisitor visitor(fresh);
  try {
    row.callback(visitor);
  } catch (...) {
    row.partial = std::move(fresh);
    hold(row);
    throw;
  }
  row.answer = std::move(fresh);
  row.partial = detail::RootAnswer(regions_, heap_);
  release(row);
}

void RootCallbacks::hold(Row& row) {
  const std::vector<detail::PinRow*> before = std::exchange(row.pins, {});
  for (detail::RootAnswer* const named : {&row.answer, &row.partial}) {
    named->forget_slots();
    named->for_each_object([&](ObjectIndex object) { row.pins.push_back(pins_.pin(object)); });
  }
  // Why only now: what is held already must not be let go of in between.
  for (detail::PinRow* const pin : before) {
    pins_.unpin(pin);
  }
}

void RootCallbacks::release(Row& row) {
  for (detail::PinRow* const pin : std::exchange(row.pins, {})) {
    pins_.unpin(pin);
  }
}

}  // namespace tenure
