// The scan of a log's files at a start. find_tail() finds the last good frame, walk_terms_back()
// the list of terms. Torn bytes above the mark are no damage; bad bytes below it, unreadable bytes
// and bad headers make the log suspect (K3).
#include "storage-node/core/store/segments/recovery_scan.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "proto-spec/disk/segment.h"
#include "storage-node/core/rules.h"

namespace loglog::storage {
namespace {

/// Bytes that a scan reads at a time.
constexpr std::uint32_t piece = 1u << 20;
/// If more bytes follow the tail, they are not read to see whether they are zeros; the tail counts
/// as dirty.
constexpr std::uint64_t rest_read_max = 64u << 20;

/// The files of one log, as a start reads them. Keeps the first error that ends the start (K7). The
/// scan then goes on as if the bytes were damaged, and its result is thrown away.
class Files {
 public:
  Files(StartupDisk& disk, LogId log) : disk_(disk), log_(log) {}
  LogId log() const { return log_; }

  /// Returns nullopt if the medium does not give the bytes (K3), or if the start is to end.
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
    if (!error_ && rules::ends_start_on_error()) error_ = e;
  }
  StartupDisk& disk_;
  LogId log_;
  std::optional<Error> error_;
};

/// Walks the good frames of a file from tail.end on. Returns false if the medium did not give the
/// bytes.
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
    // No frame is that long, so the bytes are no frame.
    if (bytes.size() > frame_size_max) return true;
  }
}

/// True if only zeros follow the tail. Other bytes are a torn write, or old bytes of a reused file
/// (K6).
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

/// The link from a term's first frame to the term before.
struct EarlierTerm {
  Term own;
  // Term 0: the log has no earlier term.
  TermStart before;
};

/// Reads the first frame of a term. Returns its term, and where the term before begins. 4096 bytes
/// hold every term start and segment start.
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

/// The terms form a linked list from the last term backwards (F5). Walks it down to the term in
/// force at the first offset. Returns the file whose damage breaks the list, if any.
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

/// Takes the newest marks of a file header. All counters and offsets only rise, so the maximum is
/// right.
void take_marks(RecoveredLog& r, ByteSpan header) {
  const auto marks = decode_marks(header);
  if (!marks) return;
  r.marks_counter = std::max(r.marks_counter, marks->counter);
  r.mark_durable = std::max(r.mark_durable, marks->durable);
  r.committed = std::max(r.committed, marks->committed);
}

/// Finds the last file with a good frame, and the end of its good frames. Removes the files after
/// it from `segments`. Returns false on damage; a torn end is no damage.
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
      // Bytes that cannot be read are not torn: they may have been acknowledged (K3).
      if (!scan_file(files, last, r.tail, r.terms)) whole = false;
      if (r.tail.end > last) break;
    } else {
      // A header is durable before its file gets its name.
      whole = false;
    }
    // The file was being opened when the node stopped, or it cannot be read: the log ends before
    // it.
    r.dirty_tail = true;
    // All bytes below a file were durable before it was opened, so its first offset counts as a
    // mark (K3). A mark above the tail makes the log suspect.
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
  // A log without its terms cannot be compared with others (S4). If damage in an older file breaks
  // the list, the log is known only up to that damage.
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
  r.suspect = rules::is_suspect(damaged, r.tail.end, r.mark_durable);
  if (files.error()) return std::unexpected(*files.error());
  return r;
}

}  // namespace loglog::storage
