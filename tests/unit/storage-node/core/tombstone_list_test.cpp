// The list of dropped logs (spec/02 P2, T5): an id is durable before its log's folder goes, and the
// list stays bounded.
#include "storage-node/core/tombstone_list.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace loglog;
using namespace loglog::storage;

namespace {

/// A list with a disk that the test plays.
struct Bench {
  Bench() : node(Options{}, 1), list(node) {}
  /// Writes that wait for the disk.
  std::size_t saves() const { return node.out.disk.size(); }
  /// Ends the oldest write; `file` then holds its slot.
  void finish() {
    const DiskRequest r = node.out.disk.front();
    node.out.disk.erase(node.out.disk.begin());
    const auto& save = std::get<SaveTombstones>(r.operation);
    file.resize(tombstones_file_size);
    std::copy_n(save.slot.data(), save.slot.size(),
                file.data() + (save.counter % 2) * tombstones_slot_size);
    DiskDone done{r.ticket, Errc::ok, {}, {}};
    node.disk_done(done);
  }
  Node node;
  TombstoneList list;
  std::vector<std::byte> file;
};

}  // namespace

TEST_CASE(
    "tombstones: a log's folder may go once its id is durable; logs dropped meanwhile share the "
    "next write (T5)") {
  Bench b;
  std::string gone;
  b.list.add(LogId{5}, [&] { gone += "5 "; });
  b.list.add(LogId{3}, [&] { gone += "3 "; });
  b.list.add(LogId{9}, [&] { gone += "9 "; });
  // The first write is under way, so the ids that come meanwhile share the next.
  CHECK(b.saves() == 1);
  CHECK(gone.empty());
  b.finish();
  CHECK(gone == "5 ");
  REQUIRE(b.saves() == 1);
  b.finish();
  CHECK(gone == "5 3 9 ");
  CHECK(b.saves() == 0);
  const auto found = decode_tombstones(b.file);
  REQUIRE(found);
  CHECK(found->ids == std::vector{LogId{3}, LogId{5}, LogId{9}});
  CHECK(b.list.names(LogId{5}));
  CHECK_FALSE(b.list.forbids(LogId{4}));
}

TEST_CASE("tombstones: a slot that is torn leaves the older one") {
  Bench b;
  b.list.add(LogId{5}, [] {});
  b.finish();
  b.list.add(LogId{6}, [] {});
  b.finish();
  CHECK(decode_tombstones(b.file)->ids.size() == 2);
  b.file[36] ^= std::byte{1};  // the slot of the second write, whose counter is even
  CHECK(decode_tombstones(b.file)->ids == std::vector{LogId{5}});
  b.file[tombstones_slot_size + 36] ^= std::byte{1};
  CHECK_FALSE(decode_tombstones(b.file));
  CHECK_FALSE(decode_tombstones(ByteSpan(b.file).first(10)));
}

TEST_CASE("deleted logs do not grow the list for ever: the older half becomes one number (Z15)") {
  Bench b;
  for (std::uint64_t id = 1; id <= tombstones_max + 1; ++id) {
    b.list.add(LogId{10 * id}, [] {});
    b.finish();
  }
  CHECK(b.list.size() == tombstones_max / 2 + 1);
  CHECK(b.list.forbids(LogId{10}));
  CHECK(b.list.forbids(LogId{15}));  // below the floor: the id of an older log
  CHECK_FALSE(b.list.names(LogId{10}));
  CHECK_FALSE(b.list.forbids(LogId{10 * (tombstones_max + 1) + 1}));
  // C1: a disk that takes another's place joins old logs, which the metadata name.
  LogInfo old;
  old.id = LogId{15};
  b.node.metadata.logs.push_back(old);
  CHECK_FALSE(b.list.forbids(LogId{15}));
  const auto found = decode_tombstones(b.file);
  REQUIRE(found);
  CHECK(found->floor == LogId{10 * tombstones_max / 2});
}
