// Entries as frame images in one buffer, and the reference of the run that is cut from it (spec/05
// step 1, D3).
#include "sdk/core/run_builder.h"

#include <doctest/doctest.h>

#include <string>

using namespace loglog;
using namespace loglog::client;

namespace {
ByteSpan span_of(const std::string& text) { return std::as_bytes(std::span(text)); }
}  // namespace

TEST_CASE("a run's reference names its first number, its count, its length and its bytes (D3)") {
  RunBuilder builder(ProducerId{9});
  CHECK(builder.empty());
  CHECK(builder.add(Sequence{5}, FrameKind::entry, span_of("one")) == 0);
  CHECK(builder.add(Sequence{6}, FrameKind::packed_entry, span_of("")) == frame_overhead + 3);
  CHECK(builder.count() == 2);
  const auto built = builder.take();
  CHECK(builder.empty());
  CHECK(built.frames.size() == 2 * frame_overhead + 3);
  // A node that gets the bytes computes the same reference.
  const auto checked = check_images(built.frames, true);
  REQUIRE(checked);
  CHECK(checked->producer == ProducerId{9});
  CHECK(checked->first == Sequence{5});
  CHECK(checked->count == 2);
  CHECK(checked->length == built.frames.size());
  CHECK(checked->digest == built.reference.digest);
}

TEST_CASE("frames keep their bytes while the buffer grows, and the next run begins empty") {
  RunBuilder builder(ProducerId{9});
  std::uint32_t at = 0;
  for (std::uint64_t i = 1; i <= 500; ++i) {
    CHECK(builder.add(Sequence{i}, FrameKind::entry, span_of(std::string(i, 'x'))) == at);
    at += static_cast<std::uint32_t>(i) + frame_overhead;
  }
  CHECK(builder.size() == at);
  REQUIRE(check_images(builder.take().frames, true));
  builder.add(Sequence{501}, FrameKind::entry, span_of("y"));
  const auto next = builder.take();
  CHECK(next.reference.first == Sequence{501});
  CHECK(check_images(next.frames, true));
}

TEST_CASE("a run is full at its target size or its count, and any frame fits an empty run") {
  RunBuilder builder(ProducerId{9});
  CHECK(builder.fits(entry_size_max, 1));
  builder.add(Sequence{1}, FrameKind::entry, span_of(std::string(56, 'x')));
  CHECK(builder.fits(100, 200));
  CHECK_FALSE(builder.fits(101, 200));
  for (std::uint64_t i = 2; i <= run_frames_max; ++i)
    builder.add(Sequence{i}, FrameKind::entry, {});
  CHECK_FALSE(builder.fits(frame_overhead, run_size_max));
}
