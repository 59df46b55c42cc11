// The leader's table of producers (spec/07 A1, A2): which commit is accepted, repeated, refused or
// out of sequence.
#include "sequencer/core/log/producer_table.h"

#include <doctest/doctest.h>

using namespace loglog;
using namespace loglog::sequencer;
using V = ProducerTable::Verdict;

namespace {

Commit commit(std::uint64_t first, std::uint32_t count, std::uint64_t settled,
              std::uint64_t producer = 5, std::uint64_t digest = 1) {
  return {LogId{1},
          Term{1},
          Sequence{settled},
          {ProducerId{producer}, Sequence{first}, count, 100 * count, RunDigest{digest}}};
}

const Client client{ConnectionId{1}, RequestId{1}};

}  // namespace

TEST_CASE("producers (A1): without a record only settled + 1") {
  ProducerTable t(10, 100);
  CHECK(t.judge(commit(2, 1, 0), Offset{}).verdict == V::wrong_sequence);
  CHECK(t.judge(commit(2, 1, 0), Offset{}).expected == Sequence{1});
  CHECK(t.judge(commit(1, 1, 0), Offset{}).verdict == V::accept);
  CHECK(t.judge(commit(8, 1, 7), Offset{}).verdict == V::accept);
  CHECK(t.judge(commit(8, 1, 8), Offset{}).verdict == V::wrong_sequence);
  CHECK(t.producers() == 0);
}

TEST_CASE("producers (A1): with a record max(next, settled + 1), repeats are known") {
  ProducerTable t(10, 100);
  t.add(commit(1, 3, 0), Offset{0}, client);
  CHECK(t.judge(commit(4, 1, 0), Offset{}).verdict == V::accept);
  CHECK(t.judge(commit(5, 1, 0), Offset{}).verdict == V::wrong_sequence);
  CHECK(t.judge(commit(5, 1, 0), Offset{}).expected == Sequence{4});
  // Sequences 4 and 5 were given up.
  CHECK(t.judge(commit(6, 1, 5), Offset{}).verdict == V::accept);
  const auto repeat = t.judge(commit(1, 3, 0), Offset{});
  REQUIRE(repeat.verdict == V::repeat);
  CHECK(repeat.run->offset == Offset{0});
  // D3: the same numbers with other bytes
  CHECK(t.judge(commit(1, 3, 0, 5, 2), Offset{}).verdict == V::other_bytes);
  CHECK(t.judge(commit(1, 2, 0), Offset{}).verdict == V::wrong_sequence);
  CHECK(t.judge(commit(2, 1, 0), Offset{}).verdict == V::wrong_sequence);
}

TEST_CASE(
    "producers (F1): a run that was refused for good uses up its number, and each copy of it is "
    "known as refused (C-7)") {
  ProducerTable t(10, 2);
  t.refuse(commit(1, 1, 0), Offset{300}, client.connection);
  const auto again = t.judge(commit(1, 1, 0), Offset{});
  REQUIRE(again.verdict == V::repeat);
  CHECK(again.run->refused);
  CHECK(again.run->offset == Offset{300});
  CHECK(t.judge(commit(2, 1, 0), Offset{}).verdict == V::accept);
  CHECK(t.judge(commit(1, 1, 0, 5, 2), Offset{}).verdict == V::other_bytes);
  t.add(commit(2, 1, 0), Offset{300}, client);
  // The refused run takes a place until its producer has settled it.
  CHECK(t.judge(commit(3, 1, 0), Offset{}).verdict == V::full);
  CHECK(t.judge(commit(3, 1, 1), Offset{300}).verdict == V::accept);
  CHECK(t.judge(commit(1, 1, 1), Offset{300}).verdict == V::wrong_sequence);
}

TEST_CASE("producers (A2): confirmed offsets go, the producer stays; a full table says so") {
  ProducerTable t(1, 2);
  t.add(commit(1, 1, 0), Offset{0}, client);
  t.add(commit(2, 1, 0), Offset{100}, client);
  CHECK(t.judge(commit(3, 1, 0), Offset{}).verdict == V::full);
  // The first run is committed and settled, so its place is free.
  CHECK(t.judge(commit(3, 1, 2), Offset{100}).verdict == V::accept);
  CHECK(t.find(ProducerId{5}, Sequence{1}) == nullptr);
  // The second run is settled by the producer's word, but is not committed here.
  CHECK(t.find(ProducerId{5}, Sequence{2}) != nullptr);
  CHECK(t.judge(commit(1, 1, 2), Offset{200}).verdict == V::wrong_sequence);
  CHECK(t.judge(commit(1, 1, 2), Offset{200}).expected == Sequence{3});
  // Another producer finds no place.
  CHECK(t.judge(commit(1, 1, 0, 6), Offset{}).verdict == V::full);
}
