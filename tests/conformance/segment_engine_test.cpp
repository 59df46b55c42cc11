// The suite that every file engine passes (worker threads and io_uring, each with direct I/O and
// with the page cache): the same operations give the same files and the same answers.
// Each case runs on a temporary directory with a real event loop. If the kernel forbids io_uring,
// its suite is skipped with a message.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>

#include "proto-spec/disk/segment.h"
#include "proto-spec/transport/uv_loop.h"
#include "storage-node/io/posix_segment_directory.h"
#include "storage-node/io/uring_segment_file.h"

using namespace loglog;
using namespace loglog::storage;
namespace fs = std::filesystem;

namespace {

constexpr LogId log_1{1};
constexpr std::uint64_t file_size = 256u << 10;

/// An engine on a temporary directory. The destructor deletes the directory.
class Bench {
 public:
  Bench(bool uring, bool direct) : uring_(uring), direct_(direct) {
    char name[] = "/tmp/loglog-engine-XXXXXX";
    path = ::mkdtemp(name);
    reopen();
  }
  ~Bench() {
    engine.reset();
    directory.reset();
    fs::remove_all(path);
  }
  /// Closes directory and engine and opens both again, as a restart of the node does.
  void reopen() {
    engine.reset();
    directory.reset();
    auto d = SegmentDirectory::open(path.string(), direct_, 4 * file_size);
    REQUIRE(d);
    directory = std::move(*d);
    const auto post = [this](std::function<void()> work) { loop.post(std::move(work)); };
    const auto watch = [this](int descriptor, std::function<void()> work) {
      return loop.watch(descriptor, std::move(work));
    };
    engine =
        uring_ ? make_uring_engine(*directory, watch, post) : make_thread_engine(*directory, post);
  }
  /// Runs the loop until the operation's answer has come.
  FileEngine::Outcome run(DiskOperation op) {
    FileEngine::Outcome outcome{Errc::unavailable, "no answer came", {}};
    engine->start(std::move(op), [&](FileEngine::Outcome o) {
      outcome = std::move(o);
      loop.stop();
    });
    engine->submit();
    loop.run();
    return outcome;
  }
  /// Runs an operation that must succeed.
  void must(DiskOperation op) {
    const auto o = run(std::move(op));
    CHECK_MESSAGE(o.error == Errc::ok, o.detail);
  }
  /// The file of log 1's segment that begins at `first` (G1).
  fs::path segment(Offset first) const { return path / "logs/1" / segment_file_name(first); }

  fs::path path;
  transport::Loop loop;
  std::unique_ptr<SegmentDirectory> directory;
  std::unique_ptr<FileEngine> engine;

