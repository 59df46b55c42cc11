// The uploads of runs: when a run may be committed, when the next run may go ahead of its uploads
// (V1), and how slow replicas are given up (spec/05 steps 2 to 4).
#include "sdk/core/run_uploads.h"

#include <doctest/doctest.h>

#include "tests/unit/sdk/core/known_cluster.h"

using namespace loglog;
using namespace loglog::client;

namespace {
struct Uploads : KnownCluster {
  explicit Uploads(Options o = {}) : KnownCluster(std::move(o)) {}
  RunUploads uploads{options, view, log, producer};

  /// Sends the run to every replica that is due. Returns how many were.
  int send(Run& r) {
    if (!r.uploads.has_begun()) r.uploads.begin(view.log(log)->members);
    int sent = 0;
    for (auto& t : r.uploads.targets())
      if (const ConnectionId c = uploads.due(now, t); c != ConnectionId{}) {
        uploads.send(now, r, t, c);
        ++sent;
      }
    return sent;
  }
  /// The node answers the upload. `settled`: the fate of the run is known already.
  std::uint64_t answer(Run& r, std::uint32_t id, const Message& m, bool settled = false) {
    const Sequence first = r.reference.first;
    return uploads.answered(now, first, settled ? nullptr : &r, NodeId{id}, node[id], &m);
  }
  Message taken(const Run& r) const { return Uploaded{log, producer, r.reference.first, Offset{}}; }
};
}  // namespace

TEST_CASE("a run is uploaded once a write quorum has staged it (spec/05 step 4)") {
  Uploads u;
  Run r = u.run(1);
  CHECK_FALSE(u.uploads.is_uploaded(r));
  CHECK(u.send(r) == 3);
  CHECK(u.send(r) == 0);  // under way
  u.answer(r, 1, u.taken(r));
  CHECK_FALSE(u.uploads.is_uploaded(r));
  u.answer(r, 3, u.taken(r));
  CHECK(u.uploads.is_uploaded(r));
}

TEST_CASE("a replica that is busy gets the run again after the pause that it names") {
  Uploads u;
  Run r = u.run(1);
  u.send(r);
  u.out.events.clear();
  u.answer(r, 2, Busy{u.log, u.producer, Sequence{1}, Errc::no_space, 100});
  CHECK(u.send(r) == 0);
  REQUIRE(u.out.events.size() == 1);  // the application is told which node holds it up, and why
  CHECK(u.out.events[0].kind == Event::Kind::replica_slow);
  CHECK(u.out.events[0].node == 2);
  CHECK(u.out.events[0].log == u.log);
  CHECK(u.out.events[0].why.code == Errc::no_space);
  CHECK(r.uploads.wake(u.now) == u.now + 100ms);
  u.now += 100ms;
  CHECK(u.send(r) == 1);
}

TEST_CASE("a run goes ahead of its uploads if the last run's were fast (V1)") {
  Uploads u;
  Run first = u.run(1), second = u.run(2), third = u.run(3);
  u.send(first);
  CHECK_FALSE(u.uploads.goes_ahead(first));  // nothing is known yet
  u.now += 5ms;
  u.answer(first, 1, u.taken(first));
  u.answer(first, 2, u.taken(first));
  u.send(second);
  CHECK(u.uploads.goes_ahead(second));
  u.now += u.options.eager_upload_max + 1ms;
  u.answer(second, 1, u.taken(second));
  u.answer(second, 2, u.taken(second));
  u.send(third);
  CHECK_FALSE(u.uploads.goes_ahead(third));
}

TEST_CASE("Observe precedes the first upload on a connection (V2)") {
  Options options;
  options.observed_commit = true;
  Uploads u(options);
  Run first = u.run(1), second = u.run(2);
  u.out.sends.clear();
  u.send(first);
  CHECK(u.out.sends.size() == 3);  // the uploads themselves are sent by the pipeline
  CHECK(std::holds_alternative<Observe>(u.out.sends.front().message));
  u.send(second);
  CHECK(u.out.sends.size() == 3);
}

TEST_CASE("a committed run is kept for a slow replica, which is given up in the end") {
  Uploads u;
  RunList runs;
  runs.push_back(u.run(1));
  runs.front().frames = Bytes::allocate(100);
  Run& r = runs.front();
  u.send(r);
  u.answer(r, 1, u.taken(r));
  u.answer(r, 2, u.taken(r));
  CHECK(u.uploads.keep(u.now, runs, runs.begin()));
  CHECK(runs.empty());
  CHECK(u.uploads.wake() == u.now + u.options.upload_grace);
  SUBCASE("the replica takes the run in time, and its bytes are free") {
    CHECK(u.answer(r, 3, u.taken(r), true) == 100);
  }
  SUBCASE("the replica does not, and its connection is to be closed") {
    u.now += u.options.upload_grace;
    const auto given_up = u.uploads.give_up(u.now);
    CHECK(given_up.bytes == 100);
    CHECK(given_up.slow == std::set<ConnectionId>{u.node[3]});
  }
  CHECK(u.uploads.wake() == never);
}
