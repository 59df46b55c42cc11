// The directory of segments under system errors (K7): an error is not absence, and a lack of
// descriptors is neither a failed disk (K2) nor a full disk (K5).
#include "storage-node/io/posix_segment_directory.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>

#include "proto-spec/disk/segment.h"
#include "proto-spec/disk/tombstones.h"
#include "storage-node/core/storage_machine.h"

using namespace loglog;
using namespace loglog::storage;
namespace fs = std::filesystem;

namespace {

constexpr LogId log_1{1};
constexpr std::uint64_t file_size = 64u << 10;

/// While the object lives, the process cannot open any file: the limit on descriptors is the next
/// free number.
class NoDescriptors {
 public:
  NoDescriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const int next = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    REQUIRE(next >= 0);
    ::close(next);
    const rlimit none{static_cast<rlim_t>(next), before_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  }
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  rlimit before_{};
};

/// A directory with helpers; the destructor deletes it.
struct Bench {
  fs::path path;
  std::unique_ptr<SegmentDirectory> directory;
  Bench() {
    char name[] = "/tmp/loglog-directory-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    path = name;
    reopen();
  }
  ~Bench() {
    directory.reset();
    fs::remove_all(path);
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;
  void reopen() {
    directory.reset();
    auto d = SegmentDirectory::open(path.string());
    REQUIRE(d);
    directory = std::move(*d);
  }
  void must(const DiskOperation& op) {
    const auto o = directory->perform(op);
    CHECK_MESSAGE(o.error == Errc::ok, o.detail);
  }
  void make_log() {
    must(MakeLog{log_1, Bytes::copy_of("info")});
    must(PrepareNext{log_1, file_size, true});
    must(OpenSegment{log_1, Offset{0},
                     encode_segment_header({ClusterId{5}, log_1, Offset{0}, Chain{}})});
  }
};

}  // namespace

TEST_CASE("a directory that cannot be listed ends the start, it is no empty log (C-3, K7)") {
  Bench n;
  n.make_log();
  n.reopen();
  {
    const NoDescriptors none;
    const auto segments = n.directory->segments_of(log_1);
    REQUIRE_FALSE(segments);
    CHECK(segments.error().code == Errc::directory_unreadable);
    CHECK(segments.error().detail ==
          "cannot list " + (n.path / "logs/1").string() + ": Too many open files");
    CHECK_FALSE(n.directory->logs());
    CHECK_FALSE(n.directory->files_of(log_1));
    CHECK_FALSE(n.directory->make_durable());
    // io_error stands for bytes that the medium does not give (K3), which is another case.
    CHECK(n.directory->read(log_1, Offset{0}, 0, 100).error().code != Errc::io_error);
  }
  CHECK(n.directory->segments_of(log_1).value() == std::vector<Offset>{Offset{0}});
  // A missing folder of logs is an error too.
  fs::rename(n.path / "logs", n.path / "elsewhere");
  CHECK_FALSE(n.directory->logs());
}

TEST_CASE("the size of a file that cannot be told is an error, not zero (C-3)") {
  Bench n;
  n.make_log();
  CHECK(n.directory->file_size(log_1, Offset{0}).value() == file_size);
  const auto size = n.directory->file_size(log_1, Offset{7});
  REQUIRE_FALSE(size);
  CHECK(size.error().code == Errc::directory_unreadable);
}

TEST_CASE("an identity that cannot be read makes no new one (C-3)") {
  Bench n;
  n.must(SaveFile{"identity", Bytes::copy_of("whoever it was")});
  const NoDescriptors none;
  StorageMachine machine(Options{}, 1);
  const auto started = machine.start(Time{}, *n.directory);
  REQUIRE_FALSE(started);
  CHECK(started.error().code == Errc::directory_unreadable);
  CHECK(started.error().detail ==
        "cannot open " + (n.path / "identity").string() + ": Too many open files");
  CHECK(machine.output().disk.empty());
}

TEST_CASE(
    "a lack of descriptors is neither a failed disk nor a full one, and the operation can be done "
    "again (Z9, F03)") {
  Bench n;
  n.make_log();
  n.must(PrepareNext{log_1, file_size, true});
  n.reopen();
  const Bytes frames = Bytes::allocate(100);
  // Each kind of operation, in an order in which each can succeed.
  const std::vector<DiskOperation> operations = {
      OpenSegment{log_1, Offset{4096},
                  encode_segment_header({ClusterId{5}, log_1, Offset{4096}, Chain{}})},
      WriteGroup{log_1, Offset{4096}, segment_header_size, {frames}, 0, {}, true},
      RepairSegment{log_1, Offset{4096}, segment_header_size, frames},
      ReadSegment{log_1, Offset{4096}, segment_header_size, 100},
      GrowSegment{log_1, Offset{4096}, 2 * file_size, true},
      CloseSegment{log_1, Offset{4096}, 100},
      TruncateLog{log_1, false, Offset{4096}, 0},
      UnlinkSegments{log_1, {Offset{0}}, false},
      SavePromise{log_1, 1, encode_promise({1, Term{1}, InstanceId{1}})},
      SavePromise{LogId{}, 1, encode_promise({1, Term{1}, InstanceId{1}})},
      SaveFile{"identity", frames},
      PrepareNext{log_1, file_size, true},
      MakeLog{LogId{2}, frames},
      SaveTombstones{1, encode_tombstones({1, {}, {log_1}})},
      DropLog{log_1},
  };
  for (const DiskOperation& op : operations) {
    CAPTURE(op.index());
    n.reopen();  // so that no descriptor is open from before
    {
      const NoDescriptors none;
      const auto refused = n.directory->perform(op);
      CHECK(refused.error == Errc::too_many);
      CHECK(refused.detail.ends_with(": Too many open files"));
    }
    n.must(op);
  }
}
