// The cluster's version as a sequencer keeps it (T7): which saves make the directory name a
// version, and which versions the other sequencers have said that they read.
#include "sequencer/core/cluster/cluster_version.h"

#include <doctest/doctest.h>

#include "sequencer/core/commands.h"
#include "sequencer/core/metadata.h"

using namespace loglog;
using namespace loglog::sequencer;

namespace {

/// A save of an entry whose command has that record version.
SaveRaft save_of(std::uint64_t ticket, std::uint8_t version) {
  SaveRaft s;
  s.ticket = ticket;
  s.entries = {{RaftTerm{1}, RaftIndex{ticket}, encode(Command(MarkOpen{LogId{3}}), version)}};
  return s;
}

}  // namespace

TEST_CASE("cluster version: a save names the version of its records before it is made (T7_named)") {
  ClusterVersion v(1);
  SaveRaft first = save_of(1, 1), second = save_of(2, 2);
  v.mark(first);
  v.mark(second);
  CHECK(first.record_version == 0);
  CHECK(second.record_version == 2);
  CHECK_FALSE(v.saved(1));
  CHECK(v.named() == 1);
  CHECK_FALSE(v.saved(2));
  CHECK(v.named() == 2);
}

TEST_CASE("cluster version: a snapshot counts like an entry (T7_named)") {
  MetadataState m(2);
  m.apply(RaftIndex{1}, RaiseVersion{2});
  SaveRaft s;
  s.has_snapshot = true;
  s.snapshot = m.snapshot();
  ClusterVersion v(1);
  v.mark(s);
  CHECK(s.record_version == 2);
}

TEST_CASE("cluster version: the directory is made to name a version once (T7)") {
  ClusterVersion v(1);
  CHECK_FALSE(v.name(1).has_value());
  const auto save = v.name(2);
  REQUIRE(save.has_value());
  CHECK(save->record_version == 2);
  CHECK_FALSE(v.name(2).has_value());
  CHECK(v.named() == 1);
  CHECK(v.saved(save->ticket));
  CHECK(v.named() == 2);
  CHECK_FALSE(v.saved(5));  // a save of Raft
  CHECK_FALSE(ClusterVersion(2).name(2).has_value());
}

TEST_CASE("cluster version: a word counts over the link on which it was said (T7_read)") {
  ClusterVersion v(1);
  const SequencerId peer{2};
  CHECK(v.cannot_read(peer, ConnectionId{}, 2) == "sequencer 2 is not connected");
  CHECK(v.cannot_read(peer, ConnectionId{7}, 2) ==
        "sequencer 2 has not said yet which version it reads");
  v.said(peer, ConnectionId{7}, 0);
  CHECK(v.cannot_read(peer, ConnectionId{7}, 2) == "sequencer 2 reads up to version 1");
  v.said(peer, ConnectionId{7}, 2);
  CHECK(v.cannot_read(peer, ConnectionId{7}, 2).empty());
  CHECK_FALSE(v.cannot_read(peer, ConnectionId{8}, 2).empty());
}
