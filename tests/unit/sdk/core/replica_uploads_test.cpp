// The uploads of a run, a state for each replica: what a repeat may send again, and when the next
// attempt is due.
#include "sdk/core/replica_uploads.h"

#include <doctest/doctest.h>

using namespace loglog;
using namespace loglog::client;
using State = ReplicaUploads::State;

namespace {
const std::vector<Member> members = {{NodeId{1}, {}}, {NodeId{2}, {}}, {NodeId{3}, {}}};
const Time now{10s};
}  // namespace

// An upload that is under way will arrive or end with its connection. A second copy of a large run
// would only fill the link.
TEST_CASE("a repeat goes to every replica but those to which an upload is under way") {
  ReplicaUploads u;
  u.begin(members);
  u.find(NodeId{1})->state = State::taken;
  u.sent(*u.find(NodeId{2}), ConnectionId{5}, now);
  u.find(NodeId{3})->state = State::dropped;
  CHECK(u.taken() == 1);
  CHECK(u.taken_or_sent() == 2);
  u.again();
  CHECK(u.find(NodeId{1})->state == State::wanted);
  CHECK(u.find(NodeId{2})->state == State::sent);
  CHECK(u.find(NodeId{2})->on == ConnectionId{5});
  CHECK(u.find(NodeId{3})->state == State::wanted);
  CHECK(u.find(NodeId{4}) == nullptr);
}

// The other replicas copy the run from their peers, which costs the client nothing.
TEST_CASE("after the commit only uploads under way are waited for") {
  ReplicaUploads u;
  u.begin(members);
  u.find(NodeId{1})->state = State::taken;
  u.sent(*u.find(NodeId{2}), ConnectionId{5}, now);
  u.drop_unsent();
  CHECK(u.pending());
  CHECK(u.find(NodeId{3})->state == State::dropped);
  u.find(NodeId{2})->state = State::taken;
  CHECK_FALSE(u.pending());
}

// An upload under way needs no timer, since its answer or the end of its connection comes by
// itself.
TEST_CASE("the next attempt is due at the end of the shortest pause of a replica that wants it") {
  ReplicaUploads u;
  u.begin(members);
  CHECK(u.wake(now) == never);  // connections wake the core by themselves
  u.find(NodeId{1})->not_before = now + 30ms;
  u.find(NodeId{2})->not_before = now + 20ms;
  u.find(NodeId{3})->not_before = now + 10ms;
  u.find(NodeId{3})->state = State::sent;
  CHECK(u.wake(now) == now + 20ms);
  CHECK(u.wake(now + 20ms) == now + 30ms);
}

// The leader stops waiting for the run's bytes. After a resolution the nodes may have dropped the
// run, so that every replica needs it once more.
TEST_CASE("a cancelled run says so once, and a renewed run begins with no word of the former") {
  ReplicaUploads u;
  u.begin(members);
  u.sent(*u.find(NodeId{1}), ConnectionId{5}, now);
  u.sent(*u.find(NodeId{2}), ConnectionId{6}, now + 1s);
  CHECK(u.since() == now);
  CHECK(u.cancel());
  CHECK_FALSE(u.cancel());
  CHECK(u.is_cancelled());
  u.renew();
  CHECK_FALSE(u.has_begun());
  u.begin(members);
  CHECK_FALSE(u.is_cancelled());
  CHECK(u.taken_or_sent() == 0);
  CHECK(u.since() == never);
}
