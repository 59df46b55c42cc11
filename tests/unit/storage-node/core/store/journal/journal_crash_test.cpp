// Power cuts at any moment: a node of a few logs appends, checkpoints, opens segments, cuts and
// trims in an order of chance. A cut of power keeps any part of all writes that were not synced,
// and tears the journal write that was under way. After each start every acknowledged byte is
// there, no byte that was cut comes back, and no log is suspect.
//
// The test plays LogStore, the strands and the disk. Bytes are cells of 4 bytes, each of which says
// to which past of its log and to which offset it belongs.
#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <memory>

#include "proto-spec/vocabulary/random.h"
#include "tests/unit/storage-node/core/store/journal/journal_bench.h"

using namespace loglog;
using namespace loglog::storage;

namespace {

using Cell = std::uint32_t;
constexpr std::uint64_t cell_size = sizeof(Cell);
/// Most bytes of a segment in this test.
constexpr std::uint64_t segment_bytes = 300'000;

/// A past of a log begins with each cut, so that cells that were cut differ from those after it.
Cell cell_of(std::uint32_t past, Offset at) {
  return (past << 24) | static_cast<Cell>((at.value / cell_size) & 0xFFFFFF);
}

/// Cells of a segment file, from `at` on.
struct SegmentWrite {
  Offset at;
  std::vector<Cell> cells;
};
struct SegmentFile {
  Offset first;
  /// What a reader sees, and what survives a power cut for certain.
  std::vector<Cell> cache, medium;
  /// In the cache and not synced, in the order in which they were written.
  std::vector<SegmentWrite> unsynced;

  static void put(std::vector<Cell>& to, Offset first, const SegmentWrite& w) {
    const std::size_t begin = (w.at - first) / cell_size;
    if (to.size() < begin + w.cells.size()) to.resize(begin + w.cells.size());
    std::ranges::copy(w.cells, to.begin() + static_cast<std::ptrdiff_t>(begin));
  }
  void write(SegmentWrite w) {
    put(cache, first, w);
    unsynced.push_back(std::move(w));
  }
  void sync(std::size_t writes) {
    for (std::size_t i = 0; i < writes; ++i) put(medium, first, unsynced[i]);
    unsynced.erase(unsynced.begin(), unsynced.begin() + static_cast<std::ptrdiff_t>(writes));
  }
};

struct MarksSlot {
  std::uint64_t counter = 0;
  RecordNumber floor{};
};

/// An operation on a log's strand.
struct Operation {
  Offset segment;
  std::optional<SegmentWrite> write{};
  bool opens = false;
  bool sync = false;
  /// The direct group ends with the operation.
  bool direct = false;
  std::optional<MarksSlot> marks{};
  Ticket ticket{};
  bool begun = false;
  /// Unsynced writes of the segment when the sync began.
  std::size_t covers = 0;
};

struct NodeLog {
  LogId id;
  std::uint32_t past = 1;
  std::vector<SegmentFile> segments;
  /// By parity of the counter.
  MarksSlot slots[2];
  std::uint64_t counter = 0;
  std::deque<Operation> strand;
  /// Files below were trimmed.
  Offset trimmed{};
  /// All cells of the log that were written since the last cut, acknowledged or not.
  std::vector<Cell> written;
  /// The end of the log: of acknowledged bytes, and with the group under way.
  Offset acknowledged{}, end{};
  bool lazy_under_way = false;
  bool record_under_way = false;

  bool busy() const { return lazy_under_way || record_under_way || end != acknowledged; }
  RecordNumber floor() const {
    return (slots[0].counter > slots[1].counter ? slots[0] : slots[1]).floor;
  }
  SegmentFile* segment(Offset first) {
    const auto it = std::ranges::find(segments, first, &SegmentFile::first);
    return it == segments.end() ? nullptr : &*it;
  }
};

class CrashTest {
 public:
  explicit CrashTest(std::uint64_t seed) : random_(seed) {
    for (std::uint64_t i = 1; i <= 4; ++i) {
      logs_.emplace_back().id = LogId{i};
      logs_.back().segments.push_back({Offset{0}, {}, {}, {}});
    }
    start();
  }

  /// Runs until the disk has been cut off that many times.
  void run(int crashes) {
    while (crashes > 0) {
      step();
      // The first record of a file is rare, and its tear is of particular interest (J2_slot).
      const bool first_of_file =
          !in_flight_.empty() && in_flight_.front().position == journal_header_block;
      if (random_.chance(1, first_of_file ? 20 : 300)) {
        crash();
        start();
        --crashes;
      }
    }
  }
  std::uint64_t records() const { return records_; }
  std::uint64_t replayed() const { return replayed_; }

