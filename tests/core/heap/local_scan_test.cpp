#include "core/heap/local_scan.hpp"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace tenure {
namespace {

constexpr std::uintptr_t kKey = 0x8000'1234'5678'9ABC;
constexpr std::size_t kPageWords = 4096 / sizeof(std::uintptr_t);

// A stretch of memory in the place of a stack: ten pages.
class LocalScan : public ::testing::Test {
 protected:
  detail::LocalLink& link(std::size_t word) {
    return *reinterpret_cast<detail::LocalLink*>(&words_[word]);
  }
  detail::LocalLink& make(std::size_t word) {
    detail::LocalLink& made = link(word);
    if (!window.contains(made)) {
      widen(window, made);
    }
    detail::tag(made, kKey);
    return made;
  }
  std::vector<detail::LocalLink*> found() {
    std::vector<detail::LocalLink*> all;
    for_each_tagged(window, [&](detail::LocalLink& one) { all.push_back(&one); });
    return all;
  }

  detail::LocalWindow window{.key = kKey};

 private:
  alignas(4096) std::array<std::uintptr_t, 10 * kPageWords> words_{};
};

TEST_F(LocalScan, FindsEachTagAndNothingElse) {
  detail::LocalLink& first = make(5 * kPageWords + 3);
  detail::LocalLink& behind = make(5 * kPageWords + 6);
  detail::LocalLink& far = make(2 * kPageWords);
  link(3 * kPageWords).below = first.below;  // copied to another place
  link(4 * kPageWords).below = reinterpret_cast<detail::LocalLink*>(kKey);

  EXPECT_EQ(found(), (std::vector<detail::LocalLink*>{&far, &first, &behind}));
  EXPECT_TRUE(detail::is_tagged(first));
}

TEST_F(LocalScan, FindsNoTagThatWasTakenAway) {
  detail::LocalLink& gone = make(700);
  detail::LocalLink& kept = make(703);

  detail::untag(gone);

  EXPECT_EQ(found(), std::vector<detail::LocalLink*>{&kept});
}

TEST_F(LocalScan, FindsNoTagOfAnotherMutator) {
  make(10);
  detail::tag(link(20), kKey ^ 8);

  EXPECT_EQ(found(), std::vector<detail::LocalLink*>{&link(10)});
}

TEST_F(LocalScan, NarrowsToThePagesWithALocal) {
  make(9 * kPageWords + 1);
  detail::LocalLink& kept = make(4 * kPageWords + kPageWords - 1);
  make(0);
  EXPECT_EQ(window.bytes, 10u * 4096);
  detail::untag(link(9 * kPageWords + 1));
  detail::untag(link(0));

  narrow(window);

  EXPECT_EQ(window.first, reinterpret_cast<std::uintptr_t>(&link(4 * kPageWords)));
  EXPECT_EQ(window.bytes, 4096u);
  EXPECT_EQ(found(), std::vector<detail::LocalLink*>{&kept});

  detail::untag(kept);
  narrow(window);
  EXPECT_EQ(window.bytes, 0u);
}

}  // namespace
}  // namespace tenure
