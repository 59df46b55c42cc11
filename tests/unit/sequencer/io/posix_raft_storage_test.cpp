#include "sequencer/io/posix_raft_storage.h"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "proto-spec/disk/raft_log.h"
#include "proto-spec/vocabulary/exit_code.h"
#include "tests/simulator/simulated_raft_disk.h"

using namespace loglog;
using namespace loglog::sequencer;
namespace fs = std::filesystem;

namespace {

struct Directory {
  std::string path;
  Directory() {
    std::string name = (fs::temp_directory_path() / "loglog-raft-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  std::string get(const std::string& name) const {
    std::ifstream in(path + "/" + name, std::ios::binary);
    std::ostringstream s;
    s << in.rdbuf();
    return s.str();
  }
  void put(const std::string& name, std::string_view data) const { std::ofstream(path + "/" + name, std::ios::binary) << data; }
  Result<std::unique_ptr<RaftStorage>> open() const { return RaftStorage::open(path, SequencerId{1}, "test"); }
};

RaftEntry entry(std::uint64_t term, std::uint64_t index) { return {RaftTerm{term}, RaftIndex{index}, Bytes::copy_of("x")}; }
SaveRaft entries(std::uint64_t term, std::uint64_t first, std::uint64_t last) {
  SaveRaft s;
  for (std::uint64_t i = first; i <= last; ++i) s.entries.push_back(entry(term, i));
  return s;
}
SaveRaft snapshot(std::uint64_t term, std::uint64_t index) {
  SaveRaft s;
  s.has_snapshot = true;
  s.snapshot_index = RaftIndex{index};
  s.snapshot_term = RaftTerm{term};
  s.snapshot = Bytes::copy_of("state");
  return s;
}
/// Term and index of every entry.
std::string shape(const RaftDisk& d) {
  std::string out;
  for (const RaftEntry& e : d.entries) out += std::to_string(e.term.value) + ":" + std::to_string(e.index.value) + " ";
  return out;
}

}  // namespace

TEST_CASE("raft storage: what was saved is there again") {
  Directory d;
  {
    auto s = d.open();
    REQUIRE(s);
    SaveRaft first = entries(1, 1, 4);
    first.hard_state = HardState{RaftTerm{1}, SequencerId{2}};
    REQUIRE((*s)->save(first));
    SaveRaft cut = entries(2, 3, 3);
    cut.truncate_from = RaftIndex{3};
    REQUIRE((*s)->save(cut));
  }
  auto s = d.open();
  REQUIRE(s);
  CHECK((*s)->disk().hard_state == HardState{RaftTerm{1}, SequencerId{2}});
  CHECK(shape((*s)->disk()) == "1:1 1:2 2:3 ");
}

TEST_CASE("raft storage: a state whose identity is lost is data loss and stays as it is (T4)") {
  Directory d;
  {
    auto s = d.open();
    REQUIRE(s);
    REQUIRE((*s)->save(entries(1, 1, 4)));
  }
  fs::remove(d.path + "/identity");
  const std::string log = d.get("raft.log");
  const auto refused = [&] {
    auto s = d.open();
    REQUIRE_FALSE(s);
    CHECK(s.error().code == Errc::data_loss);
    CHECK(exit_code_of(s.error().code) == exit_identity);
    CHECK_FALSE(fs::exists(d.path + "/identity"));
  };
  SUBCASE("a log with records") {
    refused();
    CHECK(d.get("raft.log") == log);
  }
  SUBCASE("a snapshot beside a log without records") {
    d.put("raft.log", encode_raft_header().text());
    d.put("snapshot", encode_snapshot({RaftIndex{5}, RaftTerm{1}, Bytes::copy_of("state")}).text());
    refused();
  }
  SUBCASE("a snapshot alone") {
    fs::remove(d.path + "/raft.log");
    d.put("snapshot", encode_snapshot({RaftIndex{5}, RaftTerm{1}, Bytes::copy_of("state")}).text());
    refused();
    CHECK_FALSE(fs::exists(d.path + "/raft.log"));
  }
}

TEST_CASE("raft storage: a first start that was cut short before the identity begins again") {
  Directory d;
  d.put("raft.log", encode_raft_header().text());
  CHECK(d.open());
  CHECK(fs::exists(d.path + "/identity"));
}

TEST_CASE("raft storage: killed between the snapshot and the log, only what follows the snapshot stays") {
  Directory d;
  std::string expected;
  SaveRaft with = snapshot(1, 3);
  SUBCASE("the log goes on after it") { expected = "1:4 1:5 "; }
  SUBCASE("the log contradicts it") { with = snapshot(2, 3); }
  SUBCASE("the log ends with it") { with = snapshot(1, 5); }
  SUBCASE("the log ends before it") { with = snapshot(2, 9); }

  std::string old_log;
  RaftDisk simulated;
  {
    auto s = d.open();
    REQUIRE(s);
    const SaveRaft log = entries(1, 1, 5);
    REQUIRE((*s)->save(log));
    old_log = d.get("raft.log");
    REQUIRE((*s)->save(with));
    CHECK(shape((*s)->disk()) == expected);
    simulator::apply(simulated, log);
    simulator::apply(simulated, with);
    CHECK(shape(simulated) == expected);
  }
  d.put("raft.log", old_log);  // as if it had not been written anew
  const std::uint64_t next = expected.empty() ? with.snapshot_index.value + 1 : 6;
  {
    auto s = d.open();
    REQUIRE(s);
    CHECK((*s)->disk().snapshot_index == with.snapshot_index);
    CHECK(shape((*s)->disk()) == expected);
    REQUIRE((*s)->save(entries(3, next, next)));
  }
  // What was saved after that start is there at the one after it.
  auto s = d.open();
  REQUIRE(s);
  CHECK(shape((*s)->disk()) == expected + "3:" + std::to_string(next) + " ");
}

TEST_CASE("raft storage: a log that begins behind the end of its snapshot is data loss (T4)") {
  Directory d;
  {
    auto s = d.open();
    REQUIRE(s);
    REQUIRE((*s)->save(entries(1, 1, 5)));
    REQUIRE((*s)->save(snapshot(1, 3)));
  }
  fs::remove(d.path + "/snapshot");
  auto s = d.open();
  REQUIRE_FALSE(s);
  CHECK(s.error().code == Errc::data_loss);
}
