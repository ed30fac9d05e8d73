#include "tests/simt/engine.hpp"

#include <algorithm>
#include <atomic>
#include <barrier>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

namespace tenure::simt {

namespace {

// Source: CUDA C++ Programming Guide, technical specifications.
constexpr unsigned kMostThreads = 1024;
// A lane that spins on an atomic gives way now and then, also where nothing is pre-empted.
constexpr unsigned kLongestTurn = 4096;

struct Launch {
  unsigned blocks;
  unsigned threads;
  Cooperation cooperation;
  const std::function<void()>& kernel;
  std::atomic<unsigned> next_block{0};

  // What the thread sanitizer knows the launch's moments by. Three, or what a block did at its end
  // would count as done before a later block of the same launch began.
  char begin = 0;
  char end = 0;
  char grid_barrier = 0;
};

/// One thread of the system, and the lane it runs.
struct Worker {
  Context own;
  Launch* launch = nullptr;
  Lane* lane = nullptr;
  std::mt19937_64 random;
  unsigned turn = 0;  // preemption points passed since it was switched to
};
thread_local Worker* current_worker = nullptr;

Lane& current_lane() { return *current_worker->lane; }

void yield() {
  Worker& worker = *current_worker;
  worker.turn = 0;
  switch_context(worker.lane->context, worker.own);
}

// Every lane begins here. In pieces, so that the kernel's own accesses are looked at.
void enter_lane() {
  const Quiet quiet;
  arrive(current_worker->own);
  acquire_at(&current_worker->launch->begin);
}
void finish_lane() {
  const Quiet quiet;
  release_at(&current_worker->launch->end);
  Lane& lane = current_lane();
  lane.block->end(lane);
}
const std::function<void()>& kernel_of_lane() {
  const Quiet quiet;
  return current_worker->launch->kernel;
}
Context& context_of_lane() {
  const Quiet quiet;
  return current_worker->lane->context;
}
Context& context_of_worker() {
  const Quiet quiet;
  return current_worker->own;
}
// Why not watched: it is entered on each stack, and never left.
__attribute__((no_sanitize("thread"))) void lane_main() {
  enter_lane();
  kernel_of_lane()();
  finish_lane();
  leave(context_of_lane(), context_of_worker());
}

/// Lets each lane that is ready run until it waits or ends. True when one ran.
bool step(Block& block, Worker& worker) {
  const bool shuffled = options().seed != 0;
  const auto warps = static_cast<unsigned>(block.warps().size());
  const unsigned first = shuffled ? static_cast<unsigned>(worker.random() % warps) : 0;
  bool ran = false;
  for (unsigned k = 0; k < warps; ++k) {
    const unsigned number = (first + k) % warps;
    Warp& warp = block.warps()[number];
    while (unsigned ready = warp.ready) {
      if (shuffled) {
        const auto count = static_cast<unsigned>(std::popcount(ready));
        for (auto skip = static_cast<unsigned>(worker.random() % count); skip > 0; --skip) {
          ready &= ready - 1;
        }
      }
      const auto lane = static_cast<unsigned>(std::countr_zero(ready));
      warp.ready &= ~(1u << lane);
      worker.lane = &block.lane(number, lane);
      switch_context(worker.own, worker.lane->context);
      worker.lane = nullptr;
      ran = true;
      if (shuffled && worker.random() % 4 == 0) {
        break;  // another warp's turn
      }
    }
  }
  return ran;
}

/// The workers of one cooperative launch meet here when all their blocks wait for the grid.
class GridBarrier {
 public:
  explicit GridBarrier(unsigned workers) : barrier_(workers, Completion{this}) {}
  void meet() {
    waiting_.fetch_add(1);
    barrier_.arrive_and_wait();
  }
  void leave() {
    gone_.fetch_add(1);
    barrier_.arrive_and_drop();
  }

