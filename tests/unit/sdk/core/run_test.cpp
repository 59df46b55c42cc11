// The state of a run: which of its Commits may have been taken, and which certainly were not
// (spec/07 A3, A6; F1).
#include "sdk/core/run.h"

#include <doctest/doctest.h>

using namespace loglog;
using namespace loglog::client;

TEST_CASE(
    "a run whose Commit was sent may be in the log until a resolution does not find it (A3)") {
  Run run;
  CHECK_FALSE(run.may_be_in_log());
  run.commit_sent(Offset{500}, Term{1});
  CHECK(run.awaits_answer());
  CHECK(run.may_be_in_log());
  // The leader is lost, so the Commit is sent again later; it may have been taken all the same.
  run.commit_again();
  CHECK_FALSE(run.awaits_answer());
  CHECK(run.may_be_in_log());
  run.not_found(false);
  CHECK(run.state == RunState::uncommitted);
  CHECK_FALSE(run.may_be_in_log());
}

TEST_CASE("a run remembers the committed offset of its first Commit, which may have worked (A3)") {
  Run run;
  run.commit_sent(Offset{500}, Term{1});
  run.commit_again();
  run.commit_sent(Offset{900}, Term{1});
  CHECK(run.known == Offset{500});
  CHECK(run.commits_in_term == 2);
  // After a resolution the earlier Commits do not count any more.
  run.begin_term();
  run.not_found(false);
  run.commit_sent(Offset{1200}, Term{1});
  CHECK(run.known == Offset{1200});
  CHECK(run.commits_in_term == 1);
}

TEST_CASE(
    "a run whose condition failed is not in the log in that term, and may be in the next (F1)") {
  Run run;
  run.commit_sent(Offset{500}, Term{1});
  run.condition_failed();
  CHECK(run.is_absent());
  CHECK(run.awaits_answer());  // the client finds out whether it may expect the end
  CHECK_FALSE(run.may_be_in_log());
  run.commit_again();
  CHECK(run.is_absent());
  CHECK_FALSE(run.awaits_answer());
  run.begin_term();
  CHECK_FALSE(run.is_absent());
  CHECK(run.may_be_in_log());
}

TEST_CASE("a run without some of its entries is built anew, unless a Commit named it (A6)") {
  Run uncommitted;
  uncommitted.leave_out_ended();
  CHECK(uncommitted.state == RunState::stale);
  Run sent;
  sent.commit_sent(Offset{}, Term{1});
  sent.leave_out_ended();
  CHECK(sent.state == RunState::sent);  // the Commit names exactly these bytes
  sent.not_found(true);
  CHECK(sent.state == RunState::stale);
}
