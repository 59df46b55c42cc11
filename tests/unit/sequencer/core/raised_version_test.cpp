// T7: a cluster's version is raised. The tests cover the leader's question to all programs, the
// order of writes, a crash between them, and programs that are too old. Runs on fake_cluster.h.
#include <doctest/doctest.h>

#include "proto-spec/wire/field_codec.h"
#include "tests/unit/sequencer/core/fake_cluster.h"

using namespace loglog;
using namespace loglog::sequencer;
using namespace loglog::sequencer::testing;

namespace {

/// Three nodes and three sequencers, whose programs read records up to version 2.
struct Raised {
  Raised() : f(3) {
    f.options.record_version_highest = 2;
    f.options.sequencers = {
        {SequencerId{1}, "s1:1"}, {SequencerId{2}, "s2:1"}, {SequencerId{3}, "s3:1"}};
    f.disk.hard_state.vote = SequencerId{1};
    for (int i = 1; i <= 3; ++i) f.node(i).record_version = 2;
    f.restart();
    for (std::uint32_t id : {2u, 3u}) link[id] = f.connect_sequencer(id);
    f.pass(3s);
    for (int i = 1; i <= 3; ++i) f.connect(i);
    f.pass(100ms);
    REQUIRE(f.machine->leading_term() != Term{});
    client = f.connect_client();
  }
  /// Both other sequencers say which version they read.
  void say_versions(std::uint8_t second, std::uint8_t third) {
    f.say(link[2], Reaches{{}, false, second});
    f.say(link[3], Reaches{{}, false, third});
  }
  /// Asks for the version; returns the refusal, if any.
  std::optional<std::string> raise(std::uint8_t version) {
    f.to_clients.clear();
    f.say(client, RaiseClusterVersion{version});
    const auto failed = f.heard<Failed>();
    if (failed.empty()) CHECK(f.heard<Done>().size() == 1);
    return failed.empty() ? std::nullopt : std::optional(failed.front().detail);
  }
  std::uint8_t version() const { return f.machine->metadata().record_version; }

  FakeCluster f;
  std::map<std::uint32_t, ConnectionId> link;
  ConnectionId client{};
};

bool says(const std::optional<std::string>& refusal, const std::string& words) {
  return refusal && refusal->find(words) != std::string::npos;
}

/// The saves of a machine that has applied the disk's entries as the only voter, until it ends
/// itself or rests.
std::vector<SaveRaft> saves_of(FakeCluster& f, std::optional<Error>& end) {
  std::vector<SaveRaft> out;
  SequencerMachine m(f.options, f.disk, 7);
  m.start(f.now, f.wall_ms());
  for (int i = 0; i < 10; ++i) {
    Output& o = m.output();
    if (o.fatal) {
      end = o.fatal;
      break;
    }
    const auto saves = std::move(o.saves);
    o.clear();
    for (const SaveRaft& s : saves) m.save_done(f.now, {s.ticket});
    out.insert(out.end(), saves.begin(), saves.end());
  }
  return out;
}

}  // namespace

TEST_CASE("raise: it waits until all voters and nodes have said that they read it (T7_read)") {
  Raised r;
  CHECK(says(r.raise(2), "sequencer 2 has not said yet"));
  r.say_versions(2, 1);
  CHECK(says(r.raise(2), "sequencer 3 reads up to version 1"));
  CHECK_FALSE(says(r.raise(2), "sequencer 2"));
  r.say_versions(2, 2);
  r.f.disconnect(2);
  CHECK(says(r.raise(2), "storage node 2 is not connected"));
  r.f.node(2).record_version = 0;
  r.f.connect(2);
  CHECK(says(r.raise(2), "storage node 2 reads up to version 1"));
  r.f.disconnect(2);
  r.f.node(2).record_version = 2;
  r.f.connect(2);
  CHECK(r.version() == 0);
  CHECK_FALSE(r.raise(2).has_value());
  CHECK(r.version() == 2);
}

TEST_CASE("raise: a sequencer that comes back must say again what it reads (T7_read)") {
  Raised r;
  r.say_versions(2, 2);
  r.f.disconnect_client(r.link[3]);
  CHECK(says(r.raise(2), "sequencer 3 is not connected"));
  r.link[3] = r.f.connect_sequencer(3, BootId{12});
  CHECK(says(r.raise(2), "sequencer 3 has not said yet"));
}

TEST_CASE("raise: only up to the version of the leader's program; a repeat is harmless (T6, T7)") {
  Raised r;
  r.say_versions(9, 9);
  CHECK(says(r.raise(3), "version 3 is above 2"));
  CHECK_FALSE(r.raise(1).has_value());
  CHECK(r.version() == 0);
  CHECK_FALSE(r.raise(2).has_value());
  CHECK_FALSE(r.raise(2).has_value());
  CHECK_FALSE(r.raise(1).has_value());
  CHECK(r.version() == 2);
}