 private:
  bool uring_;
  bool direct_;
};

/// Bytes with a recognisable content for each seed; 251 is prime, so shifts by whole blocks show.
Bytes pattern(std::size_t size, unsigned char seed) {
  Bytes b = Bytes::allocate(size);
  for (std::size_t i = 0; i < size; ++i)
    b.mutable_data()[i] = static_cast<std::byte>(seed + i % 251);
  return b;
}

Bytes header_of(Offset first) {
  return encode_segment_header({ClusterId{5}, log_1, first, Chain{}});
}

void suite(bool uring, bool direct) {
  Bench b(uring, direct);
  if (!b.engine) {
    MESSAGE("io_uring is forbidden here; its suite is left out");
    return;
  }
  CAPTURE(b.engine->name());
  b.must(MakeLog{log_1, Bytes::copy_of("info")});
  b.must(PrepareNext{log_1, file_size, true});
  b.must(OpenSegment{log_1, Offset{0}, header_of(Offset{0})});
  CHECK(fs::file_size(b.segment(Offset{0})) == file_size);

  SUBCASE("a group of many buffers with marks, read back") {
    std::vector<Bytes> buffers;
    for (int i = 0; i < 1500; ++i)
      buffers.push_back(
          pattern(static_cast<std::size_t>(i % 90 + 1), static_cast<unsigned char>(i)));
    std::string whole;
    for (const Bytes& x : buffers) whole += x.text();
    b.must(WriteGroup{log_1, Offset{0}, segment_header_size, buffers, marks_slot_at[1],
                      encode_marks({1, Offset{9}, Chain{3}, Offset{8}}), true});
    const auto r = b.run(ReadSegment{log_1, Offset{0}, segment_header_size,
                                     static_cast<std::uint32_t>(whole.size())});
    CHECK(r.error == Errc::ok);
    CHECK(r.data.text() == whole);
    const auto header = b.run(ReadSegment{log_1, Offset{0}, 0, segment_header_size});
    CHECK(decode_segment_header(header.data).value().cluster == ClusterId{5});
    CHECK(decode_marks(header.data)->durable == Offset{9});
  }
  SUBCASE("unsynced groups, empty groups, reads past the end and of no file") {
    b.must(WriteGroup{log_1, Offset{0}, segment_header_size, {pattern(100, 1)}, 0, {}, false});
    b.must(WriteGroup{log_1, Offset{0}, segment_header_size, {}, 0, {}, true});
    CHECK(b.run(ReadSegment{log_1, Offset{0}, file_size - 10, 100}).data.size() == 10);
    CHECK(b.run(ReadSegment{log_1, Offset{0}, file_size + 10, 100}).data.size() == 0);
    CHECK(b.run(ReadSegment{log_1, Offset{777}, 0, 100}).error == Errc::io_error);
    CHECK(b.run(WriteGroup{log_1, Offset{777}, 0, {pattern(1, 1)}, 0, {}, true}).error ==
          Errc::io_error);
  }
  SUBCASE("truncating zeroes what is past the tail, keeps the size, drops later files") {
    b.must(WriteGroup{log_1, Offset{0}, segment_header_size, {pattern(5000, 1)}, 0, {}, true});
    b.must(PrepareNext{log_1, file_size});
    b.must(OpenSegment{log_1, Offset{5000}, header_of(Offset{5000})});
    b.must(TruncateLog{log_1, false, Offset{0}, 1234});
    CHECK(!fs::exists(b.segment(Offset{5000})));
    CHECK(fs::file_size(b.segment(Offset{0})) == file_size);
    const auto r = b.run(ReadSegment{log_1, Offset{0}, segment_header_size, 5000});
    CHECK(r.data.slice(0, 1234) == pattern(5000, 1).slice(0, 1234));
    CHECK(r.data.text().substr(1234).find_first_not_of('\0') == std::string_view::npos);
    b.must(TruncateLog{log_1, true, {}, 0});
    CHECK(b.directory->segments_of(log_1)->empty());
  }
  SUBCASE("a prepared file is taken; closing cuts; unlinking and dropping") {
    b.must(PrepareNext{log_1, file_size});
    CHECK(fs::exists(b.path / "logs/1/next"));
    b.must(CloseSegment{log_1, Offset{0}, 40});
    CHECK(fs::file_size(b.segment(Offset{0})) == segment_header_size + 40);
    b.must(OpenSegment{log_1, Offset{40}, header_of(Offset{40})});
    CHECK(!fs::exists(b.path / "logs/1/next"));
    CHECK(b.directory->segments_of(log_1).value() == std::vector{Offset{0}, Offset{40}});
    b.must(UnlinkSegments{log_1, {Offset{0}}});
    CHECK(b.directory->segments_of(log_1).value() == std::vector{Offset{40}});
    b.must(DropLog{log_1});
    CHECK(b.directory->logs()->empty());
    CHECK(!fs::exists(b.path / "logs/1"));
    b.must(DropLog{log_1});  // a drop that is repeated succeeds
  }
  SUBCASE(
      "the file of a trimmed segment is written again, larger and with its bytes in it; one that "
      "is being read is not (K6)") {
    b.must(WriteGroup{log_1, Offset{0}, segment_header_size, {pattern(200'000, 1)}, 0, {}, true});
    b.must(CloseSegment{log_1, Offset{0}, 200'000});
    b.must(PrepareNext{log_1, file_size});
    b.must(OpenSegment{log_1, Offset{200'000}, header_of(Offset{200'000})});
    // `again` says whether the trimmed file may be written again. A file that somebody reads or has
    // linked must keep its bytes.
    bool again = true;
    SUBCASE("trimmed") { b.must(UnlinkSegments{log_1, {Offset{0}}, true}); }
    SUBCASE("trimmed, and the node begins anew") {
      b.must(UnlinkSegments{log_1, {Offset{0}}, true});
      b.reopen();
    }
    SUBCASE("not trimmed") {
      b.must(UnlinkSegments{log_1, {Offset{0}}, false});
      again = false;
    }
    std::ifstream reader;
    SUBCASE("trimmed, and somebody reads") {
      reader.open(b.segment(Offset{0}), std::ios::binary);
      b.must(UnlinkSegments{log_1, {Offset{0}}, true});
      again = false;
    }
    SUBCASE("trimmed, and it has another name, in a backup") {
      fs::create_hard_link(b.segment(Offset{0}), b.path / "backup");
      b.must(UnlinkSegments{log_1, {Offset{0}}, true});
      again = false;
    }
    SUBCASE("there is no space for anything else") {
      b.must(UnlinkSegments{log_1, {Offset{0}}, true});
      CHECK(b.run(PrepareNext{log_1, std::uint64_t{1} << 60}).error != Errc::ok);
      // The file is kept if the file system refuses the size at once, without trying to reserve it.
      again = !fs::is_empty(b.path / "spare");
    }
    b.must(PrepareNext{log_1, file_size});
    b.must(OpenSegment{log_1, Offset{400'000}, header_of(Offset{400'000})});
    // A file that is written again still holds the old bytes behind its header; a fresh file holds
    // zeros.
    CHECK(fs::file_size(b.segment(Offset{400'000})) >= file_size);
    const Bytes rest =
        b.run(ReadSegment{log_1, Offset{400'000}, segment_header_size, file_size}).data;
    CHECK(rest.text().substr(0, 200'000) ==
          (again ? pattern(200'000, 1).text() : std::string(200'000, '\0')));
    CHECK(rest.text().substr(200'000).find_first_not_of('\0') == std::string_view::npos);
    CHECK(decode_segment_header(
              b.run(ReadSegment{log_1, Offset{400'000}, 0, segment_header_size}).data)
              ->first == Offset{400'000});
    b.must(
        WriteGroup{log_1, Offset{400'000}, segment_header_size, {pattern(5000, 7)}, 0, {}, true});
    // The reader's or the backup's copy of the old file is untouched.
    if (fs::exists(b.path / "backup")) reader.open(b.path / "backup", std::ios::binary);
    if (reader.is_open()) {
      const std::string kept{std::istreambuf_iterator<char>(reader), {}};
      CHECK(kept.substr(segment_header_size) == pattern(200'000, 1).text());
    }
    CHECK(b.run(ReadSegment{log_1, Offset{400'000}, segment_header_size, 5000}).data ==
          pattern(5000, 7));
  }
  SUBCASE("a full disk: asking for space fails and changes nothing; what was reserved is written") {
    // No disk has this much space, so every disk answers as a full disk does.
    constexpr std::uint64_t too_much = std::uint64_t{1} << 60;
    // K5: a failed request for space leaves no file behind and changes no size.
    b.must(PrepareNext{log_1, file_size});
    CHECK(b.run(PrepareNext{log_1, too_much}).error != Errc::ok);
    CHECK(fs::file_size(b.path / "logs/1/next") == file_size);
    CHECK_FALSE(fs::exists(b.path / "logs/1/preparing"));
    CHECK(b.run(GrowSegment{log_1, Offset{0}, too_much}).error != Errc::ok);
    CHECK(fs::file_size(b.segment(Offset{0})) == file_size);
    // Growing reserves space; a request for less than the file has changes nothing.
    b.must(GrowSegment{log_1, Offset{0}, 2 * file_size});
    CHECK(fs::file_size(b.segment(Offset{0})) == 2 * file_size);
    b.must(GrowSegment{log_1, Offset{0}, file_size});
    CHECK(fs::file_size(b.segment(Offset{0})) == 2 * file_size);
    b.must(OpenSegment{log_1, Offset{40}, header_of(Offset{40})});
    b.must(WriteGroup{log_1, Offset{40}, segment_header_size, {pattern(100, 1)}, 0, {}, true});
  }
  SUBCASE("groups of all sizes, one behind the other, between cuts, repairs and growth") {
    std::string frames;
    unsigned char seed = 0;
    // Appends a group of two buffers with alternating mark slots, at the current end.
    const auto append = [&](std::size_t size) {
      const Bytes x = pattern(size, ++seed);
      std::vector<Bytes> buffers = {x.slice(0, size / 3), x.slice(size / 3, size - size / 3)};
      b.must(WriteGroup{log_1, Offset{0}, segment_header_size + frames.size(), std::move(buffers),
                        marks_slot_at[seed % 2],
                        encode_marks({seed, Offset{frames.size()}, Chain{seed}, Offset{}}), true});
      frames += x.text();
    };
    // Compares the file with the expected frames; zeros must follow the frames.
    const auto check_file = [&] {
      std::ifstream in(b.segment(Offset{0}), std::ios::binary);
      const std::string file{std::istreambuf_iterator<char>(in), {}};
      REQUIRE(file.size() >= segment_header_size + frames.size());
      CHECK(file.compare(segment_header_size, frames.size(), frames) == 0);
      CHECK(file.find_first_not_of('\0', segment_header_size + frames.size()) == std::string::npos);
      CHECK(decode_segment_header(
                ByteSpan(reinterpret_cast<const std::byte*>(file.data()), segment_header_size))
                .has_value());
      CHECK(decode_marks(
                ByteSpan(reinterpret_cast<const std::byte*>(file.data()), segment_header_size))
                ->counter == seed);
    };
    // Sizes around a block of 4096 bytes: the engine must rewrite partial blocks correctly.
    for (const std::size_t size : {3, 4093, 4096, 1, 8191, 20'000, 4095, 40}) append(size);
    check_file();
    // A group without frames writes marks alone.
    b.must(WriteGroup{log_1,
                      Offset{0},
                      segment_header_size + frames.size(),
                      {},
                      marks_slot_at[0],
                      encode_marks({seed, {}, {}, {}}),
                      true});
    append(100);
    // A cut inside a block, then appends behind it.
    b.must(TruncateLog{log_1, false, Offset{0}, 5000});
    frames.resize(5000);
    append(300);
    check_file();
    // A repair inside written frames must not disturb the block that the next group rewrites.
    b.must(RepairSegment{log_1, Offset{0}, segment_header_size + 5100, pattern(50, 77)});
    frames.replace(5100, 50, pattern(50, 77).text());
    append(7);
    b.must(GrowSegment{log_1, Offset{0}, 2 * file_size + 5});
    append(file_size);
    check_file();
  }
  SUBCASE("a log is dropped while its next segment is being prepared") {
    // Guards a race that ended a node: DropLog met the file `preparing` at the moment at which it
    // became `next`.
    for (int i = 0; i < 50; ++i) {
      const LogId log{100 + static_cast<std::uint64_t>(i)};
      b.must(MakeLog{log, Bytes::copy_of("info")});
      int left = 2;
      std::vector<FileEngine::Outcome> outcomes;
      const auto done = [&](FileEngine::Outcome o) {
        outcomes.push_back(std::move(o));
        if (--left == 0) b.loop.stop();
      };
      b.engine->start(PrepareNext{log, static_cast<std::uint64_t>(1 + i % 5) * 4096}, done);
      b.engine->start(DropLog{log}, done);
      b.engine->submit();
      b.loop.run();
      for (const auto& o : outcomes) CHECK_MESSAGE(o.error == Errc::ok, o.detail);
      const fs::path folder = b.path / "logs" / std::to_string(log.value);
      CHECK_FALSE(fs::exists(folder));
    }
  }
  SUBCASE("many logs at once, more than a ring has room for: each log's groups in their order") {
    constexpr std::uint64_t logs = 150, groups = 5;
    constexpr std::size_t size = 700;
    std::uint64_t left = logs;
    const auto group_of = [](std::uint64_t i, std::uint64_t n) {
      return pattern(size, static_cast<unsigned char>(7 * i + n));
    };
    // Starts the next operation of log `i`, of which `n` have ended: make, prepare, open, then
    // groups. 150 logs exceed the ring, so that submission must wait and keep each log's order.
    std::function<void(std::uint64_t, std::uint64_t)> go_on = [&](std::uint64_t i,
                                                                  std::uint64_t n) {
      const LogId log{1000 + i};
      const std::uint64_t at = n < 3 ? 0 : (n - 3) * size;
      DiskOperation op = MakeLog{log, Bytes::copy_of("info")};
      if (n == 1) op = PrepareNext{log, file_size, true};
      else if (n == 2) op = OpenSegment{log, Offset{0}, header_of(Offset{0})};
      else if (n > 2)
        op = WriteGroup{log,
                        Offset{0},
                        segment_header_size + at,
                        {group_of(i, n - 3)},
                        marks_slot_at[n % 2],
                        encode_marks({n, Offset{at}, Chain{3}, Offset{}}),
                        true};
      b.engine->start(std::move(op), [&, i, n](FileEngine::Outcome o) {
        CHECK_MESSAGE(o.error == Errc::ok, o.detail);
        if (n + 1 < 3 + groups && o.error == Errc::ok) go_on(i, n + 1);
        else if (--left == 0) b.loop.stop();
        b.engine->submit();
      });
    };
    for (std::uint64_t i = 0; i < logs; ++i) go_on(i, 0);
    b.engine->submit();
    b.loop.run();
    // Each log holds its groups in order, and its marks name the end before the last group.
    for (std::uint64_t i = 0; i < logs; ++i) {
      const auto r =
          b.run(ReadSegment{LogId{1000 + i}, Offset{0}, segment_header_size, groups * size});
      REQUIRE(r.data.size() == groups * size);
      for (std::uint64_t n = 0; n < groups; ++n)
        CHECK(r.data.slice(n * size, size) == group_of(i, n));
      const auto header = b.run(ReadSegment{LogId{1000 + i}, Offset{0}, 0, segment_header_size});
      CHECK(decode_marks(header.data)->durable == Offset{(groups - 1) * size});
    }
  }
  SUBCASE("promises, small files, repair") {
    // Two slots: the promise with the higher counter counts (P1).
    b.must(SavePromise{LogId{}, 1, encode_promise({1, Term{3}, InstanceId{4}})});
    b.must(SavePromise{LogId{}, 2, encode_promise({2, Term{5}, InstanceId{6}})});
    CHECK(decode_promise(b.directory->file("promise").value())->term == Term{5});
    // A small file is replaced whole.
    b.must(SaveFile{"metadata", Bytes::copy_of("m1")});
    b.must(SaveFile{"metadata", Bytes::copy_of("m2")});
    CHECK(b.directory->file("metadata")->text() == "m2");
    b.must(RepairSegment{log_1, Offset{0}, segment_header_size + 7, pattern(20, 9)});
    CHECK(b.run(ReadSegment{log_1, Offset{0}, segment_header_size + 7, 20}).data == pattern(20, 9));
    CHECK(b.directory->make_durable().has_value());
  }
}

}  // namespace

TEST_CASE("segment engine: threads") { suite(false, true); }
TEST_CASE("segment engine: threads, page cache") { suite(false, false); }
TEST_CASE("segment engine: io_uring") { suite(true, true); }
TEST_CASE("segment engine: io_uring, page cache") { suite(true, false); }

TEST_CASE("segment directory: one process a directory, and paths that are none") {
  Bench b(false, true);
  CHECK(SegmentDirectory::open(b.path.string()).error().code == Errc::directory_in_use);
  std::ofstream(b.path / "file") << "x";
  CHECK(SegmentDirectory::open((b.path / "file").string()).error().code ==
        Errc::directory_unreadable);
}
