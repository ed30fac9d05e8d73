#include "core/runtime/live_file.hpp"
#include "tenure/live.hpp"

namespace tenure {

Result<std::vector<LiveFigures>> live_figures(std::uint32_t process) {
  Platform& platform = host_platform();
  const Result<std::vector<ScratchFile>> files = platform.live_files(process);
  if (!files) {
    return files.failure();
  }
  std::vector<LiveFigures> found;
  for (const ScratchFile file : *files) {
    // One that was opened just now has nothing in it yet; the next look will find it.
    if (Result<LiveFigures> figures = LiveFile::read(platform, file)) {
      figures->process = process;
      found.push_back(*std::move(figures));
    }
    platform.close_scratch(file);
  }
  return found;
}

std::vector<std::uint32_t> live_processes() { return host_platform().live_processes(); }

}  // namespace tenure
