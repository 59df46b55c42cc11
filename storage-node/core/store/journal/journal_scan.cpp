// The scan looks at each block of each file for the beginning of a record, except inside of good
// records, whose payloads may hold any bytes. So a record is found behind damage, too. Only then is
// it decided which records count.
#include "storage-node/core/store/journal/journal_scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "proto-spec/vocabulary/check.h"
#include "storage-node/core/rules.h"

namespace loglog::storage {
namespace {

/// Bytes that the scan reads at a time.
constexpr std::uint32_t window_bytes = 2 * journal_record_max;
constexpr RecordNumber no_end{std::numeric_limits<std::uint64_t>::max()};

using Place = JournalRing::Place;

/// One file, read through a window. Keeps the first error that ends the start (K7).
class WindowReader {
 public:
  WindowReader(JournalFiles& files, std::uint32_t file) : files_(files), file_(file) {
    const auto size = files.size(file);
    if (size) size_ = *size;
    else error_ = size.error();
  }
  std::uint64_t size() const { return size_; }
  const std::optional<Error>& error() const { return error_; }

  /// Bytes from a position on, fewer at the end of the file. nullopt if the medium does not give
  /// them. Valid until the next call.
  std::optional<ByteSpan> at(std::uint64_t position, std::uint32_t length) {
    length = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(length, size_ - std::min(position, size_)));
    if (!holds(position, length)) {
      if (!read(position, window_bytes) || !holds(position, length)) {
        // A bad block in the window hides the good blocks before it, so only the bytes needed are
        // read.
        if (!read(position, length) || !holds(position, length)) return std::nullopt;
      }
    }
    return window_.span().subspan(position - begin_, length);
  }

 private:
  bool holds(std::uint64_t position, std::uint32_t length) const {
    return position >= begin_ && position + length <= begin_ + window_.size();
  }
  bool read(std::uint64_t position, std::uint32_t length) {
    auto bytes = files_.read(file_, position, length);
    begin_ = position;
    window_ = bytes ? std::move(*bytes) : Bytes{};
    if (!bytes && bytes.error().code != Errc::io_error && !error_) error_ = bytes.error();
    return bytes.has_value();
  }

  JournalFiles& files_;
  std::uint32_t file_;
  std::uint64_t size_ = 0;
  /// File position of the window.
  std::uint64_t begin_ = 0;
  Bytes window_;
  std::optional<Error> error_;
};

/// The bytes of a record, as far as they are needed to judge it.
std::optional<JournalRecord> read_record(WindowReader& reader, std::uint64_t position) {
  std::uint32_t length = journal_record_header_size;
  for (;;) {
    const auto bytes = reader.at(position, length);
    if (!bytes) return std::nullopt;
    JournalRecord r = look_at_journal_record(*bytes);
    if (r.state != JournalState::incomplete) return r;
    // The file ends within the record, so the record is none of this file.
    if (bytes->size() < length || r.length <= length) return JournalRecord{};
    length = r.length;
  }
}

/// All that the files hold, before anything is judged.
struct Contents {
  /// A record with a good table, wherever it lies.
  struct Seen {
    FoundRecord record;
    std::vector<LogId> damaged;
  };
  // nullopt: no slot of the file's header is good.
  std::vector<std::optional<JournalFileHeader>> headers;
  std::vector<Seen> seen;
  /// Blocks in which a record may begin, and which the medium does not give.
  std::vector<Place> unreadable;
  bool foreign = false;
};

/// Reads the header of a file. Fails with newer_format.
Result<void> read_header(WindowReader& reader, std::uint32_t file, const ExpectedJournal& expected,
                         Contents& c) {
  c.headers.emplace_back();
  const auto block = reader.at(0, journal_header_block);
  if (!block) return {};
  if (is_newer_journal(*block))
    return fail(Errc::newer_format,
                fmt::format("journal file {} has a format that this version does not read", file));
  const auto h = decode_journal_header(*block);
  if (!h) return {};
  if (rules::is_foreign_journal(h->cluster != expected.cluster || h->disk != expected.disk))
    c.foreign = true;
  // A file under another file's name, or of a ring of another size, holds none of the records that
  // are expected there.
  if (h->index == file && h->files == expected.files) c.headers.back() = h;
  return {};
}

/// Finds the records of a file.
void read_records(WindowReader& reader, std::uint32_t file, const ExpectedJournal& expected,
                  Contents& c) {
  for (std::uint64_t position = journal_header_block;
       position + journal_block <= reader.size() && !reader.error();) {
    const auto r = read_record(reader, position);
    if (!r) c.unreadable.push_back({file, position});
    const bool has_table = r &&
                           (r->state == JournalState::good || r->state == JournalState::torn) &&
                           r->header.cluster == expected.cluster && r->header.disk == expected.disk;
    if (has_table) {
      Contents::Seen s{{r->header.number,
                        {file, position},
                        r->length,
                        r->checksum,
                        r->header.previous,
                        r->state == JournalState::torn},
                       {}};
      for (std::size_t i = 0; i < r->entries.size(); ++i)
        if (!r->frames_good[i]) s.damaged.push_back(r->entries[i].log);
      c.seen.push_back(std::move(s));
    }
    const bool is_whole = has_table && r->state == JournalState::good;
    position += is_whole ? journal_padded(r->length) : journal_block;
  }
}

Result<Contents> read_all(JournalFiles& files, const ExpectedJournal& expected) {
  Contents c;
  for (std::uint32_t file = 0; file < expected.files; ++file) {
    WindowReader reader(files, file);
    if (auto ok = read_header(reader, file, expected, c); !ok) return std::unexpected(ok.error());
    read_records(reader, file, expected, c);
    if (reader.error()) return std::unexpected(*reader.error());
  }
  return c;
}

/// Decides which records count, and which are lost.
class Judge {
 public:
  Judge(Contents c, const ExpectedJournal& expected)
      : contents_(std::move(c)), expected_(expected) {}

