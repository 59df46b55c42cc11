// Frames on the disk (spec/02 F1 to F5): images, stamping, digest, chain, and the checks that make
// every damaged byte visible.
#include "proto-spec/disk/frame.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/support/colliding_payloads.h"

using namespace loglog;

namespace {

/// Builds the image of a run, as the SDK uploads it.
Bytes run_of(std::vector<std::string> payloads, ProducerId producer = ProducerId{9},
             Sequence first = Sequence{4}) {
  std::size_t size = 0;
  for (auto& p : payloads) size += p.size() + frame_overhead;
  Bytes b = Bytes::allocate(size);
  std::byte* at = b.mutable_data();
  for (auto& p : payloads) {
    write_frame_image(at, FrameKind::entry, producer, first, Bytes::copy_of(p));
    at += p.size() + frame_overhead;
    first = first + 1;
  }
  return b;
}

}  // namespace

TEST_CASE("a run's reference is found by walking it") {
  const Bytes run = run_of({"a", "", std::string(5000, 'z')});
  const auto r = check_images(run, true);
  REQUIRE(r.has_value());
  CHECK(r->producer == ProducerId{9});
  CHECK(r->first == Sequence{4});
  CHECK(r->count == 3);
  CHECK(r->length == run.size());
  CHECK(r->digest == digest_of(run));
}

TEST_CASE("any damaged byte of a run is refused when payloads are verified") {
  const Bytes run = run_of({"hello", "world"});
  const auto good = check_images(run, true);
  for (std::size_t i = 0; i < run.size(); ++i) {
    Bytes bad = Bytes::copy_of(run);
    bad.mutable_data()[i] ^= std::byte{0x10};
    const auto r = check_images(bad, true);
    // A damaged byte may give a well-formed run with another content; its digest differs (D3).
    CHECK_MESSAGE((!r.has_value() || r->digest != good->digest), "byte " << i);
  }
}

TEST_CASE("a stamped frame proves where it belongs") {
  Bytes f = run_of({"payload"});
  const RunDigest before = digest_of(f);
  const Chain c = stamp_frame(f.mutable_data(), static_cast<std::uint32_t>(f.size()), Term{3},
                              LogId{2}, Offset{100}, Chain{7});
  // F2: log and offset are part of the checksum, so a frame is good at its own place alone.
  CHECK(look_at_frame(f, LogId{2}, Offset{100}, true).state == FrameState::good);
  CHECK(look_at_frame(f, LogId{2}, Offset{101}, true).state == FrameState::bad);
  CHECK(look_at_frame(f, LogId{1}, Offset{100}, true).state == FrameState::bad);
  CHECK(extend_chain(Chain{7}, f.data()) == c);
  // The digest is taken with term zero, so stamping does not change it.
  CHECK(digest_of(f) == before);
  // Every prefix of the frame is incomplete, and every changed byte makes it bad.
  for (std::size_t n = 0; n < f.size(); ++n)
    CHECK(look_at_frame(f.slice(0, n), LogId{2}, Offset{100}, true).state ==
          FrameState::incomplete);
  for (std::size_t i = 1; i < f.size(); ++i) {
    Bytes bad = Bytes::copy_of(f);
    bad.mutable_data()[i] ^= std::byte{0x01};
    const auto state = look_at_frame(bad, LogId{2}, Offset{100}, true).state;
    CHECK_MESSAGE(state == FrameState::bad, "byte " << i);
  }
}

TEST_CASE("two payloads that agree in 32 bits of their hash have two digests and two chains (Z6)") {
  const auto [a, b] = testing::colliding_payloads();
  REQUIRE(a != b);
  REQUIRE(a.size() == b.size());
  Bytes one = run_of({a}), other = run_of({b});
  CHECK(check_images(one, true)->digest != check_images(other, true)->digest);
  const auto stamp = [](Bytes& f) {
    return stamp_frame(f.mutable_data(), static_cast<std::uint32_t>(f.size()), Term{3}, LogId{2},
                       Offset{100}, Chain{7});
  };
  CHECK(stamp(one) != stamp(other));
}

TEST_CASE("an image whose stamp was taken off is the one that was stamped") {
  const Bytes image = run_of({"payload"});
  Bytes f = Bytes::copy_of(image);
  const auto length = static_cast<std::uint32_t>(f.size());
  stamp_frame(f.mutable_data(), length, Term{3}, LogId{2}, Offset{100}, Chain{7});
  CHECK(f != image);
  unstamp_frame(f.mutable_data(), length);
  CHECK(f == image);
}

TEST_CASE("zeros are nothing, and nothing else is") {
  const Bytes zeros = Bytes::copy_of(std::string(100, '\0'));
  CHECK(look_at_frame(zeros, LogId{1}, Offset{0}, true).state == FrameState::nothing);
  CHECK(look_at_frame({}, LogId{1}, Offset{0}, true).state == FrameState::incomplete);
}

TEST_CASE("the leader's clock is read where a segment or a term starts, and nowhere else") {
  TermStartPayload t;
  t.clock_ms = 77;
  t.members.resize(replicas_max);
  CHECK(make_term_start_image(t).size() == term_start_size_max);
  CHECK(make_segment_start_image({}).size() == segment_start_size);
  // Stamps a frame for offset 100 of log 2.
  const auto stamped = [](Bytes f) {
    stamp_frame(f.mutable_data(), static_cast<std::uint32_t>(f.size()), Term{3}, LogId{2},
                Offset{100}, Chain{});
    return f;
  };
  const Bytes segment = stamped(make_segment_start_image({88, Term{2}, Offset{5}}));
  CHECK(clock_at(stamped(make_term_start_image(t)), LogId{2}, Offset{100}) == 77);
  CHECK(clock_at(segment, LogId{2}, Offset{100}) == 88);
  CHECK(!clock_at(segment, LogId{2}, Offset{101}));
  CHECK(!clock_at(segment.slice(0, segment.size() - 1), LogId{2}, Offset{100}));
  CHECK(!clock_at(stamped(run_of({"an entry"})), LogId{2}, Offset{100}));
  CHECK(!clock_at({}, LogId{2}, Offset{100}));
}
