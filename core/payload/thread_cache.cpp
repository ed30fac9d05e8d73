#include "core/payload/thread_cache.hpp"

namespace tenure {

std::string ThreadCaches::fault() {
  std::string fault;
  for (Stripe& stripe : stripes_) {
    for (Place& place : stripe.places) {
      // Why taken: what stands in a place may be leased while it is looked at, what was taken not.
      const std::uintptr_t word = place.exchange(0, std::memory_order_acquire);
      PayloadBlock* const block = block_of(word);
      if (block == nullptr) {
        continue;
      }
      if (!block->is(BlockState::kReturned)) {
        fault = "a block in a thread's cache was not handed back";
      } else if (block->client != 0 || !block->uses.is_only_ongoing(block->uses.home())) {
        fault = "a block in a thread's cache is a client's, or of several streams";
      } else if ((word & kMarks) != mark_of(block->asked, block->uses.home())) {
        fault = "a block in a thread's cache has another request's mark";
      }
      overflow_.put(*block);
    }
  }
  return fault;
}

}  // namespace tenure
