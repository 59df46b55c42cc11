#include "storage-node/core/recovery_scan.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "proto-spec/disk/segment.h"
#include "proto-spec/vocabulary/rules.h"

namespace loglog::storage {
namespace {

constexpr std::uint32_t piece = 1u << 20;
/// A longer rest of a file is not read to see whether it is clean; it is taken as dirty.
constexpr std::uint64_t rest_read_max = 64u << 20;

/// The files of one log, as a start reads them. It keeps the first error that ends the start (K7);
/// meanwhile the scan goes on as if those bytes were damaged, and its outcome is thrown away.
class Files {
 public:
  Files(StartupDisk& disk, LogId log) : disk_(disk), log_(log) {}
  LogId log() const { return log_; }

  /// nullopt: the medium does not give the bytes (K3), or the start ends.
  std::optional<Bytes> read(Offset first, std::uint64_t position, std::uint32_t length) {
    auto bytes = disk_.read(log_, first, position, length);
    if (bytes) return std::move(*bytes);
    if (bytes.error().code != Errc::io_error) keep(bytes.error());
    return std::nullopt;
  }
  std::uint64_t size(Offset first) {
    const auto size = disk_.file_size(log_, first);
    if (size) return *size;
    keep(size.error());
    return 0;
  }
  const std::optional<Error>& error() const { return error_; }

 private:
  void keep(const Error& e) {
    if (!error_ && !removed(Rule::K7_error)) error_ = e;
  }
  StartupDisk& disk_;
  LogId log_;
  std::optional<Error> error_;
};

/// Walks the frames of one file as far as they are good. False: the medium did not give the bytes.
bool scan_file(Files& files, Offset first, Tail& tail, std::vector<TermStart>& terms) {
  std::vector<std::byte> bytes;
  std::uint64_t position = segment_header_size;
  for (;;) {
    const auto read = files.read(first, position, piece);
    if (!read) return false;
    if (read->empty()) return true;
    position += read->size();
    bytes.insert(bytes.end(), read->data(), read->data() + read->size());
    const Scanned s = scan_frames(bytes, files.log(), no_offset, true, tail, terms);
    if (s.stop != FrameState::incomplete) return true;
    bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(s.good_bytes));
    if (bytes.size() > frame_size_max) return true;
  }
}

bool rest_is_clean(Files& files, Offset first, Offset tail) {
  const std::uint64_t size = files.size(first);
  std::uint64_t position = segment_header_size + (tail - first);
  if (size > position + rest_read_max) return false;
  while (position < size) {
    const auto read = files.read(first, position, piece);
    if (!read || read->empty()) return false;
    if (std::any_of(read->data(), read->data() + read->size(),
                    [](std::byte b) { return b != std::byte{0}; }))
      return false;
    position += read->size();
  }
  return true;
}

struct EarlierTerm {
  Term own;
  TermStart before;  // term 0: none
};

/// Reads the first frame of a term: what term it is of and where the one before begins.
std::optional<EarlierTerm> read_term_link(Files& files, const SegmentMap& segments, Offset at) {
  if (segments.empty() || at < segments.front()) return std::nullopt;
  const Offset file = segments.holding(at);
  const auto bytes = files.read(file, segment_header_size + (at - file), 4096);
  if (!bytes) return std::nullopt;
  const FrameView view = look_at_frame(*bytes, files.log(), at, true);
  if (view.state != FrameState::good) return std::nullopt;
  const ByteSpan payload = bytes->span().subspan(frame_prefix_size, view.prefix.payload_length);
  if (view.prefix.kind == FrameKind::segment_start) {
    if (const auto s = read_segment_start(payload))
      return EarlierTerm{view.prefix.term, {s->term_in_force, s->term_start}};
  } else if (view.prefix.kind == FrameKind::term_start) {
    if (const auto t = read_term_start(payload))
      return EarlierTerm{view.prefix.term, t->previous_start == no_offset
                                               ? TermStart{}
                                               : TermStart{t->previous_term, t->previous_start}};
  }
  return std::nullopt;
}

/// Term history is a linked list from the last term backwards, down to the term in force at the
/// first offset. Answers with the file whose damage breaks it, if one does.
std::optional<Offset> walk_terms_back(Files& files, RecoveredLog& r) {
  while (!r.terms.empty() && !r.segments.empty() && r.terms.front().offset > r.segments.front()) {
    const auto link = read_term_link(files, r.segments, r.terms.front().offset);
    if (!link) return r.segments.holding(r.terms.front().offset);
    if (link->before.term == Term{} || link->before.offset >= r.terms.front().offset)
      return std::nullopt;
    r.terms.insert(r.terms.begin(), link->before);
  }
  return std::nullopt;
}

void take_marks(RecoveredLog& r, ByteSpan header) {
  const auto marks = decode_marks(header);
  if (!marks) return;
  r.marks_counter = std::max(r.marks_counter, marks->counter);
  r.mark_durable = std::max(r.mark_durable, marks->durable);
  r.committed = std::max(r.committed, marks->committed);
}

/// The last file with a good frame, and where its good frames end; files behind it are dropped from
/// `segments`. False: damage, not a torn end.
bool find_tail(Files& files, std::vector<Offset>& segments, RecoveredLog& r) {
  bool whole = true;
  while (!segments.empty()) {
    const Offset last = segments.back();
    const auto header = files.read(last, 0, segment_header_size);
    if (header) take_marks(r, *header);
    const auto decoded =
        header ? decode_segment_header(*header) : Result<SegmentHeader>(fail(Errc::io_error));
    if (decoded && decoded->log == files.log() && decoded->first == last) {
      r.tail = Tail{.end = last, .chain = decoded->chain};
      r.terms.clear();
      // Bytes that cannot be read are not torn ones: they may have been acknowledged (K3).
      if (!scan_file(files, last, r.tail, r.terms)) whole = false;
      if (r.tail.end > last) break;
    } else {
      whole = false;  // a header is durable before its file has a name
    }
    // A file that was being opened when the node stopped, or one that cannot be read: the log ends
    // before it.
    r.dirty_tail = true;
    // Below it everything was durable before it was opened, so its first offset is a mark too (K3);
    // a mark past it makes the log suspect.
    r.mark_durable = std::max(r.mark_durable, last);
    if (segments.size() == 1 && !(decoded && decoded->first == last)) r.tail = Tail{.end = last};
    segments.pop_back();
  }
  return whole;
}

}  // namespace