TEST_CASE("raise: nodes hear of it before anything that follows (T2, T7)") {
  Raised r;
  r.say_versions(2, 2);
  r.f.to_nodes.clear();
  r.raise(2);
  r.f.say(r.client, CreateLog{"later", {}});
  r.f.pass(1s);
  for (int i = 1; i <= 3; ++i) {
    CHECK(r.f.node(i).metadata.record_version == 2);
    std::vector<const Message*> told;
    for (const auto& [to, m] : r.f.to_nodes)
      if (to == NodeId{static_cast<std::uint32_t>(i)}) told.push_back(&m);
    REQUIRE(!told.empty());
    const auto* first = std::get_if<loglog::Metadata>(told.front());
    REQUIRE(first != nullptr);
    CHECK(first->metadata.record_version == 2);
    CHECK(std::ranges::any_of(told,
                              [](const Message* m) { return std::holds_alternative<Join>(*m); }));
  }
}

TEST_CASE("raise: records are made in the version that the directory names (T7_named)") {
  Raised r;
  r.say_versions(2, 2);
  const std::size_t before = r.f.disk.entries.size();
  r.raise(2);
  CHECK(r.f.disk.record_version == 2);
  REQUIRE(r.f.disk.entries.size() == before + 1);
  CHECK(version_of_record(r.f.disk.entries.back().command.span()) == 1);
  r.f.say(r.client, CreateLog{"a", {3, 2, 64u << 10, Durability::sync, {}}});
  r.f.pass(100ms);
  REQUIRE(r.f.disk.entries.size() > before + 1);
  CHECK(version_of_record(r.f.disk.entries[before + 1].command.span()) == 2);
  CHECK(r.f.heard<LogIs>().size() == 1);
  // A restart reads records of both versions.
  r.f.restart();
  for (std::uint32_t id : {2u, 3u}) r.link[id] = r.f.connect_sequencer(id, BootId{13});
  r.f.pass(3s);
  CHECK(r.version() == 2);
  CHECK(r.f.machine->metadata().logs.size() == 1);
}

TEST_CASE("raise: a crash before the identity was written is made up for by the next start (T7)") {
  FakeCluster f(3);
  f.options.record_version_highest = 2;
  f.disk.hard_state = {RaftTerm{1}, SequencerId{1}};
  f.disk.entries = {{RaftTerm{1}, RaftIndex{1}, encode(Command(RaiseVersion{2}), 1)}};
  std::optional<Error> end;
  const auto saves = saves_of(f, end);
  CHECK_FALSE(end.has_value());
  // The leader's own first entry is of the older version, because the directory names that version.
  const auto named = std::ranges::find(saves, 2, &SaveRaft::record_version);
  REQUIRE(named != saves.end());
  for (auto s = saves.begin(); s != named; ++s)
    for (const RaftEntry& e : s->entries) CHECK(version_of_record(e.command.span()) == 1);
}

TEST_CASE("raise: an older program ends where it applies the raise, and says why (T7)") {
  FakeCluster f(3);
  f.disk.hard_state = {RaftTerm{1}, SequencerId{1}};
  std::string words;
  SUBCASE("the command itself") {
    f.disk.entries = {{RaftTerm{1}, RaftIndex{1}, encode(Command(RaiseVersion{2}), 1)}};
    words = "raises the cluster to version 2 while this program reads up to version 1";
  }
  SUBCASE("a record of the later version") {
    f.disk.entries = {{RaftTerm{1}, RaftIndex{1}, encode(Command(MarkOpen{LogId{3}}), 2)}};
    words = "entry 1";
  }
  std::optional<Error> end;
  saves_of(f, end);
  REQUIRE(end.has_value());
  CHECK(end->code == Errc::newer_format);
  CHECK(end->detail.find(words) != std::string::npos);
}

TEST_CASE("raise: a node whose program does not read the version takes no part (T7_seal)") {
  Raised r;
  r.say_versions(2, 2);
  r.raise(2);
  r.f.disconnect(3);
  r.f.node(3).record_version = 1;
  r.f.connect(3);
  CHECK(r.f.closed.at(r.f.node(3).connection).code == Errc::wrong_version);
  CHECK(r.f.alarmed());
  r.f.say(r.client, CreateLog{"a", {3, 2, 64u << 10, Durability::sync, {}}});
  CHECK(r.f.heard<Failed>().at(0).error == Errc::not_enough_nodes);
  r.f.node(3).record_version = 2;
  r.f.connect(3);
  r.f.say(r.client, CreateLog{"a", {3, 2, 64u << 10, Durability::sync, {}}});
  r.f.pass(100ms);
  CHECK(r.f.heard<LogIs>().size() == 1);
}

TEST_CASE("raise: a node that refuses the version by itself raises an alarm, once (T7)") {
  Raised r;
  r.say_versions(2, 2);
  r.raise(2);
  const auto alarms = [&](const std::string& text) {
    return std::ranges::count_if(r.f.events, [&](const Event& e) {
      return e.level == Event::Level::alarm && e.text.starts_with(text);
    });
  };
  // Its program sees the version in Metadata and closes the connection.
  r.f.disconnect(3, Errc::wrong_version);
  CHECK(alarms("storage node 3 does not read records of version 2, the cluster's") == 1);
  r.f.node(3).record_version = 1;
  r.f.connect(3);
  CHECK(r.f.closed.at(r.f.node(3).connection).code == Errc::wrong_version);
  CHECK(alarms("storage node 3 ") == 1);
}