 private:
  struct Completion {
    GridBarrier* grid;
    void operator()() const noexcept {
      if (grid->waiting_.exchange(0) > 0 && grid->gone_.load() > 0) {
        die("grid barrier after a block of the grid has ended");
      }
    }
  };
  std::atomic<unsigned> waiting_{0};
  std::atomic<unsigned> gone_{0};
  std::barrier<Completion> barrier_;
};

/// The pools that no worker holds. They outlive the workers, which end with their launch.
class PoolStore {
 public:
  [[nodiscard]] std::unique_ptr<StackPool> take() {
    const std::scoped_lock lock(mutex_);
    if (pools_.empty()) {
      return std::make_unique<StackPool>();
    }
    std::unique_ptr<StackPool> pool = std::move(pools_.back());
    pools_.pop_back();
    return pool;
  }
  void put_back(std::unique_ptr<StackPool> pool) {
    const std::scoped_lock lock(mutex_);
    pools_.push_back(std::move(pool));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<StackPool>> pools_;  // guarded by mutex_
};
PoolStore& pool_store() {
  static PoolStore store;
  return store;
}

class WorkerRun {
 public:
  WorkerRun(Launch& launch, GridBarrier& grid, StackPool& stacks, unsigned number, unsigned workers)
      : launch_(launch), grid_(grid), number_(number), workers_(workers), stacks_(stacks) {}

  void operator()() {
    const Quiet quiet;
    adopt_thread(worker_.own);
    worker_.launch = &launch_;
    constexpr std::uint64_t kSpread = 1000003;
    worker_.random.seed(options().seed * kSpread + number_);
    current_worker = &worker_;
    release_at(&launch_.begin);
    while (admit(), !blocks_.empty()) {
      bool ran = false;
      for (const std::unique_ptr<Block>& block : blocks_) {
        ran |= step(*block, worker_);
      }
      ended_ += static_cast<unsigned>(
          std::erase_if(blocks_, [](const auto& block) { return block->is_done(); }));
      const auto waits = [](const auto& block) { return block->waits_for_grid(); };
      if (!blocks_.empty() && std::all_of(blocks_.begin(), blocks_.end(), waits)) {
        pass_grid_barrier();
      } else if (!ran) {
        die("deadlock in " + blocks_.front()->describe());
      }
    }
    acquire_at(&launch_.end);
    if (is_cooperative()) {
      grid_.leave();
    }
    current_worker = nullptr;
    forget(worker_.own);
  }

 private:
  [[nodiscard]] bool is_cooperative() const {
    return launch_.cooperation == Cooperation::kWholeGrid;
  }

  // A cooperative launch holds all its blocks from the start, each worker its share.
  void admit() {
    if (is_cooperative()) {
      for (; admitted_ < share(); ++admitted_) {
        begin(number_ + admitted_ * workers_);
      }
      return;
    }
    while (blocks_.size() < std::max(1u, options().resident)) {
      const unsigned index = launch_.next_block.fetch_add(1);
      if (index >= launch_.blocks) {
        return;
      }
      begin(index);
    }
  }
  [[nodiscard]] unsigned share() const {
    return (launch_.blocks - number_ + workers_ - 1) / workers_;
  }
  void begin(unsigned index) {
    blocks_.push_back(std::make_unique<Block>(index, launch_.threads, stacks_, lane_main));
  }

  void pass_grid_barrier() {
    if (ended_ > 0) {
      die("grid barrier after a block of the grid has ended");
    }
    grid_.meet();
    for (const std::unique_ptr<Block>& block : blocks_) {
      block->wake_grid();
    }
  }

