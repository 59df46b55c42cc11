// The order of Commits: runs are committed in sequence, and no run waits for the answer to the
// previous run (A1, spec/05 step 4).
#include "sdk/core/commit_order.h"

#include <doctest/doctest.h>

#include "tests/unit/sdk/core/known_cluster.h"

using namespace loglog;
using namespace loglog::client;

namespace {
struct Sequencing : KnownCluster {
  RunUploads uploads{options, view, log, producer};
  CommitOrder order;
  RunList runs;
  Sequence settled{0};

  /// Adds a run that the first `copies` replicas have staged; the others take it still.
  Run& add(std::uint64_t first, std::uint32_t count, std::uint32_t copies) {
    Run& r = runs.emplace_back(run(first, count));
    r.uploads.begin(view.log(log)->members);
    for (auto& t : r.uploads.targets()) r.uploads.sent(t, node[t.node.value], now);
    for (std::uint32_t i = 1; i <= copies; ++i)
      uploads.answered(now, Sequence{first}, &r, NodeId{i}, node[i],
                       &(answer = Uploaded{log, producer, Sequence{first}, Offset{}}));
    return r;
  }
  /// Commits the runs that may be committed now. Returns their first sequence numbers.
  std::vector<std::uint64_t> commit() {
    std::vector<std::uint64_t> sent;
    order.for_each_due(now, runs, settled, uploads, [&](Run& r) {
      order.commit(log, Term{1}, settled, r);
      sent.push_back(r.reference.first.value);
    });
    return sent;
  }
  Message answer = Done{};
};
using Sent = std::vector<std::uint64_t>;
}  // namespace

TEST_CASE("runs are committed in sequence, and none waits for the answer to the previous (A1)") {
  Sequencing o;
  o.add(1, 3, 2);
  o.add(4, 1, 2);
  CHECK(o.commit() == Sent{1, 4});
  CHECK(o.commit() == Sent{});  // the leader has both
  o.runs.front().commit_again();
  CHECK(o.commit() == Sent{1});
}

TEST_CASE("a run that neither follows the previous run nor all settled entries waits (A1)") {
  Sequencing o;
  o.settled = Sequence{2};
  o.add(3, 1, 2);
  o.add(5, 1, 2);  // the number 4 was given up
  CHECK(o.commit() == Sent{3});
  o.runs.pop_front();
  o.settled = Sequence{4};
  CHECK(o.commit() == Sent{5});
}

TEST_CASE("a run that is to be built anew holds back all later runs") {
  Sequencing o;
  o.add(1, 1, 2).leave_out_ended();
  o.add(2, 1, 2);
  CHECK(o.commit() == Sent{});
}

TEST_CASE("at most a single run is committed ahead of its uploads (V1)") {
  Sequencing o;
  o.add(1, 1, 2);  // its write quorum took it at once, so the next may go ahead
  o.add(2, 1, 0);
  o.add(3, 1, 0);
  CHECK(o.commit() == Sent{1, 2});
  o.uploads.hold_back();
  o.runs.back().state = RunState::uncommitted;
  CHECK(o.commit() == Sent{});
}

TEST_CASE("after a refusal nothing is committed until the pause is over (A6)") {
  Sequencing o;
  o.add(1, 1, 2);
  o.order.pause(o.now + refusal_pause);
  CHECK(o.commit() == Sent{});
  CHECK(o.order.wake(o.now, o.runs) == o.now + refusal_pause);
  o.now += refusal_pause;
  CHECK(o.commit() == Sent{1});
}

TEST_CASE("a Commit names its conditions, if it has any (F1, F2)") {
  Sequencing o;
  Run plain = o.run(1), conditional = o.run(2);
  conditional.conditions.expected = Offset{500};
  CHECK(std::holds_alternative<Commit>(o.order.commit(o.log, Term{1}, Sequence{0}, plain)));
  const Message m = o.order.commit(o.log, Term{1}, Sequence{1}, conditional);
  REQUIRE(std::holds_alternative<CommitIf>(m));
  CHECK(std::get<CommitIf>(m).expected == Offset{500});
}
