// The comparison behind `loglog verify`: replicas hand in pages of frames, and the comparison finds
// which replica differs, from which offset on. No network; the tests make the frames.
#include "sdk/cli/replica_comparison.h"

#include <doctest/doctest.h>

#include "proto-spec/disk/content_digest.h"
#include "proto-spec/disk/frame.h"
#include "proto-spec/vocabulary/exit_code.h"

using namespace loglog;
using namespace loglog::cli;

namespace {
const LogId log_id{7};

/// The frames of a log from offset 0 on, with the offset at which each frame begins.
struct Frames {
  std::string bytes;
  std::vector<EntryOffset> begin;
  Chain chain{};
  void add(std::string_view payload, std::uint64_t sequence, Term term = Term{1}) {
    const ByteSpan p = std::as_bytes(std::span(payload.data(), payload.size()));
    std::string frame(payload.size() + frame_overhead, '\0');
    auto* at = reinterpret_cast<std::byte*>(frame.data());
    write_frame_image(at, FrameKind::entry, ProducerId{9}, Sequence{sequence}, p);
    chain = stamp_frame(at, static_cast<std::uint32_t>(frame.size()), term, log_id,
                        Offset{bytes.size()}, chain);
    begin.push_back(bytes.size());
    bytes += frame;
  }
};

/// A log of `count` entries, each longer than the entry before.
Frames frames(int count) {
  Frames f;
  for (int i = 1; i <= count; ++i)
    f.add(std::string(static_cast<std::size_t>(10 * i), 'x'), static_cast<std::uint64_t>(i));
  return f;
}

/// Hands each replica's frames over in pages of the given number of whole frames, until the
/// comparison has finished.
void feed(ReplicaComparison& c, const std::vector<Frames>& held,
          std::vector<std::size_t> frames_a_page) {
  while (!c.finished()) {
    for (std::size_t i = 0; i < held.size(); ++i) {
      const auto at = c.wants(i);
      if (!at) continue;
      const auto first = static_cast<std::size_t>(
          std::find(held[i].begin.begin(), held[i].begin.end(), *at) - held[i].begin.begin());
      const std::size_t end = first + frames_a_page[i];
      const EntryOffset until =
          end < held[i].begin.size() ? held[i].begin[end] : held[i].bytes.size();
      REQUIRE(until > *at);
      c.take(i, std::string_view(held[i].bytes).substr(*at, until - *at));
    }
    c.compare();
  }
}
}  // namespace

TEST_CASE(
    "verify: the same frames agree, whatever the pages, and have one chain and one content "
    "digest") {
  const Frames f = frames(20);
  ReplicaComparison c({1, 2, 3}, 0, f.bytes.size());
  feed(c, {f, f, f}, {1, 3, 20});
  std::uint64_t content = 0;
  for (std::size_t i = 0; i < f.begin.size(); ++i) {
    const EntryOffset end = i + 1 < f.begin.size() ? f.begin[i + 1] : f.bytes.size();
    content = extend_content(
        content, std::as_bytes(std::span(f.bytes.data() + f.begin[i], end - f.begin[i])));
  }
  for (const ReplicaFinding& x : c.findings()) {
    CHECK(x.verdict == Verdict::agrees);
    CHECK(x.end == f.bytes.size());
    CHECK(x.entries == 20);
    CHECK(x.bytes == f.bytes.size());
    CHECK(x.chain == f.chain);
    CHECK(x.content == content);
  }
  CHECK(exit_code_of(c.findings()) == 0);
}

TEST_CASE(
    "verify: the fewer that hold another frame differ, from that frame on, and the rest is "
    "compared on") {
  const Frames f = frames(5);
  Frames other = frames(3);
  other.add(std::string(40, 'y'), 4);  // of the same length, and valid in itself
  other.add(std::string(50, 'x'), 5);
  ReplicaComparison c({1, 2, 3}, 0, f.bytes.size());
  feed(c, {f, other, f}, {2, 5, 1});
  CHECK(c.findings()[0].verdict == Verdict::agrees);
  CHECK(c.findings()[1].verdict == Verdict::differs);
  // The replica in the minority differs from frame 3 on, and the others are compared to the end.
  CHECK(c.findings()[1].end == f.begin[3]);
  CHECK(c.findings()[1].entries == 3);
  CHECK(c.findings()[1].why.find("2 of 3 replicas hold") != std::string::npos);
  CHECK(c.findings()[2].end == f.bytes.size());
  CHECK(c.findings()[2].content == c.findings()[0].content);
  CHECK(exit_code_of(c.findings()) == exit_replicas_differ);
}

