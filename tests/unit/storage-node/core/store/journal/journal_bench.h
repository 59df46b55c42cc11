// A journal on a disk that a test plays: files in memory, and the parts of the core that write and
// read them. Writes reach the files when the test says so, whole or in part.
#pragma once
#include <doctest/doctest.h>

#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "storage-node/core/store/journal/journal_scan.h"
#include "storage-node/core/store/journal/journal_writer.h"

namespace loglog::storage {

inline constexpr ClusterId bench_cluster{0xC1};
inline constexpr DiskId bench_disk{0xD1};
/// Three of the smallest files, so that a test fills the ring with few records.
inline constexpr JournalSizes bench_sizes{3, journal_header_block + journal_record_max};

/// The files of a journal, as the medium has them.
class FakeJournalFiles final : public JournalFiles {
 public:
  FakeJournalFiles() = default;
  /// New files, filled with bytes that are no record.
  explicit FakeJournalFiles(const JournalSizes& sizes) {
    for (std::uint32_t i = 0; i < sizes.files; ++i) {
      files.emplace_back(sizes.file_bytes, std::byte{0x5A});
      write(i, 0,
            encode_journal_header({1, bench_cluster, bench_disk, i, sizes.files, RecordNumber{}}));
    }
  }

  Result<std::uint64_t> size(std::uint32_t file) override {
    if (error) return std::unexpected(*error);
    return file < files.size() ? files[file].size() : 0;
  }
  Result<Bytes> read(std::uint32_t file, std::uint64_t position, std::uint32_t length) override {
    if (error) return std::unexpected(*error);
    const auto& f = files[file];
    const std::size_t n =
        position < f.size() ? std::min<std::size_t>(length, f.size() - position) : 0;
    for (const auto& [bad_file, block] : unreadable)
      if (bad_file == file && block < position + n && block + journal_block > position)
        return fail(Errc::io_error, "the medium does not give the bytes");
    return n == 0 ? Bytes{} : Bytes::copy_of(ByteSpan(f).subspan(position, n));
  }

  void write(std::uint32_t file, std::uint64_t position, ByteSpan bytes) {
    REQUIRE(position + bytes.size() <= files[file].size());
    std::memcpy(files[file].data() + position, bytes.data(), bytes.size());
  }
  void write(const JournalWrite& w) {
    std::uint64_t at = w.position;
    for (const Bytes& b : w.buffers) {
      write(w.file, at, b);
      at += b.size();
    }
  }
  /// Turns a byte over.
  void rot(std::uint32_t file, std::uint64_t position) { files[file][position] ^= std::byte{0xFF}; }

  std::vector<std::vector<std::byte>> files;
  /// File and position of blocks that cannot be read.
  std::set<std::pair<std::uint32_t, std::uint64_t>> unreadable;
  /// If set, every call fails with it.
  std::optional<Error> error;
};

inline std::uint64_t size_of(const JournalWrite& w) {
  std::uint64_t n = 0;
  for (const Bytes& b : w.buffers) n += b.size();
  return n;
}

/// A journal from its first record on. A log's groups follow one another in one segment that begins
/// at offset 0, unless the test says otherwise.
struct JournalBench {
  explicit JournalBench(JournalWriter::Limits limits = {})
      : writer(identity, ring, floors, limits) {
    ring.recovered({{}, 0, std::vector<std::uint64_t>(bench_sizes.files, 1)});
    finish();  // the slot of the first file
  }

  JournalGroup group(std::uint64_t log, std::uint64_t bytes, char fill = 'x') {
    Offset& end = ends[LogId{log}];
    JournalGroup g{LogId{log}, Offset{}, end, Chain{end.value * 3 + log}, {}, bytes, false, {}, {}};
    if (bytes > 0) g.frames.push_back(Bytes::copy_of(std::string(bytes, fill)));
    end += bytes;
    return g;
  }
  /// Writes the next record or slot. Returns its write.
  JournalWrite finish() {
    auto w = writer.next();
    REQUIRE(w.has_value());
    files.write(*w);
    durable = writer.done();
    return *w;
  }
  /// Journals a group in a record of its own, in the next file if the file is full.
  JournalWrite journal(std::uint64_t log, std::uint64_t bytes, char fill = 'x') {
    writer.add(group(log, bytes, fill));
    JournalWrite w = finish();
    while (durable.empty()) w = finish();
    return w;
  }
  /// A sync of the log's segment from begin to end, with marks in `slots` slots.
  void sync(std::uint64_t log, std::uint8_t slots = 0, Offset segment = {}) {
    const Ticket t{++tickets};
    floors.sync_begun(LogId{log}, segment, t, {floors.floor_for_marks(LogId{log}), slots});
    floors.sync_ended(LogId{log}, t);
  }
  ExpectedJournal expected() const {
    return {bench_cluster, bench_disk, bench_sizes.files, true, highest_floor};
  }
  FoundJournal scan() {
    auto found = scan_journal(files, expected());
    REQUIRE(found.has_value());
    return std::move(*found);
  }

  Identity identity{bench_cluster, bench_disk, 1, 2, "demo"};
  FakeJournalFiles files{bench_sizes};
  JournalRing ring{bench_sizes};
  JournalFloors floors{ring};
  JournalWriter writer;
  std::map<LogId, Offset> ends;
  /// The logs that the last write made durable.
  std::vector<LogId> durable;
  std::uint64_t tickets = 0;
  RecordNumber highest_floor{};
};

}  // namespace loglog::storage
