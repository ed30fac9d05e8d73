#include "core/gc/span_marker.hpp"

#include "tests/contract/marker_contract.hpp"
#include "tests/contract/marker_scale_contract.hpp"

namespace tenure::testing {

using SpanMarkers = ::testing::Types<StoppedMarker, ResumableMarker>;
INSTANTIATE_TYPED_TEST_SUITE_P(Span, MarkerContract, SpanMarkers);
INSTANTIATE_TYPED_TEST_SUITE_P(Span, MarkerScaleContract, SpanMarkers);

}  // namespace tenure::testing