TEST_CASE("verify: of two that differ nobody knows which one is right") {
  const Frames f = frames(2);
  Frames other = frames(1);
  other.add(std::string(20, 'y'), 2);
  ReplicaComparison c({1, 2}, 0, f.bytes.size());
  feed(c, {f, other}, {2, 2});
  for (const ReplicaFinding& x : c.findings()) {
    CHECK(x.verdict == Verdict::differs);
    CHECK(x.end == f.begin[1]);
  }
}

TEST_CASE("verify: frames of different lengths are told apart at the offset where they begin") {
  const Frames f = frames(4);
  Frames other = frames(2);
  // The replicas agree in the first two frames; behind them the frame boundaries differ.
  other.add("short", 3);
  other.add(
      "long enough to go past the end of the range, whatever that "
      "is.................................",
      4);
  ReplicaComparison c({1, 2, 3}, 0, f.bytes.size());
  feed(c, {f, f, other}, {4, 4, 4});
  CHECK(c.findings()[2].verdict == Verdict::differs);
  CHECK(c.findings()[2].end == f.begin[2]);
  CHECK(c.findings()[0].end == f.bytes.size());
}

TEST_CASE(
    "verify: a damaged replica is compared up to its damage, and where it stands a frame is proven "
    "by others") {
  const Frames f = frames(4);
  ReplicaComparison c({1, 2}, 0, f.bytes.size());
  c.take(0, f.bytes);
  c.take(1, std::string_view(f.bytes).substr(0, f.begin[2]));
  // A frame counts as proven if another replica holds the same offset as a frame boundary.
  CHECK(!c.is_proven_frame(1));
  c.compare();
  CHECK(c.compared() == f.begin[2]);
  CHECK(c.is_proven_frame(1));
  CHECK(!c.is_proven_frame(0));
  SUBCASE("left") {
    c.stop(1, Verdict::damaged, "bad");
    c.compare();
    CHECK(c.finished());
    CHECK(c.findings()[1].verdict == Verdict::damaged);
    CHECK(c.findings()[1].end == f.begin[2]);
    CHECK(c.findings()[0].end == f.bytes.size());
    CHECK(exit_code_of(c.findings()) == exit_replicas_differ);
  }
  SUBCASE("repaired") {
    c.repaired(1);
    c.take(1, std::string_view(f.bytes).substr(f.begin[2]));
    c.compare();
    CHECK(c.finished());
    CHECK(c.findings()[1].verdict == Verdict::agrees);
    CHECK(c.findings()[1].repaired == 1);
    CHECK(c.findings()[1].chain == f.chain);
    CHECK(exit_code_of(c.findings()) == 0);
  }
}

TEST_CASE("verify: one that is away does not hold the others up, and has an exit code of its own") {
  const Frames f = frames(3);
  ReplicaComparison c({1, 2, 3}, 0, f.bytes.size());
  c.take(0, f.bytes);
  c.take(1, f.bytes);
  c.stop(2, Verdict::down, "it does not answer");
  c.compare();
  CHECK(c.finished());
  CHECK(c.findings()[0].verdict == Verdict::agrees);
  CHECK(c.findings()[2].end == 0);
  CHECK(exit_code_of(c.findings()) == exit_replicas_missing);
}

TEST_CASE(
    "verify: what lies past the range is not looked at, and nobody reads far ahead of the "
    "slowest") {
  Frames f = frames(3);
  const EntryOffset until = f.bytes.size();
  f.add(std::string(3u << 20, 'z'), 4);
  ReplicaComparison c({1, 2}, 0, until);
  c.take(0, f.bytes);
  c.compare();
  // Replica 0 has handed in its whole range and wants no more.
  CHECK(!c.wants(0));
  CHECK(c.wants(1) == 0);
  c.take(1, f.bytes);
  c.compare();
  CHECK(c.finished());
  CHECK(c.findings()[0].bytes == until);

  // A replica must wait while another lies far behind, because its bytes are kept until they are
  // compared.
  ReplicaComparison d({1, 2}, 0, f.bytes.size());
  d.take(0, f.bytes);
  CHECK(!d.wants(0));
}
