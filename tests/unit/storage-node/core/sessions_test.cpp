// Sessions of a node: which connection of a sequencer is obeyed (D2), which connection leads, and
// which logs hear that a connection has gone.
#include "storage-node/core/sessions.h"

#include <doctest/doctest.h>

using namespace loglog;
using namespace loglog::storage;

namespace {

constexpr ConnectionId first{1}, second{2}, third{3};

/// The hello of a process of sequencer `id`.
Hello sequencer(std::uint32_t id, std::uint64_t boot) {
  Hello h;
  h.role = Role::sequencer;
  h.id = id;
  h.boot = BootId{boot};
  return h;
}

}  // namespace

TEST_CASE("sessions: a sequencer's newest connection replaces its older connections (D2)") {
  Sessions s;
  Time now{};
  s.connected(now, first, sequencer(1, 8));
  CHECK(s.judge(now, first).outdated.empty());
  s.connected(now, second, sequencer(2, 8));
  s.connected(now, third, sequencer(1, 8));
  const auto verdict = s.judge(now, third);
  CHECK_FALSE(verdict.is_twin);
  CHECK(verdict.outdated == std::vector{first});
}

TEST_CASE("sessions: a second process is refused while the first process is heard (D2)") {
  Sessions s;
  Time now{};
  s.connected(now, first, sequencer(1, 8));
  now += 3s;
  s.connected(now, second, sequencer(1, 9));
  CHECK(s.judge(now, second).is_twin);
  s.forget(second);
  now += 1s;
  s.connected(now, third, sequencer(1, 9));
  const auto verdict = s.judge(now, third);
  CHECK_FALSE(verdict.is_twin);
  CHECK(verdict.outdated == std::vector{first});
}

TEST_CASE("sessions: a second process is told for a while after its last alarm") {
  Sessions s;
  Time now{};
  CHECK(s.twin_alarm_due(now, SequencerId{1}));
  now += 9s;
  CHECK_FALSE(s.twin_alarm_due(now, SequencerId{1}));
  now += 1s;
  CHECK(s.twin_alarm_due(now, SequencerId{1}));
  now += 15s;
  CHECK(s.twins(now) == std::vector{SequencerId{1}});
  now += 1ms;
  CHECK(s.twins(now).empty());
}

TEST_CASE("sessions: a connection that goes leads no more, and its logs are named") {
  Sessions s;
  Time now{};
  s.connected(now, first, sequencer(1, 8));
  s.sealed_by(now, first);
  s.at(first).users = {LogId{4}, LogId{7}};
  now += 1s;
  CHECK(s.heard(now, first));
  CHECK_FALSE(s.heard(now, second));
  CHECK(s.leader_heard() == now);
  REQUIRE(s.leader_session() != nullptr);
  CHECK(s.leader_session()->peer.id == 1);
  CHECK(s.forget(first) == std::set{LogId{4}, LogId{7}});
  CHECK(s.leader() == ConnectionId{});
  CHECK(s.leader_session() == nullptr);
  CHECK(s.forget(first).empty());
}
