// Iterations are found where there are some, laid out with every life they have, and followed without
// two blocks ever sharing a byte, whatever the program does instead.
#include "core/plan/plan.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <vector>

#include "core/plan/plan_walk.hpp"
#include "core/plan/tape.hpp"

namespace tenure {
namespace {

// A program of leases: key, and how many leases later the block is handed back; 0: never.
struct Request {
  std::uint64_t key;
  std::uint32_t life;
};
using Program = std::vector<Request>;

std::uint64_t bytes_for(std::uint64_t key) { return 512 * (1 + key % 97); }

// Plays programs onto a tape.
class Player {
 public:
  void play(const Program& program) {
    for (const Request& request : program) {
      const std::uint64_t lease = tape.lease(request.key, bytes_for(request.key));
      if (request.life != 0) {
        ends_.emplace(lease + request.life, lease);
      }
      while (!ends_.empty() && ends_.begin()->first == lease + 1) {
        give_back(ends_.begin());
      }
    }
  }
  void give_all_back() {
    while (!ends_.empty()) {
      give_back(ends_.begin());
    }
  }

  Tape tape;

 private:
  void give_back(std::multimap<std::uint64_t, std::uint64_t>::iterator end) {
    tape.give_back(end->second);
    ends_.erase(end);
  }

  std::multimap<std::uint64_t, std::uint64_t> ends_;  // the lease that comes after: the lease
};

Program random_program(std::uint64_t seed, std::uint32_t leases, std::uint32_t most_life) {
  std::mt19937_64 random(seed);
  Program program;
  for (std::uint32_t k = 0; k < leases; ++k) {
    const std::uint32_t life = random() % 3 == 0
                                   ? 1 + static_cast<std::uint32_t>(random() % most_life)
                                   : 1 + static_cast<std::uint32_t>(random() % 4);
    program.push_back({random() % 1'000'000, life});
  }
  return program;
}

std::vector<std::uint64_t> keys_of(const Program& program) {
  std::vector<std::uint64_t> keys;
  for (const Request& request : program) {
    keys.push_back(request.key);
  }
  return keys;
}

TEST(TapeTest, FindsAnIterationOnceItCameTwice) {
  const Program step = random_program(1, 200, 150);
  Player player;

  player.play(random_program(2, 77, 50));
  player.play(step);
  EXPECT_FALSE(player.tape.has_found());
  player.play(step);
  player.play(step);

  ASSERT_TRUE(player.tape.has_found());
  const std::optional<Iteration> found = player.tape.take();
  ASSERT_TRUE(found.has_value());
  EXPECT_FALSE(found->from_empty);
  ASSERT_EQ(found->keys.size(), step.size());
  // Any turn of the step will do.
  std::vector<std::uint64_t> twice = keys_of(step);
  twice.insert(twice.end(), step.size(), 0);
  std::copy_n(twice.begin(), step.size(), twice.begin() + 200);
  const auto at = std::search(twice.begin(), twice.end(), found->keys.begin(), found->keys.end());
  ASSERT_NE(at, twice.end());
  const auto turn = static_cast<std::size_t>(at - twice.begin());
  for (std::size_t k = 0; k < step.size(); ++k) {
    EXPECT_EQ(found->lives[k], step[(k + turn) % step.size()].life) << k;
  }
}

TEST(TapeTest, FindsNoneWhereNothingRepeats) {
  Player player;

  player.play(random_program(3, 5'000, 100));

  EXPECT_FALSE(player.tape.has_found());
}

TEST(TapeTest, FindsTheOuterIterationWhereTheInnerOneIsIgnored) {
  const Program layer = random_program(4, 20, 10);
  Program step = random_program(5, 30, 10);
  for (int k = 0; k < 12; ++k) {
    step.insert(step.end(), layer.begin(), layer.end());
  }
  Player player;
  player.play(step);
  ASSERT_TRUE(player.tape.has_found());
  EXPECT_EQ(player.tape.take()->keys.size(), layer.size());

  player.tape.ignore_up_to(layer.size());
  player.play(step);
  player.play(step);
  player.play(step);

  ASSERT_TRUE(player.tape.has_found());
  EXPECT_EQ(player.tape.take()->keys.size(), step.size());
}

TEST(TapeTest, TakesWhatCameBetweenTwoEmptyMomentsForAnIteration) {
  const Program program = random_program(6, 100, 90);
  Player player;
  player.play(program);
  player.give_all_back();

  EXPECT_TRUE(player.tape.note_empty());
  EXPECT_FALSE(player.tape.note_empty()) << "nothing came since";

  const std::optional<Iteration> found = player.tape.take();
  ASSERT_TRUE(found.has_value());
  EXPECT_TRUE(found->from_empty);
  EXPECT_EQ(found->keys, keys_of(program));
}

// A row tells lives up to 2^18 - 1: one that is told too short would have another block laid over it.
TEST(TapeTest, TakesNoEpisodeWhoseLivesItCannotTell) {
  constexpr std::uint64_t kLongest = (std::uint64_t{1} << 18) - 2;
  for (const std::uint64_t leases : {kLongest, kLongest + 1, kLongest + 2}) {
    Tape tape;
    for (std::uint64_t k = 0; k < leases; ++k) {
      (void)tape.lease(k + 1, 512);
      if (k > 0) tape.give_back(k);
    }
    tape.give_back(0);  // the first lived through all of it

    EXPECT_EQ(tape.note_empty(), leases == kLongest) << leases;

    const std::optional<Iteration> found = tape.take();
    ASSERT_EQ(found.has_value(), leases == kLongest) << leases;
    if (found) {
      EXPECT_EQ(found->lives.front(), leases);
    }
  }
}

TEST(TapeTest, ForgetsTheOldestAndGoesOn) {
  const Program step = random_program(7, 3'000, 2'000);
  Player player;

  for (int k = 0; k < 120; ++k) {  // past 2^18 leases
    player.play(step);
  }

  ASSERT_TRUE(player.tape.has_found());
  EXPECT_FALSE(player.tape.take().has_value()) << "it was found long ago, and is known no more";
  player.tape.look(true);
  player.play(step);
  player.play(step);
  player.play(step);
  ASSERT_TRUE(player.tape.has_found());
  EXPECT_EQ(player.tape.take()->keys.size(), step.size());
}

TEST(PlanTest, IsNotMadeWhereMemoryIsBeingFilled) {
  Program layer = random_program(8, 40, 20);
  layer[3].life = 0;
  layer[9].life = 0;
  layer[12].life = 0;
  Player player;
  player.play(layer);
  player.play(layer);
  player.play(layer);

  ASSERT_TRUE(player.tape.has_found());
  EXPECT_EQ(make_plan(*player.tape.take()), nullptr);
}

// Follows a plan in a model of memory that knows each byte's owner.
class Follower {
 public:
  explicit Follower(std::shared_ptr<const Plan> plan) : walk_(std::move(plan)) {}

  // Gives false where the plan was left.
  bool lease(std::uint64_t key, std::uint64_t id) {
    const PlanWalk::Step step = walk_.meet(key);
    if (step.answer == PlanWalk::Answer::kServe) {
      EXPECT_EQ(walk_.plan().keys[step.slot], key);
      walk_.take(step.slot);
      const std::uint64_t low = walk_.plan().offsets[step.slot];
      const std::uint64_t high = low + walk_.plan().bytes[step.slot];
      EXPECT_LE(high, walk_.plan().height);
      for (const auto& [other, slot] : out_) {
        EXPECT_FALSE(walk_.plan().overlap(slot, step.slot)) << other << " and " << id;
      }
      out_[id] = step.slot;
      ++served;
    }
    return step.answer != PlanWalk::Answer::kLeft;
  }
  void give_back(std::uint64_t id) {
    if (const auto at = out_.find(id); at != out_.end()) {
      walk_.give_back(at->second);
      out_.erase(at);
    }
  }
  [[nodiscard]] const PlanWalk& walk() const { return walk_; }

  std::uint64_t served = 0;

 private:
  PlanWalk walk_;
  std::map<std::uint64_t, std::uint32_t> out_;  // slot by block
};

std::shared_ptr<const Plan> plan_of(const Program& step) {
  Player player;
  for (int k = 0; k < 4; ++k) {
    player.play(step);
  }
  std::shared_ptr<const Plan> plan = make_plan(*player.tape.take(), {.pairs = 100'000});
  EXPECT_NE(plan, nullptr);
  return plan;
}

TEST(PlanWalkTest, ServesEveryLeaseOfAProgramThatKeepsToItsPlan) {
  const Program step = random_program(9, 300, 300);
  const std::shared_ptr<const Plan> plan = plan_of(step);
  Follower follower(plan);
  std::multimap<std::uint64_t, std::uint64_t> ends;
  const auto first = static_cast<std::uint64_t>(
      std::search(step.begin(), step.end(), plan->keys.begin(), plan->keys.begin() + 1,
                  [](const Request& request, std::uint64_t key) { return request.key == key; }) -
      step.begin());

  for (std::uint64_t lease = 0; lease < 3 * step.size(); ++lease) {
    for (; !ends.empty() && ends.begin()->first <= lease; ends.erase(ends.begin())) {
      follower.give_back(ends.begin()->second);
    }
    const Request& request = step[(first + lease) % step.size()];
    ASSERT_TRUE(follower.lease(request.key, lease));
    ends.emplace(lease + request.life, lease);
  }

  EXPECT_EQ(follower.served, 3 * step.size());
  EXPECT_EQ(follower.walk().rounds(), 3u);
  EXPECT_EQ(follower.walk().fault(), "");
}

// Blocks are handed back late or early, leases are missing, and strangers come.
TEST(PlanWalkTest, NeverServesTwoBlocksTheSameByteWhateverTheProgramDoes) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    const Program step = random_program(100 + seed, 200, 180);
    const std::shared_ptr<const Plan> plan = plan_of(step);
    std::map<std::uint64_t, std::uint32_t> life_of;
    for (const Request& request : step) {
      life_of[request.key] = request.life;
    }
    Follower follower(plan);
    std::multimap<std::uint64_t, std::uint64_t> ends;
    std::uint64_t place = 0;
    for (std::uint64_t lease = 0; lease < 2'000; ++lease) {
      for (; !ends.empty() && ends.begin()->first <= lease; ends.erase(ends.begin())) {
        follower.give_back(ends.begin()->second);
      }
      const bool is_stranger = random() % 50 == 0;
      place += is_stranger ? 0 : 1 + (random() % 60 == 0 ? random() % 5 : 0);
      const std::uint64_t key = is_stranger ? 5'000'000 + lease : plan->keys[place % plan->slots()];
      if (!follower.lease(key, lease)) {
        break;
      }
      const std::uint64_t late = random() % 20 == 0 ? random() % 100 : 0;
      const std::uint64_t early = random() % 20 == 0 ? 1 : life_of[key];
      ends.emplace(lease + std::max<std::uint64_t>(1, early) + late, lease);
    }
    EXPECT_GT(follower.served, 100u);
    EXPECT_EQ(follower.walk().fault(), "");
  }
}

TEST(PlanWalkTest, IsLeftByAProgramThatDoesSomethingElse) {
  const Program step = random_program(10, 100, 60);
  Follower follower(plan_of(step));
  const Program other = random_program(11, 100, 60);

  std::uint64_t borne = 0;
  while (borne < other.size() && follower.lease(other[borne].key, borne)) {
    ++borne;
  }

  EXPECT_LT(borne, 20u);
}

// Whoever had a byte of a slot last is among those before it: byte by byte.
TEST(PlanTest, NamesThoseWhoHadASlotsBytesLast) {
  const Program step = random_program(12, 60, 50);
  const std::shared_ptr<const Plan> plan = plan_of(step);
  std::vector<std::uint32_t> owner(plan->height / 512, ~0u);

  for (std::uint32_t k = 0; k < 3 * plan->slots(); ++k) {
    const std::uint32_t slot = k % plan->slots();
    const auto before = plan->before.of(slot);
    for (std::uint64_t at = plan->offsets[slot] / 512;
         at < (plan->offsets[slot] + plan->bytes[slot]) / 512; ++at) {
      if (k >= plan->slots() && owner[at] != ~0u) {
        EXPECT_NE(std::find(before.begin(), before.end(), owner[at]), before.end());
      }
      owner[at] = slot;
    }
  }
}

}  // namespace
}  // namespace tenure
