// The fate of entries: how an append ends at its commit, at its deadline, and after a resolution
// (spec/07 A3 to A6).
#include "sdk/core/fates.h"

#include <doctest/doctest.h>

#include "tests/unit/sdk/core/known_cluster.h"

using namespace loglog;
using namespace loglog::client;

namespace {
struct Endings : KnownCluster {
  ReplicaChoice choice{NodeId{}};
  Fates fates{options, view, choice, out, log, producer};

  /// The result of the i-th append that ended: its code, ok if it was committed.
  Errc code(std::size_t i) const {
    const auto* f = std::get_if<Failure>(&out.completed.at(i).result);
    return f ? f->error.code : Errc::ok;
  }
  /// Two entries whose Commit was sent when the log was committed up to 500.
  static Run committed_run() {
    Run r = run(5, 2);
    r.commit_sent(Offset{500}, Term{1});
    return r;
  }
  static Resolver::Findings findings(std::initializer_list<std::uint64_t> sequences,
                                     Offset clipped = {}) {
    Resolver::Findings f;
    for (const auto s : sequences)
      f.found[Sequence{s}] = {Offset{500 + 100 * s}, Offset{600 + 100 * s}, Term{2}};
    f.clipped = clipped;
    return f;
  }
};
}  // namespace

TEST_CASE("a committed run tells each entry its offset, and once (spec/05 step 8)") {
  Endings e;
  Run r = e.run(1, 2);
  e.fates.committed(e.now, r, Offset{1000}, Term{3});
  e.fates.committed(e.now, r, Offset{1000}, Term{3});
  REQUIRE(e.out.completed.size() == 2);
  CHECK(std::get<client::Appended>(e.out.completed[1].result).offset == Offset{1100});
  CHECK(e.view.figures().appends_committed == 2);
}

TEST_CASE("before a Commit a deadline means not written, after it unknown (A6)") {
  Endings e;
  Run waiting = e.run(1, 1, e.now), sent = e.run(2, 1, e.now);
  sent.commit_sent(Offset{}, Term{1});
  CHECK(e.fates.expire(e.now, waiting, false) == Fates::Wait::nobody);
  CHECK(e.code(0) == Errc::deadline_exceeded);
  CHECK(e.fates.expire(e.now, sent, true) == Fates::Wait::unsure);
  CHECK(e.code(1) == Errc::outcome_unknown);
}

TEST_CASE("a run goes on for the entries whose caller waits longer") {
  Endings e;
  Run r = e.run(1, 2, e.now);
  r.entries[1].deadline = e.now + 5s;
  CHECK(e.fates.expire(e.now, r, false) == Fates::Wait::waits);
  CHECK(e.out.completed.size() == 1);
  CHECK(r.next_deadline == e.now + 5s);
  CHECK(r.state == RunState::stale);  // it is built anew without the first entry
}

TEST_CASE("after a resolution each entry is judged alone (A4)") {
  Endings e;
  Run r = e.committed_run();
  Offset lower{};
  CHECK(e.fates.judge(e.now, r, e.findings({5}), lower) == 100);
  CHECK(lower == Offset{1100});  // later entries stand above
  CHECK(std::get<client::Appended>(e.out.completed.at(0).result).offset == Offset{1000});
  REQUIRE(r.entries.size() == 1);  // the entry 6 is absent, and its caller waits
  CHECK(r.entries[0].sequence == Sequence{6});
  CHECK(r.state == RunState::stale);
}

TEST_CASE("a run that is absent as a whole keeps its numbers and is uploaded again (A4)") {
  Endings e;
  Run r = e.committed_run();
  r.uploads.begin({});
  Offset lower{};
  CHECK(e.fates.judge(e.now, r, e.findings({}), lower) == 0);
  CHECK(r.entries.size() == 2);
  CHECK(r.state == RunState::uncommitted);
  CHECK_FALSE(r.uploads.has_begun());
}

TEST_CASE("an entry below a later entry that was found was committed and trimmed (A5)") {
  Endings e;
  Run r = e.committed_run();
  Offset lower{};
  e.fates.judge(e.now, r, e.findings({6}), lower);
  CHECK(e.code(0) == Errc::outcome_unknown);
  CHECK(e.code(1) == Errc::ok);
  CHECK(r.entries.empty());
}

TEST_CASE("an entry that may have been trimmed before the log was read is unknown (A5)") {
  Endings e;
  Run r = e.committed_run();
  Offset lower{};
  // The log was trimmed up to 501, beyond the lowest place where the entries can stand.
  e.fates.judge(e.now, r, e.findings({}, Offset{501}), lower);
  CHECK(e.code(0) == Errc::outcome_unknown);
  CHECK(e.code(1) == Errc::outcome_unknown);
  CHECK(r.entries.empty());
}
