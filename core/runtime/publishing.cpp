// What a runtime tells those that look on from outside.
#include "core/runtime/away_if_running.hpp"
#include "core/runtime/state.hpp"
#include "tenure/export.hpp"

namespace tenure {

Result<void> RuntimeState::begin_publishing() {
  if (config_.publish_ms == 0) {
    return {};
  }
  Result<LiveFile> file = LiveFile::open(host_platform(), config_.publish_ms);
  if (!file) {
    return file.failure();
  }
  live_file_.emplace(*std::move(file));
  publisher_.start();
  return {};
}

// Where there is no memory for the text, those that look see an old one, and its age.
void RuntimeState::publish() { (void)live_file_->write(to_open_metrics(statistics())); }

// What it writes may wait for a stop.
void RuntimeState::end_publishing() {
  const AwayIfRunning away(safepoint_, self());
  publisher_.end();
  live_file_.reset();
}

}  // namespace tenure
