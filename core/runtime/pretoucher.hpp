// The thread that has memory put behind regions before they are needed. A region's first touch is the
// system's work, not the collector's, and in a stop everybody would wait for it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "core/memory/cage.hpp"

namespace tenure {

/// threads  `follow` and `end`: one caller at a time; `rest`: anyone
class Pretoucher {
 public:
  explicit Pretoucher(Cage& cage) : cage_(cage), seen_(cage.taken_fresh()) {}
  Pretoucher(const Pretoucher&) = delete;
  Pretoucher& operator=(const Pretoucher&) = delete;
  ~Pretoucher() { end(); }

  /// Has the thread go ahead, if regions that nobody had used were taken since the last call: the heap grows.
  /// A heap that does not costs nothing. Starts the thread if there is none yet.
  ///
  /// in_use   regions of the heap; a 32nd of it is touched ahead, 8 MiB at the most
  void follow(std::uint32_t in_use);

  /// Has the thread leave what it was to do, and waits for the region that it is at: free memory is about
  /// to be given back. The next `follow` of a heap that grows has it go on.
  void rest();

  /// Ends the thread, for good.
  void end();

 private:
  void serve();

  Cage& cage_;
  std::uint64_t seen_;
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable wanted_;
  std::condition_variable rests_;
  std::uint32_t ahead_ = 0;  // regions; 0: nothing to do; guarded by mutex_
  bool is_at_work_ = false;  // guarded by mutex_
  bool is_over_ = false;     // guarded by mutex_
};

}  // namespace tenure