 private:
  // What a process keeps in memory.
  struct Process {
    JournalRing ring{bench_sizes};
    JournalFloors floors{ring};
    JournalWriter writer;
    explicit Process(const Identity& identity) : writer(identity, ring, floors, {}) {}
  };

  /// One thing happens: a log appends, the journal's write begins or ends, an operation of a strand
  /// begins or ends, or a log is checkpointed, trimmed or cut.
  void step() {
    NodeLog& l = logs_[random_.below(logs_.size())];
    switch (random_.below(12)) {
      case 0:
      case 1:
      case 2:
      case 3:
        append(l, random_.chance(1, 12));
        break;
      case 4:
      case 5:
      case 6:
        pump_journal();
        break;
      case 7:
      case 8:
      case 9:
        if (!l.strand.empty()) advance(l);
        break;
      case 10:
        housekeeping(l);
        break;
      case 11:
        if (random_.chance(1, 8)) checkpoint(l, random_.chance(1, 2));
        break;
      default:
        break;
    }
    if (p_->writer.stalled() || (p_->ring.wants_checkpoints() && random_.chance(1, 40)))
      for (const LogId id : p_->ring.pins())
        if (p_->floors.to_checkpoint(id)) checkpoint(log(id), random_.chance(1, 2));
  }

  NodeLog& log(LogId id) { return logs_[id.value - 1]; }

  // ---- Writing

