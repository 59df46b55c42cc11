#include "sequencer/core/metadata.h"

#include <doctest/doctest.h>

#include "proto-spec/vocabulary/limits.h"

using namespace loglog;
using namespace loglog::sequencer;

namespace {

Member member(std::uint32_t n) { return {NodeId{n}, DiskId{100 + n}}; }

std::vector<Command> history() {
  std::vector<Command> h;
  h.push_back(BeginTerm{Term{}, InstanceId{7}, RaftTerm{1}, LogId{}});
  h.push_back(InitCluster{ClusterId{9}, "test", {{SequencerId{1}, "s1"}}});
  for (std::uint32_t n : {3u, 1u, 2u}) h.push_back(RegisterStorage{{NodeId{n}, DiskId{100 + n}, "n"}});
  h.push_back(MakeLog{"a", {3, 2, segment_size_default, Durability::sync}, {member(1), member(2), member(3)}});
  h.push_back(MarkOpen{LogId{6}});
  h.push_back(Trim{LogId{6}, Offset{500}});
  h.push_back(BeginTerm{Term{40}, InstanceId{8}, RaftTerm{1}, LogId{6}});
  h.push_back(AdmitDisk{NodeId{2}, DiskId{102}, DiskId{202}, InstanceId{8}, RaftTerm{1}});
  h.push_back(SetMembers{LogId{6}, {member(1), {NodeId{2}, DiskId{202}}, member(3)}});
  h.push_back(MarkLost{NodeId{3}, DiskId{103}});
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
    b.apply(i, *decoded);
    MetadataState copy;
    REQUIRE(copy.restore(b.snapshot()));
    b = copy;
  }
  CHECK(a.snapshot() == b.snapshot());
  CHECK(a.state().last_term == Term{42});  // AdmitDisk begins one too
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
  CHECK(m.apply(i = i + 1, RegisterStorage{{NodeId{1}, DiskId{5}, "n"}}).error.code == Errc::wrong_identity);  // T4
  CHECK(m.apply(i = i + 1, MarkOpen{LogId{99}}).error.code == Errc::no_such_log);
  CHECK(m.node(NodeId{1})->disk == DiskId{101});
  const std::vector<Member> members = m.log("a")->members;
  CHECK(m.apply(i = i + 1, AdmitDisk{NodeId{2}, DiskId{102}, DiskId{302}, {}, {}}).error.code == Errc::wrong_identity);  // replaced before
  CHECK(m.apply(i = i + 1, AdmitDisk{NodeId{1}, DiskId{101}, DiskId{201}, {}, {}}).error.code == Errc::ok);
  CHECK(m.apply(i = i + 1, AdmitDisk{NodeId{1}, DiskId{201}, DiskId{101}, {}, {}}).error.code == Errc::invalid_argument);  // still named
  CHECK(m.node(NodeId{1})->disk == DiskId{201});
  CHECK(m.apply(i = i + 1, SetMembers{LogId{6}, {{NodeId{1}, DiskId{201}}, members[1], members[2]}}).error.code == Errc::ok);
  CHECK(m.apply(i = i + 1, AdmitDisk{NodeId{1}, DiskId{201}, DiskId{101}, {}, {}}).error.code == Errc::ok);  // a newcomer
  CHECK(m.apply(i = i + 1, SetMembers{LogId{6}, members}).error.code == Errc::ok);
  const Term newest = m.state().last_term;
  CHECK(m.apply(i = i + 1, AdmitDisk{NodeId{9}, DiskId{1}, DiskId{2}, {}, {}}).error.code == Errc::wrong_identity);
  CHECK(m.apply(i = i + 1, SetMembers{LogId{6}, {member(1), member(2), member(3)}}).error.code == Errc::wrong_state);  // not the disk
  CHECK(m.apply(i = i + 1, SetMembers{LogId{6}, {member(1), member(3)}}).error.code == Errc::wrong_state);
  CHECK(m.state().last_term == newest);
  CHECK(m.log("a")->members == members);
  m.apply(i = i + 1, Trim{LogId{6}, Offset{100}});
  CHECK(m.log("a")->trim == Offset{500});  // R3
  CHECK(m.apply(i = i + 1, MarkDeleting{LogId{6}}).error.code == Errc::ok);
  CHECK(m.log("a") == nullptr);
  const Applied again = m.apply(i = i + 1, MakeLog{"a", {}, {member(1)}});
  CHECK(again.error.code == Errc::ok);
  CHECK(again.log == LogId{i.value});  // never reused (T5)
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

TEST_CASE("log options: defaults and refusals") {
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
  CHECK(code(effective_options("a", {0, 0, 1u << 20, Durability::sync, {1u << 20, 1000}}, 3)) == Errc::ok);
  CHECK(code(effective_options("a", {0, 0, 1u << 20, Durability::sync, {(1u << 20) - 1, 0}}, 3)) == Errc::invalid_argument);
  CHECK(code(effective_options("a", {0, 0, 0, Durability::sync, {1u << 20, 0}}, 3)) == Errc::invalid_argument);  // of the default size
  CHECK(code(effective_options("a", {0, 0, 0, Durability::sync, {0, 999}}, 3)) == Errc::invalid_argument);
  CHECK(code(effective_options("a", {5, 0, 0, Durability::sync}, 3)) == Errc::not_enough_nodes);
  CHECK(code(effective_options("a", {}, 0)) == Errc::not_enough_nodes);
}

TEST_CASE("metadata: a lost disk stays so until another one takes its place (F10b, T4)") {
  MetadataState m;
  RaftIndex i{};
  const auto apply = [&](Command c) { return m.apply(i = i + 1, c).error.code; };
  apply(RegisterStorage{{NodeId{1}, DiskId{101}, "n"}});
  CHECK(apply(MarkLost{NodeId{1}, DiskId{100}}) == Errc::wrong_identity);  // of a disk that was replaced since
  CHECK(apply(MarkLost{NodeId{2}, DiskId{102}}) == Errc::wrong_identity);
  CHECK_FALSE(m.node(NodeId{1})->lost);
  CHECK(apply(MarkLost{NodeId{1}, DiskId{101}}) == Errc::ok);
  CHECK(apply(RegisterStorage{{NodeId{1}, DiskId{101}, "elsewhere"}}) == Errc::ok);
  CHECK(m.node(NodeId{1})->lost);
  CHECK(apply(AdmitDisk{NodeId{1}, DiskId{101}, DiskId{201}, {}, {}}) == Errc::ok);
  CHECK_FALSE(m.node(NodeId{1})->lost);
}