  FoundJournal judge() {
    if (contents_.foreign) return only(JournalVerdict::foreign);
    const bool exists = std::ranges::any_of(contents_.headers, has_value);
    const bool must_exist = expected_.must_exist || expected_.highest_floor > RecordNumber{};
    if (rules::is_journal_missing(must_exist, exists)) return only(JournalVerdict::missing);
    if (!exists) return only(JournalVerdict::none);
    collect();
    drop_replaced();
    FoundJournal found;
    keep_through(newest_proven(), found);
    found.verdict = found.lost.empty() && found.damages.empty() ? JournalVerdict::whole
                                                                : JournalVerdict::damaged;
    go_on(found);
    return found;
  }

 private:
  static bool has_value(const std::optional<JournalFileHeader>& h) { return h.has_value(); }
  static FoundJournal only(JournalVerdict verdict) {
    FoundJournal found;
    found.verdict = verdict;
    return found;
  }

  /// Takes the records that lie in the file whose header covers their number. A file covers the
  /// numbers from its own `from` up to the next higher `from`.
  void collect() {
    for (const auto& h : contents_.headers)
      if (h && h->from != RecordNumber{}) files_by_from_[h->from].push_back(h->index);
    for (const Contents::Seen& s : contents_.seen) {
      const auto after = files_by_from_.upper_bound(s.record.number);
      if (after == files_by_from_.begin()) continue;
      const auto& files = std::prev(after)->second;
      if (std::ranges::find(files, s.record.place.file) == files.end()) continue;
      const auto [it, added] = counting_.try_emplace(s.record.number, s);
      if (!added && it->second.record.torn && !s.record.torn) it->second = s;
    }
  }

  /// J5_chain: a record whose successor names another checksum is not the record that was durable.
  void drop_replaced() {
    std::vector<RecordNumber> replaced;
    const FoundRecord* successor = nullptr;
    for (auto it = counting_.rbegin(); it != counting_.rend(); ++it) {
      const FoundRecord& r = it->second.record;
      const bool adjacent = successor != nullptr && successor->number == r.number + 1;
      if (adjacent && !rules::is_successor(successor->previous, r.checksum)) {
        replaced.push_back(r.number);
        successor = nullptr;
      } else {
        successor = &r;
      }
    }
    for (const RecordNumber n : replaced) counting_.erase(n);
  }

  /// J6: the newest record that was durable, by the evidence of the journal. A write is begun after
  /// the record before it is durable, be it a record or the slot of a file.
  RecordNumber newest_proven() const {
    RecordNumber newest{};
    for (const auto& [number, s] : counting_)
      if (!s.record.torn) newest = std::max(newest, number);
    RecordNumber proven = newest;
    for (const auto& [from, files] : files_by_from_) proven = std::max(proven, from - 1);
    for (const Contents::Seen& s : contents_.seen)
      // A whole record where it does not belong was written, and may have been acknowledged.
      proven = std::max(proven, s.record.torn ? s.record.number - 1 : s.record.number);
    return end_is_unreadable(newest) ? std::max(proven, newest + 1) : proven;
  }

  /// True if the block in which the record after the newest would begin cannot be read. Bytes that
  /// cannot be read are not torn (K3): the record may have been there.
  bool end_is_unreadable(RecordNumber newest) const {
    if (files_by_from_.empty()) return false;
    const auto& [from, files] = *files_by_from_.rbegin();
    const auto it = counting_.find(newest);
    return std::ranges::any_of(files, [&](std::uint32_t file) {
      Place end{file, journal_header_block};
      if (it != counting_.end() && it->second.record.place.file == file)
        end.position = it->second.record.place.position + journal_padded(it->second.record.length);
      return std::ranges::find(contents_.unreadable, end) != contents_.unreadable.end();
    });
  }

