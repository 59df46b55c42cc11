// A node's identity at the start and afterwards (T4): a new disk, a lost identity or promise, an
// older copy of a directory, and the cluster that a node joins.
#include "storage-node/core/node_identity.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>

using namespace loglog;
using namespace loglog::storage;

namespace {

/// A disk that has the node-wide files alone, and folders of logs by name.
struct Files : StartupDisk {
  std::map<std::string, Bytes> named;
  std::vector<LogId> folders;
  Result<std::vector<LogId>> logs() override { return folders; }
  Result<LogFiles> files_of(LogId) override { return LogFiles{}; }
  Result<std::vector<Offset>> segments_of(LogId) override { return std::vector<Offset>{}; }
  Result<Bytes> read(LogId, Offset, std::uint64_t, std::uint32_t) override { return Bytes{}; }
  Result<std::uint64_t> file_size(LogId, Offset) override { return 0; }
  Result<Bytes> file(const std::string& name) override { return named[name]; }
};

Options of_node(std::uint32_t id) {
  Options o;
  o.id = NodeId{id};
  o.cluster_name = "test";
  return o;
}

struct Bench {
  explicit Bench(std::uint32_t id = 1) : node(of_node(id), 1), identity(node) {}
  Node node;
  NodeIdentity identity;
};

/// The identity file of node 1 on disk 5, in cluster 9.
Bytes saved_identity() {
  return encode_identity(
      {ClusterId{9}, DiskId{5}, 1, static_cast<std::uint8_t>(Role::storage), "test"});
}

/// A promise file whose newest slot has the count.
Bytes saved_promise(std::uint64_t count) {
  const Bytes slot = encode_promise({count, Term{3}, InstanceId{4}});
  Bytes file = Bytes::allocate(promise_file_size);
  std::fill_n(file.mutable_data(), file.size(), std::byte{0});
  std::copy_n(slot.data(), slot.size(), file.mutable_data() + (count % 2) * promise_slot_size);
  return file;
}

/// Metadata in which disk 5 of node 1 has the count.
ClusterMetadata registered(std::uint64_t count) {
  StorageInfo s;
  s.id = NodeId{1};
  s.disk = DiskId{5};
  s.promise_count = count;
  ClusterMetadata m;
  m.storage = {s};
  return m;
}

}  // namespace

TEST_CASE("identity: an empty disk is new, unless it has logs (T4)") {
  Files disk;
  Bench fresh;
  CHECK(*fresh.identity.start(disk));
  CHECK_FALSE(fresh.identity.durable());
  CHECK(fresh.node.identity.disk != DiskId{});
  CHECK_FALSE(fresh.node.data_loss);
  disk.folders = {LogId{7}};
  Bench lost;
  CHECK(*lost.identity.start(disk));
  CHECK(lost.node.data_loss);
}

TEST_CASE("identity: a directory of another node ends the start") {
  Files disk;
  disk.named["identity"] = saved_identity();
  disk.named["promise"] = saved_promise(6);
  Bench other(2);
  const auto started = other.identity.start(disk);
  REQUIRE_FALSE(started);
  CHECK(started.error().code == Errc::wrong_identity);
  Bench own;
  CHECK_FALSE(*own.identity.start(disk));
  CHECK(own.identity.durable());
  CHECK(own.identity.promise.held().term == Term{3});
  CHECK(own.identity.hello().cluster == ClusterId{9});
}

TEST_CASE("identity: an identity without a readable promise is data loss (T4)") {
  Files disk;
  disk.named["identity"] = saved_identity();
  Bench b;
  CHECK_FALSE(*b.identity.start(disk));
  CHECK(b.node.data_loss);
  CHECK(b.node.out.events.size() == 1);
}

TEST_CASE("identity: a directory with fewer promise writes than registered is a copy (T4)") {
  Files disk;
  disk.named["identity"] = saved_identity();
  disk.named["promise"] = saved_promise(6);
  Bench b;
  REQUIRE(b.identity.start(disk));
  CHECK_FALSE(b.identity.is_older_copy(registered(6)));
  CHECK(b.identity.is_older_copy(registered(7)));
  CHECK(b.identity.count_start());
  CHECK_FALSE(b.identity.count_start());
  CHECK_FALSE(b.identity.is_older_copy(registered(7)));
}

TEST_CASE("identity: a node joins the first cluster of its name that is named, and stays (T4)") {
  Files disk;
  Bench b;
  REQUIRE(b.identity.start(disk));
  CHECK_FALSE(b.identity.adopt(ClusterId{}, "test"));
  CHECK_FALSE(b.identity.adopt(ClusterId{9}, "other"));
  CHECK(b.identity.adopt(ClusterId{9}, "test"));
  CHECK_FALSE(b.identity.adopt(ClusterId{8}, "test"));
  CHECK(b.node.identity.cluster == ClusterId{9});
}

TEST_CASE(
    "identity: a disk that the metadata names as lost stays lost, and a single alarm tells it "
    "(T4)") {
  Files disk;
  disk.named["identity"] = saved_identity();
  disk.named["promise"] = saved_promise(6);
  Bench b;
  REQUIRE(b.identity.start(disk));
  b.node.metadata = registered(6);
  b.identity.heed_loss();
  CHECK_FALSE(b.node.data_loss);
  b.node.metadata.storage[0].lost = true;
  b.identity.heed_loss();
  b.identity.heed_loss();
  CHECK(b.node.data_loss);
  CHECK(b.node.out.events.size() == 1);
}

TEST_CASE("identity: a directory that names a later version ends the start (T7_start)") {
  Files disk;
  disk.named["identity"] = encode_identity(
      {ClusterId{9}, DiskId{5}, 1, static_cast<std::uint8_t>(Role::storage), "test", 2});
  disk.named["promise"] = saved_promise(6);
  Bench older;
  const auto started = older.identity.start(disk);
  REQUIRE_FALSE(started);
  CHECK(started.error().code == Errc::newer_format);
  CHECK(started.error().detail.find("records here are of version 2, this program reads up to "
                                    "version 1") != std::string::npos);
  Options o = of_node(1);
  o.record_version_highest = 2;
  Node node(o, 1);
  NodeIdentity identity(node);
  REQUIRE(identity.start(disk));
  CHECK(node.identity.record_version == 2);
  CHECK(identity.version_is_durable());
}

TEST_CASE("identity: a version counts once its write is durable, and never falls (T7_named)") {
  Files disk;
  disk.named["identity"] = saved_identity();
  disk.named["promise"] = saved_promise(6);
  Bench b;
  REQUIRE(b.identity.start(disk));
  CHECK_FALSE(b.identity.name_version(0));
  CHECK(b.identity.name_version(2));
  CHECK_FALSE(b.identity.version_is_durable());
  CHECK_FALSE(b.identity.name_version(2));
  b.identity.saved(1);  // a write that was under way
  CHECK_FALSE(b.identity.version_is_durable());
  b.identity.saved(2);
  CHECK(b.identity.version_is_durable());
  CHECK_FALSE(b.identity.name_version(1));
  CHECK(b.node.identity.record_version == 2);
}

TEST_CASE("identity: an unreadable identity is not written anew for a version (T4, T7)") {
  Files disk;
  disk.named["identity"] = Bytes::copy_of("rotten");
  Bench b;
  REQUIRE(b.identity.start(disk));
  CHECK(b.node.data_loss);
  CHECK_FALSE(b.identity.name_version(2));
}
