// Several devices: whose work reaches whose memory, and in what order.
#include <string>

#include "cuda/cuda_backend.hpp"

namespace tenure {

Result<void> CudaBackend::open_to(int peer) {
  const auto refused = [&](const Error& fault) {
    return Error{fault.code, "cannot open the memory of " + name() +
                                 " to cuda:" + std::to_string(peer) + ": " + fault.message};
  };
  if (peer == options_.device) {
    return refused({ErrorCode::kBadArgument, "it is the same device"});
  }
  const std::scoped_lock growing(growth_);
  const Result<ContextScope> scope = enter("open");
  if (!scope) {
    return refused(scope.failure());
  }
  int can_reach = 0;
  if (std::optional<Error> fault =
          health_.take(cudaDeviceCanAccessPeer(&can_reach, peer, options_.device),
                       "cudaDeviceCanAccessPeer", Blame::kCaller)) {
    return refused({fault->code == ErrorCode::kUnsupported ? ErrorCode::kBadArgument : fault->code,
                    fault->message});
  }
  if (can_reach == 0) {
    return refused({ErrorCode::kUnsupported, "the two do not reach each other's memory"});
  }
  DeviceContext context_of_peer(driver_, health_);
  if (Result<void> opened = context_of_peer.open(peer); !opened) {
    return refused(opened.failure());
  }
  if (Result<void> opened = blocks_.open_to(peer, context_of_peer); !opened) {
    return refused(opened.failure());
  }
  std::vector<AddressRange> pieces;
  {
    const std::scoped_lock lock(mutex_);
    for (const AddressRange& range : ledger_->ranges()) {
      if (range.kind == MemoryKind::kDevice && !ledger_->is_block(range)) {
        const std::vector<AddressRange> mapped = ledger_->pieces(range);
        pieces.insert(pieces.end(), mapped.begin(), mapped.end());
      }
    }
  }
  for (const AddressRange& piece : pieces) {
    if (Result<void> opened = mapping_.open_to(peer, piece.base, piece.size); !opened) {
      return refused(opened.failure());
    }
  }
  mapping_.open_to(peer);
  return {};
}

Result<void> CudaBackend::wait_for(StreamId waiter, CudaBackend& other, StreamEvent event) {
  const Result<ContextScope> scope = enter("wait");
  return scope ? streams_.wait_for(waiter, other.streams_, event) : scope.failure();
}

}  // namespace tenure
