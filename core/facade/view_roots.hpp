// A root callback that a view keeps for as long as it is there.
#pragma once

#include <optional>
#include <utility>

#include "core/facade/state.hpp"

namespace tenure {

/// Invariant: there is none where the collector was shut down, before or since.
class ViewRoots {
 public:
  ViewRoots(FacadeState& facade, RootCallback visit) : facade_(facade) {
    if (const Result<RootCallbackId> id = facade.add_root_callback(std::move(visit))) {
      id_ = *id;
    }
  }
  ViewRoots(const ViewRoots&) = delete;
  ViewRoots& operator=(const ViewRoots&) = delete;
  ~ViewRoots() {
    if (id_) {
      (void)facade_.remove_root_callback(*id_);
    }
  }

 private:
  FacadeState& facade_;  // outlives the view
  std::optional<RootCallbackId> id_;
};

}  // namespace tenure