  /// Fills in the records that count, and the numbers that are missing. `proven`: the newest record
  /// that the journal itself proves.
  void keep_through(RecordNumber proven, FoundJournal& found) {
    // A floor is named only after its record is durable. If it lies above all that the journal
    // proves, the journal's end is gone, and nobody knows how many records were there. The same
    // holds if a file has no header.
    const bool headless = !std::ranges::all_of(contents_.headers, has_value);
    const bool end_is_gone = headless || expected_.highest_floor > proven;
    proven = std::max(proven, expected_.highest_floor);
    RecordNumber next = files_by_from_.empty() ? first_record : files_by_from_.begin()->first;
    if (headless && next > first_record && !miss({first_record, next - 1}, found)) return;
    for (const auto& [number, s] : counting_) {
      if (number > proven) break;
      if (number > next && !miss({next, number - 1}, found)) return;
      next = number + 1;
      for (const LogId log : s.damaged) found.damages.push_back({number, log});
      found.records.push_back(s.record);
      found.begin.newest = number;
    }
    if (next <= proven && !miss({next, proven}, found)) return;
    if (end_is_gone && !miss({proven + 1, no_end}, found)) return;
    found.begin.newest = proven;
    for (const Contents::Seen& s : contents_.seen)
      if (s.record.number > proven) found.torn.push_back(s.record.place);
  }

  /// Notes that durable records are missing. Returns false if the journal ends there instead.
  static bool miss(FoundJournal::Range numbers, FoundJournal& found) {
    if (!rules::is_loss()) return false;
    found.lost.push_back(numbers);
    return true;
  }

  /// Chooses the file in which the journal goes on: a file that has lost its header, so that the
  /// header is written again; or the newest file, if no record was written there; or the file after
  /// it.
  void go_on(FoundJournal& found) const {
    if (!found.records.empty() && found.records.back().number == found.begin.newest)
      found.previous = found.records.back().checksum;
    for (const auto& h : contents_.headers) found.begin.counters.push_back(h ? h->counter : 0);
    if (const auto headless = std::ranges::find_if_not(contents_.headers, has_value);
        headless != contents_.headers.end()) {
      found.begin.file = static_cast<std::uint32_t>(headless - contents_.headers.begin());
    } else if (!files_by_from_.empty()) {
      const auto& [from, files] = *files_by_from_.rbegin();
      const bool empty = from > found.begin.newest;
      found.begin.file = empty ? files.front() : (files.front() + 1) % expected_.files;
    }
  }

  Contents contents_;
  const ExpectedJournal& expected_;
  /// The files that were written, by their `from`. Two files have the same `from` only if a start
  /// went on in another file than the start before, and neither wrote a record.
  std::map<RecordNumber, std::vector<std::uint32_t>> files_by_from_;
  /// The records that count, with torn ones at the end.
  std::map<RecordNumber, Contents::Seen> counting_;
};

}  // namespace

bool FoundJournal::is_suspect(LogId log, RecordNumber floor) const {
  return lost_before(log, floor, no_end);
}

bool FoundJournal::lost_before(LogId log, RecordNumber floor, RecordNumber record) const {
  return std::ranges::any_of(lost,
                             [&](const Range& r) {
                               return r.first < record && rules::misses_bytes(floor, r.last);
                             }) ||
         std::ranges::any_of(damages, [&](const Damage& d) {
           return d.log == log && d.record < record && rules::misses_bytes(floor, d.record);
         });
}

Result<FoundJournal> scan_journal(JournalFiles& files, const ExpectedJournal& expected) {
  check(expected.files >= 2, "a journal has at least two files");
  auto contents = read_all(files, expected);
  if (!contents) return std::unexpected(contents.error());
  return Judge(std::move(*contents), expected).judge();
}

Result<void> replay_journal(JournalFiles& files, const FoundJournal& found, const FloorOf& floor_of,
                            const OnPiece& on_piece) {
  for (const FoundRecord& f : found.records) {
    auto bytes = files.read(f.place.file, f.place.position, f.length);
    if (!bytes) return std::unexpected(bytes.error());
    const JournalRecord r = look_at_journal_record(*bytes);
    const auto state = f.torn ? JournalState::torn : JournalState::good;
    if (r.state != state || r.checksum != f.checksum)
      return fail(
          Errc::corrupt,
          fmt::format("journal record {} at byte {} of journal file {} has changed since it "
                      "was read: start the node again",
                      f.number.value, f.place.position, f.place.file));
    std::size_t at = r.head_size();
    for (std::size_t i = 0; i < r.entries.size(); at += r.entries[i++].length) {
      const JournalEntry& e = r.entries[i];
      const auto floor = floor_of(e.log);
      if (!floor || !rules::is_replayed(f.number, *floor) || !r.frames_good[i]) continue;
      const JournalPiece piece{f.number, e, bytes->slice(at, e.length),
                               found.lost_before(e.log, *floor, f.number)};
      if (auto ok = on_piece(piece); !ok) return ok;
    }
  }
  return {};
}

}  // namespace loglog::storage
