// The verifier sees each fault that it is there for: a heap is broken by hand, one way at a time.
#include "core/gc/verifier.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/base/bitmap.hpp"
#include "tests/support/heap_fixture.hpp"

namespace tenure::testing {
namespace {

class Verifier : public HeapTest {
 protected:
  void expect_fault(const char* naming) {
    const std::string found = fault();
    EXPECT_NE(found.find(naming), std::string::npos) << "found: " << found;
  }
};

TEST_F(Verifier, FindsNothingInASoundHeap) {
  const Root root(*this, make(2));
  slots_of(root.get())[0] = make_old(1);

  EXPECT_EQ(fault(), "");
}

TEST_F(Verifier, SeesASlotThatNamesNoObject) {
  const Root root(*this, make(1));
  slots_of(root.get())[0] = object_on(granule_of(make_old(0, 4)) + 1);

  expect_fault("names no object");
}

TEST_F(Verifier, SeesARootThatNamesNoObject) {
  const Root root(*this, object_on(granule_of(make_old(0, 4)) + 1));

  expect_fault("a root names no object");
}

TEST_F(Verifier, SeesAnOldToYoungReferenceThatIsNotRemembered) {
  const Root old(*this, make_old(1));
  slots_of(old.get())[0] = make(0);

  expect_fault("is not remembered");
}

TEST_F(Verifier, AcceptsAnOldToYoungReferenceWhoseCardIsLogged) {
  const Root old(*this, make_old(1));
  slots_of(old.get())[0] = make(0);
  const std::uint32_t card = card_of(granule_of(old.get()) + 1);
  detail::cage_cards[card] = detail::kCardLogged;

  EXPECT_EQ(fault(), "");

  detail::cage_cards[card] = detail::kCardClean;
}

TEST_F(Verifier, SeesARegionThatCannotBeWalked) {
  const Root root(*this, make(1));
  detail::header_of(root.get()).size = 0;

  expect_fault("cannot be walked");
  detail::header_of(root.get()).size = kSmallestObject;
}

TEST_F(Verifier, SeesATypeThatIsNone) {
  const Root root(*this, make_old(0));
  detail::header_of(root.get()).meta = ObjectHeader::kTypeMask;

  expect_fault("no type of an object");
}

TEST_F(Verifier, SeesAnObjectThatDoesNotFitItsCell) {
  const Root root(*this, make_old(0, 4));
  detail::header_of(root.get()).size = 50;

  expect_fault("does not fit its place");
}

TEST_F(Verifier, SeesAForwardedHeaderOutsideOfACollection) {
  const Root root(*this, make_old(0, 4));
  detail::header_of(root.get()).meta |= static_cast<std::uint32_t>(ObjectFlag::kForwarded);

  expect_fault("forwarded outside");
}

TEST_F(Verifier, SeesReferencesAmongLeaves) {
  const Root root(*this, make_old(0, 4));
  detail::header_of(root.get()).meta = static_cast<std::uint32_t>(type_with(2));

  expect_fault("lies among leaves");
}

TEST_F(Verifier, SeesAFreeListThatLeadsAstray) {
  const Root root(*this, make_old(0, 4));
  heap.flush_born_old();
  BlockRow& row = heap.cage().blocks()[block_of(root.get())];
  const std::uint32_t head = row.free_head;
  row.free_head = granule_of(root.get());

  expect_fault("no free cell of it");
  row.free_head = head;
}

TEST_F(Verifier, SeesCellsThatAreNeitherFreeNorInUse) {
  const Root root(*this, make_old(0, 4));
  heap.flush_born_old();
  BlockRow& row = heap.cage().blocks()[block_of(root.get())];
  row.free_head = detail::header_of(object_on(row.free_head)).size;

  expect_fault("free,");
}

TEST_F(Verifier, SeesAnOwnerThatIsNotListed) {
  const Root root(*this, make_old(0, 8));
  detail::header_of(root.get()).meta |= static_cast<std::uint32_t>(ObjectFlag::kOwner);

  expect_fault("own payloads");
  detail::header_of(root.get()).meta &= ~static_cast<std::uint32_t>(ObjectFlag::kOwner);
}

TEST_F(Verifier, SeesAnOwnerListedUnderAnotherGeneration) {
  const Root root(*this, make_old(0, 8));
  detail::header_of(root.get()).meta |= static_cast<std::uint32_t>(ObjectFlag::kOwner);
  heap.owners().add(1, root.get());

  expect_fault("listed as an owner of generation 1");
  heap.owners().in(1).clear();
}

TEST_F(Verifier, SeesAPinWhoseObjectDoesNotKnowOfIt) {
  const ObjectIndex object = make_old(0, 8);
  const Pin pin(*this, object);
  detail::header_of(object).meta &= ~static_cast<std::uint32_t>(ObjectFlag::kPinned);

  expect_fault("no pinned object is there");
}

TEST_F(Verifier, SeesAnObjectThatSaysItIsPinnedAndIsNot) {
  const Root root(*this, make_old(0, 8));
  detail::header_of(root.get()).meta |= static_cast<std::uint32_t>(ObjectFlag::kPinned);

  expect_fault("say that they are pinned");
}

TEST_F(Verifier, SeesAPinnedObjectsRegionThatIsNotHeldBack) {
  const ObjectIndex object = make(0, 8);
  const Pin pin(*this, object);
  collect_young();
  heap.row(object).flags = 0;

  expect_fault("is not held back");
  heap.row(object).flags = RegionRow::kHeld;
}

TEST_F(Verifier, SeesARegionThatMiscountsItsPins) {
  const ObjectIndex object = make_old(0, 8);
  const Pin pin(*this, object);
  ++heap.row(object).pins;

  expect_fault("counts 2 pinned objects of 1");
  --heap.row(object).pins;
}

TEST_F(Verifier, ComparesTheMarksWithThoseOfASecondMarking) {
  const ObjectIndex named = make_old(0);
  const ObjectIndex unreached = make_old(0);
  const Root root(*this, make_old(1));
  store(root.get(), 0, named);
  const std::vector<ObjectIndex> roots{root.get()};
  const auto found = [&] {
    const Result<void> checked = verify_marks(heap, roots);
    return checked ? std::string() : checked.failure().message;
  };
  heap.begin_marking();
  marker.begin({.heap = heap.view(), .roots = roots});
  marker.complete();
  std::uint32_t* const marks = heap.cage().marks();

  EXPECT_EQ(found(), "");
  set_bit(marks, mark_bit(unreached));
  EXPECT_NE(found().find("is not reachable"), std::string::npos) << found();
  clear_bit(marks, mark_bit(unreached));
  clear_bit(marks, mark_bit(named));
  EXPECT_NE(found().find("was not marked"), std::string::npos) << found();

  set_bit(marks, mark_bit(named));
  heap.end_marking();
}

}  // namespace
}  // namespace tenure::testing
