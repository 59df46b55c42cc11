// The replicated metadata (MetadataState): commands in the Raft log give the same state on every
// sequencer, and refuse requests that are late, repeated or absurd (T1, T5, T6, C1).
#include "sequencer/core/metadata.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "proto-spec/vocabulary/limits.h"

using namespace loglog;
using namespace loglog::sequencer;

namespace {

Member member(std::uint32_t n) { return {NodeId{n}, DiskId{100 + n}}; }

/// A history with each kind of command, in which log "a" has id 6 and node 2 a replaced disk.
std::vector<Command> history() {
  std::vector<Command> h;
  h.push_back(BeginTerm{Term{}, InstanceId{7}, RaftTerm{1}, LogId{}});
  h.push_back(InitCluster{ClusterId{9}, "test", {{SequencerId{1}, "s1"}}});
  for (std::uint32_t n : {3u, 1u, 2u})
    h.push_back(RegisterStorage{{NodeId{n}, DiskId{100 + n}, "n"}});
  h.push_back(MakeLog{
      "a", {3, 2, segment_size_default, Durability::sync}, {member(1), member(2), member(3)}});
  h.push_back(MarkOpen{LogId{6}});
  h.push_back(Trim{LogId{6}, Offset{500}});
  h.push_back(BeginTerm{Term{40}, InstanceId{8}, RaftTerm{1}, LogId{6}});
  h.push_back(AdmitDisk{NodeId{2}, DiskId{102}, DiskId{202}, InstanceId{8}, RaftTerm{1}});
  h.push_back(SetMembers{LogId{6}, {member(1), {NodeId{2}, DiskId{202}}, member(3)}});
  h.push_back(MarkLost{NodeId{3}, DiskId{103}});
  h.push_back(RaiseVersion{1});
  return h;
}

}  // namespace

TEST_CASE("metadata: the same commands give the same bytes, also through a snapshot") {
  MetadataState a;
  MetadataState b;
  RaftIndex i{};
  for (const Command& c : history()) {
    i = i + 1;
    const auto decoded = decode_command(encode(c));
    REQUIRE(decoded);
    CHECK(*decoded == c);
    CHECK(a.apply(i, c).error.code == Errc::ok);
    // The second state goes through bytes and a snapshot after each command, and must stay equal to
    // the first.
    b.apply(i, *decoded);
    MetadataState copy;
    REQUIRE(copy.restore(b.snapshot()));
    b = copy;
  }
  CHECK(a.snapshot() == b.snapshot());
  CHECK(a.state().last_term == Term{42});  // AdmitDisk mints a term too (C1)
  CHECK(a.disk_of(NodeId{2}) == DiskId{202});
  CHECK(a.state().storage.front().id == NodeId{1});
  CHECK(a.state().storage.back().lost);
  REQUIRE(a.log("a") != nullptr);
  CHECK(a.log("a")->id == LogId{6});
  CHECK(a.log("a")->last_term == Term{41});
}

TEST_CASE("metadata: refusals leave the state as it was, but for the version") {
  MetadataState m;
  RaftIndex i{};
  for (const Command& c : history()) m.apply(i = i + 1, c);
  CHECK(m.apply(i = i + 1, MakeLog{"a", {}, {member(1)}}).error.code == Errc::log_exists);
  CHECK(m.apply(i = i + 1, MakeLog{"b", {}, {member(9)}}).error.code == Errc::not_enough_nodes);
  CHECK(m.apply(i = i + 1, RegisterStorage{{NodeId{1}, DiskId{5}, "n"}}).error.code ==
        Errc::wrong_identity);  // T4: another disk under a known node id
  CHECK(m.apply(i = i + 1, MarkOpen{LogId{99}}).error.code == Errc::no_such_log);
  CHECK(m.node(NodeId{1})->disk == DiskId{101});
  const std::vector<Member> members = m.log("a")->members;
  CHECK(m.apply(i = i + 1, AdmitDisk{NodeId{2}, DiskId{102}, DiskId{302}, {}, {}}).error.code ==
        Errc::wrong_identity);  // disk 102 has been replaced already
  CHECK(m.apply(i = i + 1, AdmitDisk{NodeId{1}, DiskId{101}, DiskId{201}, {}, {}}).error.code ==
        Errc::ok);
  CHECK(m.apply(i = i + 1, AdmitDisk{NodeId{1}, DiskId{201}, DiskId{101}, {}, {}}).error.code ==
        Errc::invalid_argument);  // a log still names disk 101
  CHECK(m.node(NodeId{1})->disk == DiskId{201});
  CHECK(m.apply(i = i + 1, SetMembers{LogId{6}, {{NodeId{1}, DiskId{201}}, members[1], members[2]}})
            .error.code == Errc::ok);
  CHECK(m.apply(i = i + 1, AdmitDisk{NodeId{1}, DiskId{201}, DiskId{101}, {}, {}}).error.code ==
        Errc::ok);  // no log names disk 101 any more, so it is a newcomer
  CHECK(m.apply(i = i + 1, SetMembers{LogId{6}, members}).error.code == Errc::ok);
  const Term newest = m.state().last_term;
  CHECK(m.apply(i = i + 1, AdmitDisk{NodeId{9}, DiskId{1}, DiskId{2}, {}, {}}).error.code ==
        Errc::wrong_identity);
  CHECK(m.apply(i = i + 1, SetMembers{LogId{6}, {member(1), member(2), member(3)}}).error.code ==
        Errc::wrong_state);  // disk 102 is not registered
  CHECK(m.apply(i = i + 1, SetMembers{LogId{6}, {member(1), member(3)}}).error.code ==
        Errc::wrong_state);
  CHECK(m.state().last_term == newest);
  CHECK(m.log("a")->members == members);
  m.apply(i = i + 1, Trim{LogId{6}, Offset{100}});
  CHECK(m.log("a")->trim == Offset{500});  // R3: a trim point never moves back
  CHECK(m.apply(i = i + 1, MarkDeleting{LogId{6}}).error.code == Errc::ok);
  CHECK(m.log("a") == nullptr);
  i = i + 1;
  const Applied again = m.apply(i, MakeLog{"a", {}, {member(1)}, {i, {}}});
  CHECK(again.error.code == Errc::ok);
  CHECK(again.log == LogId{i.value});  // an id is never used again (T5)
  CHECK(m.apply(i = i + 1, FinishDelete{LogId{6}}).error.code == Errc::ok);
  CHECK(m.log("a")->id == again.log);
}

