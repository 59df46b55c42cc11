// The files of a sequencer (spec/02 R1 to R3) on a real directory: records, snapshot, marks and
// spare space, and which damage is a torn write, a loss, or the end of the start.
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

/// A temporary directory with access to its files.
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
  void put(const std::string& name, std::string_view data) const {
    std::ofstream(path + "/" + name, std::ios::binary) << data;
  }
  Result<std::unique_ptr<RaftStorage>> open() const {
    return RaftStorage::open(path, SequencerId{1}, "test");
  }
};

RaftEntry entry(std::uint64_t term, std::uint64_t index) {
  return {RaftTerm{term}, RaftIndex{index}, Bytes::copy_of("x")};
}
SaveRaft entries(std::uint64_t term, std::uint64_t first, std::uint64_t last) {
  SaveRaft s;
  for (std::uint64_t i = first; i <= last; ++i) s.entries.push_back(entry(term, i));
  return s;
}
/// A save of a snapshot alone.
SaveRaft snapshot(std::uint64_t term, std::uint64_t index) {
  SaveRaft s;
  s.has_snapshot = true;
  s.snapshot_index = RaftIndex{index};
  s.snapshot_term = RaftTerm{term};
  s.snapshot = Bytes::copy_of("state");
  return s;
}
/// Term and index of every entry, as "term:index ".
std::string shape(const RaftDisk& d) {
  std::string out;
  for (const RaftEntry& e : d.entries)
    out += std::to_string(e.term.value) + ":" + std::to_string(e.index.value) + " ";
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
    // A save that replaces the entries from index 3 on.
    SaveRaft cut = entries(2, 3, 3);
    cut.truncate_from = RaftIndex{3};
    REQUIRE((*s)->save(cut));
  }
  auto s = d.open();
  REQUIRE(s);
  CHECK((*s)->disk().hard_state == HardState{RaftTerm{1}, SequencerId{2}});
  CHECK(shape((*s)->disk()) == "1:1 1:2 2:3 ");
}