Result<RecoveredLog> recover_log(StartupDisk& disk, LogId log, std::vector<Offset> segments) {
  Files files(disk, log);
  RecoveredLog r;
  std::sort(segments.begin(), segments.end());
  const Offset lowest = segments.empty() ? no_offset : segments.front();
  bool damaged = !find_tail(files, segments, r);
  r.segments.assign(segments);
  // Without its term history a log cannot be compared with others (S4): where damage in an older
  // file breaks the list, the log is known up to that damage only.
  for (auto broken = walk_terms_back(files, r); broken && *broken < r.segments.open();
       broken = walk_terms_back(files, r)) {
    damaged = r.dirty_tail = true;
    r.mark_durable = std::max(r.mark_durable, r.tail.end);
    r.segments.keep_through(*broken);
    segments = r.segments.firsts();
    find_tail(files, segments, r);
    r.segments.assign(segments);
  }
  if (r.segments.empty()) r.remains = lowest;
  if (!r.segments.empty() && !r.dirty_tail)
    r.dirty_tail = !rest_is_clean(files, r.segments.open(), r.tail.end);
  if (!r.segments.empty()) r.open_file_size = files.size(r.segments.open());
  r.suspect = (damaged || r.tail.end < r.mark_durable) && !removed(Rule::K3_marks);
  if (files.error()) return std::unexpected(*files.error());
  return r;
}

}  // namespace loglog::storage