  Launch& launch_;
  GridBarrier& grid_;
  unsigned number_;
  unsigned workers_;
  StackPool& stacks_;
  Worker worker_;
  std::vector<std::unique_ptr<Block>> blocks_;
  unsigned admitted_ = 0;
  unsigned ended_ = 0;
};

}  // namespace

Options& options() {
  static Options chosen;
  return chosen;
}

void die(const std::string& sentence) {
  std::fprintf(stderr, "simt: %s (seed %llu)\n", sentence.c_str(),
               static_cast<unsigned long long>(options().seed));
  std::abort();
}

void run(unsigned blocks, unsigned threads, Cooperation cooperation,
         const std::function<void()>& kernel) {
  if (blocks == 0 || threads == 0 || threads > kMostThreads) {
    die("a launch of " + std::to_string(blocks) + " blocks of " + std::to_string(threads) +
        " threads");
  }
  Launch launch{blocks, threads, cooperation, kernel};
  const unsigned workers = std::clamp(options().workers, 1u, blocks);
  GridBarrier grid(workers);
  std::vector<std::unique_ptr<StackPool>> pools(workers);
  {
    const auto work = [&](unsigned number) {
      pools[number] = pool_store().take();
      WorkerRun(launch, grid, *pools[number], number, workers)();
    };
    std::vector<std::jthread> others;
    for (unsigned number = 1; number < workers; ++number) {
      others.emplace_back(work, number);
    }
    work(0);
  }
  for (std::unique_ptr<StackPool>& pool : pools) {
    pool->end_launch();
    pool_store().put_back(std::move(pool));
  }
}

unsigned thread_index() {
  const Quiet quiet;
  return current_lane().number;
}
unsigned block_index() {
  const Quiet quiet;
  return current_lane().block->index();
}
unsigned block_threads() {
  const Quiet quiet;
  return current_lane().block->threads();
}
unsigned grid_blocks() {
  const Quiet quiet;
  return current_worker->launch->blocks;
}

std::uint64_t collective(Collective operation, unsigned mask, std::uint64_t value,
                         unsigned source) {
  const Quiet quiet;
  Lane& lane = current_lane();
  if ((mask >> lane.lane() & 1) == 0) {
    die("lane " + std::to_string(lane.number) + " of block " + std::to_string(lane.block->index()) +
        " calls " + name_of(operation) + " with a mask that lacks it");
  }
  // Of the collectives, CUDA promises an order of memory of __syncwarp alone.
  const bool orders = operation == Collective::kSync;
  const void* const place = &lane.block->warp_of(lane);
  if (orders) {
    release_at(place);
  }
  lane.operation = operation;
  lane.mask = mask;
  lane.value = value;
  lane.source = source;
  if (!lane.block->join_warp(lane)) {
    yield();
  }
  if (orders) {
    acquire_at(place);
  }
  return lane.result;
}

Block::BarrierResult block_barrier(bool predicate) {
  const Quiet quiet;
  Lane& lane = current_lane();
  Block& block = *lane.block;
  release_at(block.barrier_place());
  if (!block.join_barrier(lane, predicate)) {
    yield();
  }
  acquire_at(block.barrier_place());
  return block.barrier_result();
}

void grid_barrier() {
  const Quiet quiet;
  Lane& lane = current_lane();
  Launch& launch = *current_worker->launch;
  if (launch.cooperation == Cooperation::kNone) {
    die("grid barrier outside of a cooperative launch");
  }
  release_at(&launch.grid_barrier);
  lane.block->join_grid_barrier(lane);
  yield();
  acquire_at(&launch.grid_barrier);
}

void* shared(const void* name, std::size_t bytes, std::size_t alignment) {
  const Quiet quiet;
  return current_lane().block->shared(name, bytes, alignment);
}

void preempt_point() {
  const Quiet quiet;
  Worker& worker = *current_worker;
  if (options().observer) {
    options().observer();
  }
  const unsigned one_in = options().preempt;
  ++worker.turn;
  if ((one_in != 0 && worker.random() % one_in == 0) || worker.turn > kLongestTurn) {
    give_way();
  }
}

void give_way() {
  const Quiet quiet;
  Lane& lane = current_lane();
  lane.block->wake(lane);
  yield();
}

}  // namespace tenure::simt