TEST_CASE("raft storage: a state whose identity is lost is damage and stays as it is (T4)") {
  Directory d;
  {
    auto s = d.open();
    REQUIRE(s);
    REQUIRE((*s)->save(entries(1, 1, 4)));
  }
  fs::remove(d.path + "/identity");
  const std::string log = d.get("raft.log");
  // The start must fail, and must leave the files as they are.
  const auto refused = [&] {
    auto s = d.open();
    REQUIRE_FALSE(s);
    CHECK(s.error().code == Errc::raft_damaged);
    CHECK(exit_code_of(s.error().code) == exit_identity);
    CHECK_FALSE(fs::exists(d.path + "/identity"));
  };
  SUBCASE("a log with records") {
    refused();
    CHECK(d.get("raft.log") == log);
  }
  SUBCASE("a snapshot beside a log without records") {
    d.put("raft.log", encode_raft_header({1, raft_header_size}).text());
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
  // The header alone holds no state, so nothing is lost.
  Directory d;
  d.put("raft.log", encode_raft_header({1, raft_header_size}).text());
  CHECK(d.open());
  CHECK(fs::exists(d.path + "/identity"));
}

TEST_CASE(
    "raft storage: killed between the snapshot and the log, only what follows the snapshot stays") {
  Directory d;
  std::string expected;
  // The snapshot is written before the log is written anew; a crash between the two leaves the old
  // log.
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
  d.put("raft.log", old_log);  // as if the log had not been written anew
  const std::uint64_t next = expected.empty() ? with.snapshot_index.value + 1 : 6;
  {
    auto s = d.open();
    REQUIRE(s);
    CHECK((*s)->disk().snapshot_index == with.snapshot_index);
    CHECK(shape((*s)->disk()) == expected);
    REQUIRE((*s)->save(entries(3, next, next)));
  }
  // An entry that was saved after that start is there at the next start.
  auto s = d.open();
  REQUIRE(s);
  CHECK(shape((*s)->disk()) == expected + "3:" + std::to_string(next) + " ");
}

TEST_CASE("raft storage: a log that begins behind the end of its snapshot is damage (T4)") {
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
  CHECK(s.error().code == Errc::raft_damaged);
}

namespace {

/// The end of the records in raft.log; zeros stand behind it.
std::size_t end_of_records(const std::string& log) {
  return log.find_last_not_of(std::string(1, 0)) + 1;
}

/// Makes a directory with five entries. With `idle` the mark covers all of them, otherwise four.
std::string five_entries(const Directory& d, bool idle) {
  auto s = d.open();
  REQUIRE(s);
  SaveRaft first = entries(1, 1, 4);
  first.hard_state = HardState{RaftTerm{1}, SequencerId{2}};
  REQUIRE((*s)->save(first));
  REQUIRE((*s)->save(entries(1, 5, 5)));
  CHECK((*s)->mark_is_behind());
  if (idle) REQUIRE((*s)->write_mark());
  CHECK((*s)->mark_is_behind() == !idle);
  return d.get("raft.log");
}

}  // namespace

TEST_CASE(
    "a raft.log that cannot be read ends the start and names the cure, it is no shorter log "
    "(C-4, K7)") {
  Directory d;
  five_entries(d, true);
  fs::rename(d.path + "/raft.log", d.path + "/aside");
  fs::create_directory(d.path + "/raft.log");  // a directory opens but gives no bytes
  const auto s = d.open();
  REQUIRE_FALSE(s);
  // K7: an error is not absence, and the sentence names the cure.
  CHECK(s.error().code == Errc::directory_unreadable);
  CHECK(s.error().detail.starts_with("cannot read from byte 0 on in " + d.path +
                                     "/raft.log: Is a directory; "));
  CHECK(s.error().detail.find("start the sequencer with an empty one") != std::string::npos);
  CHECK(fs::is_directory(d.path + "/raft.log"));
}

TEST_CASE("the newest record of an idle raft.log that rots is a loss, not a torn write (C-5)") {
  Directory d;
  std::string log = five_entries(d, true);
  log[end_of_records(log) - 1] ^= 4;
  d.put("raft.log", log);
  // A start that is killed before the core has decided changes nothing.
  for (int starts = 0; starts < 2; ++starts) {
    auto s = d.open();
    REQUIRE(s);
    CHECK((*s)->disk().lost_records);
    CHECK((*s)->disk().entries.empty());
    CHECK((*s)->loss().find("votes or entries are lost") != std::string::npos);
    CHECK(d.get("raft.log") == log);
  }
  // The core decides (C3) and saves: the loss is over and the old entries are gone.
  {
    auto s = d.open();
    REQUIRE(s);
    SaveRaft decided;
    decided.hard_state = HardState{RaftTerm{9}, SequencerId{3}};
    REQUIRE((*s)->save(decided));
    CHECK_FALSE((*s)->disk().lost_records);
  }
  auto s = d.open();
  REQUIRE(s);
  CHECK((*s)->loss().empty());
  CHECK((*s)->disk().hard_state == HardState{RaftTerm{9}, SequencerId{3}});
  CHECK((*s)->disk().entries.empty());
}

TEST_CASE("a raft.log that is cut short does not start in silence (F09)") {
  Directory d;
  const std::string log = five_entries(d, true);
  const std::size_t end = end_of_records(log);
  // The file ends inside or below the range that the mark covers: records are lost.
  for (const std::size_t size : {end - 1, end - 40, raft_header_size + 1, raft_header_size}) {
    d.put("raft.log", std::string_view(log).substr(0, size));
    const auto s = d.open();
    REQUIRE(s);
    CHECK((*s)->disk().lost_records);
  }
  // The file ends inside its header: damage.
  d.put("raft.log", std::string_view(log).substr(0, 2000));
  const auto s = d.open();
  REQUIRE_FALSE(s);
  CHECK(s.error().code == Errc::raft_damaged);
  // replace-disk is a command for storage nodes.
  CHECK(s.error().message().find("replace-disk") == std::string::npos);
}

TEST_CASE("raft storage: a torn write above the mark goes, with all bytes behind it") {
  Directory d;
  std::string log = five_entries(d, false);
  const std::size_t end = end_of_records(log);
  std::string two;
  append_record(two, entry(1, 6));
  append_record(two, entry(1, 7));
  two[0] ^= 1;  // a sector of the first record is missing, the second record is whole
  log.replace(end, two.size(), two);
  d.put("raft.log", log);
  {
    auto s = d.open();
    REQUIRE(s);
    CHECK_FALSE((*s)->disk().lost_records);
    CHECK(shape((*s)->disk()) == "1:1 1:2 1:3 1:4 1:5 ");
    CHECK_FALSE((*s)->mark_is_behind());
    // As long as the torn record, so the second record would fit behind it.
    REQUIRE((*s)->save(entries(2, 6, 6)));
  }
  auto s = d.open();
  REQUIRE(s);
  CHECK(shape((*s)->disk()) == "1:1 1:2 1:3 1:4 1:5 2:6 ");
}

TEST_CASE(
    "raft storage: without its newer mark the older one counts; without both nothing can be said") {
  Directory d;
  const std::string log = five_entries(d, true);
  // The slots' counters differ, so a single bad slot leaves the other mark.
  for (const std::size_t slot : {2048, 2560}) {
    std::string damaged = log;
    damaged[slot + 20] ^= 1;
    d.put("raft.log", damaged);
    const auto s = d.open();
    REQUIRE(s);
    CHECK(shape((*s)->disk()) == "1:1 1:2 1:3 1:4 1:5 ");
  }
  std::string damaged = log;
  damaged[2048 + 20] ^= 1;
  damaged[2560 + 20] ^= 1;
  d.put("raft.log", damaged);
  CHECK(d.open().error().code == Errc::raft_damaged);
}

TEST_CASE(
    "raft storage: space is reserved behind the records, and for the files that take the place of "
    "these (F12)") {
  Directory d;
  {
    auto s = d.open();
    REQUIRE(s);
    REQUIRE((*s)->save(entries(1, 1, 5)));
    CHECK_FALSE((*s)->lacks_space());
    REQUIRE((*s)->save(snapshot(1, 3)));
  }
  CHECK(fs::file_size(d.path + "/raft.log") >= raft_header_size + raft_reserve_bytes);
  CHECK(fs::file_size(d.path + "/raft.log.spare") >= raft_header_size + raft_reserve_bytes);
  CHECK(fs::file_size(d.path + "/snapshot.spare") >= snapshot_reserve_min);
  auto s = d.open();
  REQUIRE(s);
  CHECK(shape((*s)->disk()) == "1:4 1:5 ");
  CHECK((*s)->disk().snapshot.text() == "state");
}

TEST_CASE("raft storage: a save names the version of its records in the identity (T7_named)") {
  Directory d;
  auto s = d.open();
  REQUIRE(s);
  CHECK((*s)->disk().record_version == 1);
  SaveRaft raised = entries(1, 1, 2);
  raised.record_version = record_version_highest;
  REQUIRE((*s)->save(raised));
  CHECK(decode_identity(Bytes::copy_of(d.get("identity")).span())->record_version == 1);
  SaveRaft alone;
  alone.record_version = record_version_highest + 1;
  REQUIRE((*s)->save(alone));
  CHECK((*s)->disk().record_version == record_version_highest + 1);
  s->reset();
  const auto identity = decode_identity(Bytes::copy_of(d.get("identity")).span());
  REQUIRE(identity);
  CHECK(identity->record_version == record_version_highest + 1);
  CHECK(identity->cluster_name == "test");
  // The program that runs here reads no such records, so it does not start, and changes nothing.
  const std::string log = d.get("raft.log");
  const auto again = d.open();
  REQUIRE_FALSE(again);
  CHECK(again.error().code == Errc::newer_format);
  CHECK(again.error().detail.find("start the program that ran here before") != std::string::npos);
  CHECK(d.get("raft.log") == log);
}