  /// Appends a group, in a new segment if the log's segment is full. Journalled groups also go to
  /// the segment, by a lazy write that is requested before the writer gets the group.
  void append(NodeLog& l, bool direct) {
    if (l.busy()) return;
    const bool opens = l.end - l.segments.back().first > segment_bytes;
    if (opens && !p_->floors.may_open_segment(l.id)) {
      if (p_->floors.to_checkpoint(l.id)) checkpoint(l, false);
      return;
    }
    const std::uint64_t cells = 1 + random_.below(random_.chance(1, 3) ? 50'000 : 500);
    SegmentWrite w{l.end, {}};
    for (std::uint64_t i = 0; i < cells; ++i)
      w.cells.push_back(cell_of(l.past, l.end + i * cell_size));
    if (opens) {
      l.segments.push_back({l.end, {}, {}, {}});
      // A file is durable with both slots of its marks before groups go there.
      Operation open{.segment = l.end, .opens = true, .sync = true};
      request(l, std::move(open), p_->floors.floor_for_marks(l.id), 2);
    }
    const Offset segment = l.segments.back().first;
    const Offset begin = l.end;
    l.end += cells * cell_size;
    l.written.insert(l.written.end(), w.cells.begin(), w.cells.end());
    if (direct) {
      Operation group{.segment = segment, .write = std::move(w), .sync = true, .direct = true};
      request(l, std::move(group), p_->floors.floor_for_marks(l.id), 1);
      p_->floors.direct_group(l.id);
      return;
    }
    JournalGroup g{l.id,  segment, begin, Chain{begin.value ^ l.past}, {}, cells * cell_size,
                   opens, {},      {}};
    g.frames.push_back(Bytes::copy_of(std::as_bytes(std::span(w.cells))));
    l.strand.push_back({.segment = segment, .write = std::move(w)});
    l.lazy_under_way = l.record_under_way = true;
    p_->writer.add(std::move(g));
  }

  /// A sync of the segment that needs it first, or of the newest one.
  void checkpoint(NodeLog& l, bool with_marks) {
    if (l.strand.size() > 20) return;
    const Offset segment = p_->floors.to_checkpoint(l.id).value_or(l.segments.back().first);
    // Marks lie in the newest segment.
    with_marks = with_marks && segment == l.segments.back().first;
    request(l, {.segment = segment, .sync = true}, p_->floors.floor_for_marks(l.id), with_marks);
  }

  void request(NodeLog& l, Operation op, RecordNumber floor, std::uint8_t slots) {
    op.ticket = Ticket{++tickets_};
    if (slots > 0) op.marks = MarksSlot{++l.counter, floor};
    p_->floors.sync_begun(l.id, op.segment, op.ticket, {floor, slots});
    l.strand.push_back(std::move(op));
  }

  /// The next operation of a strand begins or ends.
  void advance(NodeLog& l) {
    Operation& op = l.strand.front();
    SegmentFile* const file = l.segment(op.segment);
    if (!op.begun) {
      op.begun = true;
      if (op.write && file != nullptr) file->write(*op.write);
      op.covers = file == nullptr ? 0 : file->unsynced.size();
      if (op.sync) return;
      l.lazy_under_way = false;
    } else {
      finish(l, op);
      p_->floors.sync_ended(l.id, op.ticket);
    }
    l.strand.pop_front();
  }

  /// The effects of a sync that has reached the medium.
  static void finish(NodeLog& l, const Operation& op) {
    if (SegmentFile* const file = l.segment(op.segment)) file->sync(op.covers);
    if (op.marks) l.slots[op.marks->counter % 2] = *op.marks;
    if (op.opens) l.slots[(op.marks->counter + 1) % 2] = {op.marks->counter - 1, op.marks->floor};
    if (op.direct) l.acknowledged = l.end;
  }

  /// Begins the journal's next write, or ends the write that is under way.
  void pump_journal() {
    if (auto w = p_->writer.next()) {
      in_flight_.push_back(std::move(*w));
      return;
    }
    if (in_flight_.empty()) return;
    JournalWrite w = std::move(in_flight_.front());
    in_flight_.pop_front();
    if (w.sync) {
      // An fdatasync covers all earlier writes of the file.
      for (const JournalWrite& earlier : not_synced_)
        if (earlier.file == w.file) files_.write(earlier);
      std::erase_if(not_synced_, [&](const JournalWrite& e) { return e.file == w.file; });
      files_.write(w);
    } else {
      not_synced_.push_back(std::move(w));
    }
    const auto durable = p_->writer.done();
    if (!durable.empty()) ++records_;
    for (const LogId id : durable) {
      log(id).record_under_way = false;
      // Acknowledged by the journal alone: the lazy write may still wait on the strand (J1).
      log(id).acknowledged = log(id).end;
    }
  }

  /// Trims or cuts a log, or makes it ready for that.
  void housekeeping(NodeLog& l) {
    if (l.busy() || !l.strand.empty() || p_->writer.holds(l.id)) return;
    if (l.segments.size() > 2 && random_.chance(1, 2)) {
      if (!p_->floors.may_unlink(l.id, l.segments.front().first)) return checkpoint(l, true);
      l.segments.erase(l.segments.begin());
      l.trimmed = l.segments.front().first;
      return;
    }
    if (!random_.chance(1, 3)) return;
    if (!p_->floors.may_cut(l.id)) return checkpoint(l, true);
    const std::uint64_t kept = (l.end - l.segments.front().first) / cell_size;
    cut_to(l, l.segments.front().first + random_.below(kept + 1) * cell_size);
    ++l.past;
    p_->floors.cut(l.id);
  }

  /// The log ends at `end`, durably.
  static void cut_to(NodeLog& l, Offset end) {
    while (l.segments.size() > 1 && l.segments.back().first >= end) l.segments.pop_back();
    SegmentFile& file = l.segments.back();
    const std::size_t cells = (end - file.first) / cell_size;
    file.sync(file.unsynced.size());  // a cut ends with a sync
    for (auto* const bytes : {&file.cache, &file.medium}) bytes->resize(cells);
    l.end = l.acknowledged = end;
    l.written.resize(end.value / cell_size);
  }

  // ---- Crash and start

  /// The power fails. Each write that no sync has covered is kept whole, in part or not at all.
  void crash() {
    for (JournalWrite& w : in_flight_) not_synced_.push_back(std::move(w));
    in_flight_.clear();
    for (const JournalWrite& w : not_synced_) tear(w);
    not_synced_.clear();
    for (NodeLog& l : logs_) {
      // An operation that was under way may have reached the medium in part.
      if (!l.strand.empty() && l.strand.front().begun) {
        const Operation& op = l.strand.front();
        if (op.marks && random_.chance(1, 2)) {
          l.slots[op.marks->counter % 2] = *op.marks;
          if (op.opens)
            l.slots[(op.marks->counter + 1) % 2] = {op.marks->counter - 1, op.marks->floor};
        }
      }
      // A segment that was not opened durably is not there, nor are those behind it.
      for (const Operation& op : l.strand)
        if (op.opens)
          while (l.segments.back().first >= op.segment) l.segments.pop_back();
      l.strand.clear();
      for (SegmentFile& f : l.segments) {
        for (const SegmentWrite& w : f.unsynced) {
          if (random_.chance(1, 3)) continue;
          SegmentWrite part = w;
          if (random_.chance(1, 2)) part.cells.resize(random_.below(part.cells.size() + 1));
          SegmentFile::put(f.medium, f.first, part);
        }
        f.unsynced.clear();
        f.cache = f.medium;
      }
      // Rot of the newer slot, now and then.
      MarksSlot& newer = l.slots[l.slots[1].counter > l.slots[0].counter ? 1 : 0];
      if (l.slots[0].counter > 0 && l.slots[1].counter > 0 && random_.chance(1, 20)) newer = {};
      // The next marks go to the slot that does not count.
      l.counter = std::max(l.slots[0].counter, l.slots[1].counter);
      l.lazy_under_way = l.record_under_way = false;
      l.end = l.acknowledged;
    }
    p_.reset();
  }

  /// Each sector of the write is there or not.
  void tear(const JournalWrite& w) {
    std::vector<std::byte> all;
    for (const Bytes& b : w.buffers) all.insert(all.end(), b.data(), b.data() + b.size());
    const bool whole = random_.chance(1, 4);
    for (std::size_t at = 0; at < all.size(); at += 512)
      if (whole || random_.chance(1, 2))
        files_.write(w.file, w.position + at, ByteSpan(all).subspan(at, 512));
  }

  /// A process starts on what the medium holds.
  void start() {
    RecordNumber highest{};
    for (const NodeLog& l : logs_) highest = std::max(highest, l.floor());
    auto found =
        scan_journal(files_, {bench_cluster, bench_disk, bench_sizes.files, true, highest});
    REQUIRE(found.has_value());
    REQUIRE(found->verdict == JournalVerdict::whole);
    std::vector<std::pair<JournalEntry, RecordNumber>> replayed;
    const auto ok = replay_journal(
        files_, *found, [&](LogId id) { return std::optional(log(id).floor()); },
        [&](const JournalPiece& p) -> Result<void> {
          CHECK_FALSE(p.after_loss);
          replay(p);
          replayed.emplace_back(p.entry, p.record);
          return {};
        });
    REQUIRE(ok.has_value());
    replayed_ += replayed.size();
    for (NodeLog& l : logs_) recover(l);
    p_ = std::make_unique<Process>(identity_);
    p_->ring.recovered(found->begin);
    for (const auto& [entry, record] : replayed)
      p_->floors.replayed(entry.log, entry.segment, record);
    p_->floors.recovered(found->begin.newest);
    p_->writer.recovered(found->previous, found->torn);
    // The first writes are durable before a log is opened. The power may fail between them.
    while (!p_->ring.is_open()) {
      const JournalWrite w = *p_->writer.next();
      if (random_.chance(1, 10)) {
        tear(w);
        return start();
      }
      files_.write(w);
      p_->writer.done();
    }
  }

  /// Writes a piece into its segment, durably. A piece that begins a segment brings the file back
  /// if its name was not durable.
  void replay(const JournalPiece& p) {
    NodeLog& l = log(p.entry.log);
    SegmentFile* file = l.segment(p.entry.segment);
    if (file == nullptr) {
      INFO("log " << l.id.value << ", segment " << p.entry.segment.value);
      REQUIRE(p.entry.opens_segment);
      REQUIRE(p.entry.segment > l.segments.back().first);  // an unlinked segment stays away
      l.segments.push_back({p.entry.segment, {}, {}, {}});
      file = &l.segments.back();
    }
    SegmentWrite w{p.entry.offset, std::vector<Cell>(p.entry.length / cell_size)};
    std::memcpy(w.cells.data(), p.frames.data(), p.frames.size());
    SegmentFile::put(file->medium, file->first, w);
    file->cache = file->medium;
  }

  /// Reads the log as a start does, and compares it with the acknowledged groups.
  void recover(NodeLog& l) {
    INFO("log " << l.id.value << ", acknowledged up to " << l.acknowledged.value);
    Offset at = l.segments.front().first;
    REQUIRE(at == l.trimmed);
    for (const SegmentFile& f : l.segments) {
      if (f.first != at) break;
      for (const Cell c : f.medium) {
        const std::size_t index = at.value / cell_size;
        if (index < l.written.size() && c == l.written[index]) {
          at += cell_size;
          continue;
        }
        // A cell of an earlier past, which a scan of the log would take for its own.
        const bool is_cut = (c & 0xFFFFFF) == (cell_of(0, at) & 0xFFFFFF) && c >> 24 != 0;
        CHECK_FALSE_MESSAGE(is_cut, "cut bytes came back at offset " << at.value);
        break;
      }
    }
    REQUIRE(at >= l.acknowledged);
    // A reconcile cuts what lies behind the tail.
    cut_to(l, at);
  }

  Random random_;
  Identity identity_{bench_cluster, bench_disk, 1, 2, "demo"};
  FakeJournalFiles files_{bench_sizes};
  std::vector<NodeLog> logs_;
  std::unique_ptr<Process> p_;
  std::deque<JournalWrite> in_flight_;
  /// Writes that have ended and that no sync has covered.
  std::vector<JournalWrite> not_synced_;
  std::uint64_t tickets_ = 0;
  std::uint64_t records_ = 0;
  std::uint64_t replayed_ = 0;
};

TEST_CASE("journal: no power cut takes an acknowledged byte or brings a cut byte back (J1 to J6)") {
  constexpr std::uint64_t seeds = 12;
  constexpr int crashes = 10;
  std::uint64_t records = 0, replayed = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    INFO("seed " << seed);
    CrashTest test(seed);
    test.run(crashes);
    records += test.records();
    replayed += test.replayed();
  }
  // The test means something: the ring went round, and starts had bytes to replay.
  CHECK(records > 500);
  CHECK(replayed > 100);
}

}  // namespace
