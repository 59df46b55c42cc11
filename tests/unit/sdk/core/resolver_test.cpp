// Resolution after a change of term: the range that is read, the producer's entries in it, a trim
// within it (A3, A5), and replicas that do not answer.
#include "sdk/core/resolver.h"

#include <doctest/doctest.h>

#include <optional>

#include "tests/unit/sdk/core/asked_cluster.h"
#include "tests/unit/sdk/core/stored_log.h"

using namespace loglog;
using namespace loglog::client;

namespace {
struct Resolving : AskedCluster {
  StoredLog stored;
  std::optional<Resolver> resolver;
  std::vector<Resolver::Findings> done;

  /// Entries 1 to 4 of this producer, each behind an entry of another producer with the same
  /// number.
  Resolving() {
    for (std::uint64_t i = 1; i <= 4; ++i) {
      stored.entry(8, i, "another's");
      stored.entry(producer.value, i, "own");
    }
  }
  /// The begin of this producer's entry.
  Offset own(std::size_t sequence) const { return stored.begins[2 * sequence - 1]; }
  void begin(Offset from, Offset until) {
    resolver.emplace(options, view, choice, log, producer, from, until,
                     [this](Time, Resolver::Findings&& f) {
                       done.push_back(std::move(f));
                       resolver.reset();
                     });
    resolver->poll(now);
  }
  void pass(Duration d) {
    now += d;
    view.tick(now);
    if (resolver) resolver->poll(now);
  }
};
}  // namespace

// Sequence numbers are a producer's own: another producer has the same numbers. An entry at the end
// of the range belongs to the next term and proves nothing.
TEST_CASE("exactly the producer's entries of the range are found, where they stand (A3)") {
  Resolving c;
  c.begin(c.stored.begins[2], c.own(4));  // from behind entry 1 up to entry 4
  c.answer(c.only<Read>(), c.stored.page(c.stored.begins[2]));
  REQUIRE(c.done.size() == 1);
  const auto& found = c.done[0].found;
  REQUIRE(found.size() == 2);
  CHECK(found.at(Sequence{2}).offset == c.own(2));
  CHECK(found.at(Sequence{2}).next == c.stored.begins[4]);
  CHECK(found.at(Sequence{3}).offset == c.own(3));
  CHECK(c.done[0].clipped == Offset{});
  c.pass(10s);
  CHECK(c.take<Read>().empty());  // the range was read, so no replica is asked again
}

// An entry that is not found may have been in the trimmed part. Fates must call it unknown and not
// absent.
TEST_CASE("a part of the range that was trimmed is told, and the rest is read (A5)") {
  Resolving c;
  c.begin(Offset{}, c.stored.end());
  c.answer(c.only<Read>(), c.stored.refusal(Offset{}, Errc::trimmed, c.stored.begins[4]));
  const Send rest = c.only<Read>();
  CHECK(std::get<Read>(rest.message).offset == c.stored.begins[4]);
  CHECK(c.done.empty());
  c.answer(rest, c.stored.page(c.stored.begins[4]));
  REQUIRE(c.done.size() == 1);
  CHECK(c.done[0].clipped == c.stored.begins[4]);
  CHECK(c.done[0].found.size() == 2);
  CHECK_FALSE(c.done[0].found.contains(Sequence{2}));
}

// The reader now stands above the range, and must not read what lies there.
TEST_CASE("a trim beyond the whole range ends the resolution, all of it clipped (A5)") {
  Resolving c;
  c.begin(Offset{}, c.own(3));
  c.answer(c.only<Read>(), c.stored.refusal(Offset{}, Errc::trimmed, c.stored.end()));
  REQUIRE(c.done.size() == 1);
  CHECK(c.done[0].clipped == c.stored.end());
  CHECK(c.done[0].found.empty());
}

// All bytes of the range are committed, so a replica will have them. Absence that was concluded
// from a gap would commit an entry twice.
TEST_CASE("replicas that refuse are waited for, because absence needs the whole range (A3)") {
  Resolving c;
  c.begin(Offset{}, c.stored.end());
  SUBCASE("they lag") {
    for (int i = 0; i < 3; ++i)
      c.answer(c.only<Read>(), c.stored.refusal(Offset{}, Errc::not_here));
    c.pass(all_refused_pause);
  }
  SUBCASE("a replica knows no committed bytes there yet") {
    c.answer(c.only<Read>(), c.stored.refusal(Offset{}, Errc::past_end));
    c.pass(connect_pause);
  }
  SUBCASE("no node is up") {
    for (std::uint32_t i = 1; i <= 3; ++i) c.lose(c.node[i]);
    c.take<Read>();
    c.out.connects.clear();
    c.pass(10s);
    CHECK(c.done.empty());
    REQUIRE(c.out.connects.size() >= 1);
    c.accept(Role::storage, static_cast<std::uint32_t>(c.out.connects.back().address.back() - '0'));
    c.pass(connect_pause);
  }
  CHECK(c.done.empty());
  c.answer(c.only<Read>(), c.stored.page(Offset{}));
  REQUIRE(c.done.size() == 1);
  CHECK(c.done[0].found.size() == 4);
}

// The usual change of term: no Commit was under way.
TEST_CASE("an empty range needs no replica") {
  Resolving c;
  c.begin(c.own(2), c.own(2));
  REQUIRE(c.done.size() == 1);
  CHECK(c.done[0].found.empty());
  CHECK(c.take<Read>().empty());
}

// Its producer has begun another term, and the answer is about a range of the former term.
TEST_CASE("a resolver that is destroyed takes no answer") {
  Resolving c;
  c.begin(Offset{}, c.stored.end());
  const Send s = c.only<Read>();
  c.resolver.reset();
  c.answer(s, c.stored.page(Offset{}));
  CHECK(c.done.empty());
}