TEST_CASE("metadata: bytes that are no command or snapshot are refused") {
  CHECK(!decode_command({}));
  CHECK(!decode_command(Bytes::copy_of(std::string_view("\xff garbage"))));
  Bytes good = encode(Trim{LogId{1}, Offset{2}});
  CHECK(!decode_command(good.slice(0, good.size() - 1)));
  MetadataState m;
  CHECK(!m.restore(Bytes::copy_of(std::string_view("nonsense"))));
}

TEST_CASE(
    "metadata: a request that comes late or twice makes no log again and gives no token twice "
    "(C-10, T6)") {
  MetadataState m;
  RaftIndex i{};
  for (const Command& c : history()) m.apply(i = i + 1, c);
  const auto make = [](RaftIndex seen, std::uint64_t id) {
    return MakeLog{"b", {}, {member(1)}, {seen, ChangeId{id}}};
  };
  // A request to make log "b", its repeat, and both after the log was deleted.
  const RaftIndex before = i;
  const Applied made = m.apply(i = i + 1, make(before, 71));
  REQUIRE(made.error.code == Errc::ok);
  CHECK(m.log(made.log)->made_by == ChangeId{71});
  const Applied repeated = m.apply(i = i + 1, make(before, 71));
  CHECK(repeated.error.code == Errc::log_exists);
  CHECK(repeated.log == made.log);
  CHECK(m.apply(i = i + 1, MarkDeleting{made.log}).error.code == Errc::ok);
  CHECK(m.apply(i = i + 1, FinishDelete{made.log}).error.code == Errc::ok);
  CHECK(m.apply(i = i + 1, make(before, 71)).error.code == Errc::superseded);
  // The deletion is remembered across a snapshot too.
  MetadataState copy;
  REQUIRE(copy.restore(m.snapshot()));
  CHECK(copy.apply(i = i + 1, make(before, 72)).error.code == Errc::superseded);
  CHECK(m.apply(i, make(i, 73)).error.code == Errc::ok);  // its basis is newer than the deletion

  const LogId log{6};
  const RaftIndex seen = i;
  const auto fence = [&](std::uint64_t token, RaftIndex at, std::uint64_t id) {
    return m.apply(i = i + 1, RaiseFence{log, FenceToken{token}, {at, ChangeId{id}}}).error.code;
  };
  CHECK(fence(0, seen, 1) == Errc::ok);
  CHECK(fence(0, seen, 1) == Errc::ok);  // its own repeat
  CHECK(m.log(log)->fence == FenceToken{1});
  CHECK(fence(0, seen, 2) == Errc::superseded);  // another writer with an old basis
  CHECK(fence(7, seen, 3) == Errc::ok);          // an explicit token needs no basis
  // The first request's late copy must not raise the token again.
  CHECK(fence(0, seen, 1) == Errc::superseded);
  CHECK(fence(0, i, 4) == Errc::ok);
  CHECK(m.log(log)->fence == FenceToken{8});

  const auto keep = [&](std::uint64_t ms, RaftIndex at, std::uint64_t id) {
    return m.apply(i = i + 1, ChangeRetention{log, {0, ms}, {at, ChangeId{id}}}).error.code;
  };
  const RaftIndex looked = i;
  CHECK(keep(60'000, looked, 5) == Errc::ok);
  CHECK(keep(0, i, 6) == Errc::ok);
  // A late copy of the older change must not undo the newer change.
  CHECK(keep(60'000, looked, 5) == Errc::superseded);
  CHECK(m.log(log)->options.retention == Retention{});
}

TEST_CASE(
    "metadata: a record that asks for a durability that is not kept is none of this version (A7)") {
  MakeLog asks{"a", {3, 2, segment_size_default, Durability::sync}, {member(1)}, {}};
  CHECK(decode_command(encode(asks)));
  asks.options.durability = static_cast<Durability>(1);
  CHECK(!decode_command(encode(asks)));
  const auto refused = effective_options("a", asks.options, 3);
  REQUIRE(!refused);
  CHECK(refused.error().detail.find("fdatasync") != std::string::npos);
}

TEST_CASE("log options: defaults and refusals (C2)") {
  const auto o = effective_options("a/b-c_d.9", {}, 5);
  REQUIRE(o);
  CHECK(o->replicas == 3);
  CHECK(o->write_quorum == 2);
  CHECK(o->segment_size == segment_size_default);
  CHECK(effective_options("one", {}, 1)->write_quorum == 1);
  const auto code = [](const Result<LogOptions>& r) { return r ? Errc::ok : r.error().code; };
  CHECK(code(effective_options("", {}, 3)) == Errc::invalid_argument);
  CHECK(code(effective_options("a b", {}, 3)) == Errc::invalid_argument);
  CHECK(code(effective_options(std::string(256, 'a'), {}, 3)) == Errc::invalid_argument);
  CHECK(code(effective_options("a", {3, 4, 0, Durability::sync}, 3)) == Errc::invalid_argument);
  CHECK(code(effective_options("a", {3, 2, 1, Durability::sync}, 3)) == Errc::invalid_argument);
  CHECK(code(effective_options("a", {0, 0, 1u << 20, Durability::sync, {1u << 20, 1000}}, 3)) ==
        Errc::ok);
  CHECK(code(effective_options("a", {0, 0, 1u << 20, Durability::sync, {(1u << 20) - 1, 0}}, 3)) ==
        Errc::invalid_argument);
  CHECK(code(effective_options("a", {0, 0, 0, Durability::sync, {1u << 20, 0}}, 3)) ==
        Errc::invalid_argument);  // of the default segment size
  CHECK(code(effective_options("a", {0, 0, 0, Durability::sync, {0, 999}}, 3)) ==
        Errc::invalid_argument);
  CHECK(code(effective_options("a", {5, 0, 0, Durability::sync}, 3)) ==
        Errc::invalid_argument);  // refused at once, because more nodes would not help
  CHECK(code(effective_options("a", {}, 0)) == Errc::invalid_argument);
}

TEST_CASE(
    "metadata: a term is never minted twice: the number does not wrap, and no floor uses it up "
    "(Z7)") {
  MetadataState m;
  RaftIndex i{};
  const auto begin = [&](std::uint64_t floor) {
    return m.apply(
        i = i + 1,
        BeginTerm{Term{static_cast<std::uint32_t>(floor)}, InstanceId{1}, RaftTerm{1}, {}});
  };
  CHECK(begin(0).minted == Term{1});
  // A floor far ahead would use up the terms.
  const Applied absurd = begin(0xFFFFFFFF);
  CHECK(absurd.error.code == Errc::invalid_argument);
  CHECK(absurd.error.detail ==
        "a floor of term 4294967295 is more than 16777216 above the last term, 1");
  CHECK(m.state().last_term == Term{1});
  CHECK(begin(1 + term_ahead_max).minted == Term{term_ahead_max + 2});
  // Bring the terms to their highest value, in the largest steps allowed.
  for (std::uint64_t t = m.state().last_term.value; t < term_max; t = m.state().last_term.value)
    REQUIRE(begin(std::min<std::uint64_t>(t + term_ahead_max, term_max - 1)).error.code ==
            Errc::ok);
  CHECK(m.state().last_term == Term{term_max});
  CHECK(begin(0).error.code == Errc::too_many);
  CHECK(m.state().last_term == Term{term_max});
}

TEST_CASE(
    "metadata: the fencing token after the highest is none, so that no stale one is taken again "
    "(Z7)") {
  MetadataState m;
  RaftIndex i{};
  for (const Command& c : history()) m.apply(i = i + 1, c);
  // A token above the bound, the highest token, and no next token.
  const Applied absurd = m.apply(i = i + 1, RaiseFence{LogId{6}, FenceToken{~0ull}});
  CHECK(absurd.error.code == Errc::invalid_argument);
  CHECK(absurd.error.detail ==
        "fencing token 18446744073709551615 is above the highest, 9223372036854775807");
  CHECK(m.apply(i = i + 1, RaiseFence{LogId{6}, FenceToken{fence_token_max}}).error.code ==
        Errc::ok);
  CHECK(m.apply(i = i + 1, RaiseFence{LogId{6}, {}, {i, ChangeId{9}}}).error.code ==
        Errc::too_many);
  CHECK(m.log("a")->fence == FenceToken{fence_token_max});
}

TEST_CASE(
    "metadata: logs have a bound in number and in bytes, well below one message; deleting makes "
    "room (Z4)") {
  MetadataState m;
  std::uint64_t index = 0;
  const auto apply = [&](const Command& c) { return m.apply(RaftIndex{++index}, c); };
  for (const Command& c : history()) apply(c);
  const std::vector<Member> members{member(1), {NodeId{2}, DiskId{202}}, member(3)};
  const auto make = [&](const std::string& name) {
    return apply(MakeLog{name, {3, 2, segment_size_default, Durability::sync, {}}, members});
  };
  // The longest names fill the bound in bytes before the bound in number.
  SUBCASE("bytes") {
    Applied last;
    std::size_t made = 0;
    do last = make(std::string(log_name_max - 8, 'x') + std::to_string(10'000'000 + made++));
    while (last.error.code == Errc::ok);
    CHECK(last.error.code == Errc::too_many);
    CHECK(last.error.detail.find("at most 65536 logs and 8388608 bytes are possible") !=
          std::string::npos);
    CHECK(m.logs_bytes() <= metadata_bytes_max);
    CHECK(m.snapshot().size() < message_body_max / 2 + 4096);
  }
  SUBCASE("number") {
    std::size_t made = m.state().logs.size();
    while (made < logs_max) {
      REQUIRE(make("x" + std::to_string(made)).error.code == Errc::ok);
      ++made;
    }
    CHECK(make("y").error.code == Errc::too_many);
    CHECK(m.logs_bytes() <= metadata_bytes_max);
  }
  // Deleting a log makes room again.
  const LogId one = m.state().logs.back().id;
  CHECK(apply(MarkDeleting{one}).error.code == Errc::ok);
  CHECK(apply(FinishDelete{one}).error.code == Errc::ok);
  CHECK(make("z").error.code == Errc::ok);
  MetadataState copy;
  REQUIRE(copy.restore(m.snapshot()));
  CHECK(copy.logs_bytes() == m.logs_bytes());
}

TEST_CASE("metadata: a lost disk stays so until another one takes its place (F10b, T4)") {
  MetadataState m;
  RaftIndex i{};
  const auto apply = [&](Command c) { return m.apply(i = i + 1, c).error.code; };
  apply(RegisterStorage{{NodeId{1}, DiskId{101}, "n"}});
  // Disk 100 is no longer the node's disk, so the loss is not this disk's.
  CHECK(apply(MarkLost{NodeId{1}, DiskId{100}}) == Errc::wrong_identity);
  CHECK(apply(MarkLost{NodeId{2}, DiskId{102}}) == Errc::wrong_identity);
  CHECK_FALSE(m.node(NodeId{1})->lost);
  CHECK(apply(MarkLost{NodeId{1}, DiskId{101}}) == Errc::ok);
  // Registering again, even from elsewhere, does not end the loss.
  CHECK(apply(RegisterStorage{{NodeId{1}, DiskId{101}, "elsewhere"}}) == Errc::ok);
  CHECK(m.node(NodeId{1})->lost);
  CHECK(apply(AdmitDisk{NodeId{1}, DiskId{101}, DiskId{201}, {}, {}}) == Errc::ok);
  CHECK_FALSE(m.node(NodeId{1})->lost);
}

TEST_CASE("metadata: the cluster's version only rises, and snapshots have it (T7)") {
  MetadataState m(3);
  CHECK(m.record_version() == 1);
  const Bytes before = m.snapshot();
  CHECK(m.apply(RaftIndex{1}, RaiseVersion{2}).error.code == Errc::ok);
  CHECK(m.apply(RaftIndex{2}, RaiseVersion{1}).error.code == Errc::ok);
  CHECK(m.record_version() == 2);
  MetadataState copy(3);
  REQUIRE(copy.restore(m.snapshot()));
  CHECK(copy.record_version() == 2);
  CHECK(copy.snapshot() == m.snapshot());
  REQUIRE(copy.restore(before));
  CHECK(copy.record_version() == 1);
  MetadataState older(1);
  CHECK_FALSE(older.restore(m.snapshot()));
}
