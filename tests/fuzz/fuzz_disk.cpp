// Fuzzes the decoders of the disk formats (spec/02): for any bytes in a file each decoder returns a
// frame, a header, marks, a promise, an identity or a record, or refuses the bytes. No decoder
// reads beyond the bytes that it was given.
#include <cstdlib>

#include "proto-spec/disk/frame.h"
#include "proto-spec/disk/journal.h"
#include "proto-spec/disk/segment.h"

using namespace loglog;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes b = Bytes::copy_of(std::as_bytes(std::span(data, size)));
  (void)check_images(b, true);
  (void)digest_of(b);
  const FrameView v = look_at_frame(b, LogId{1}, Offset{0}, true);
  if (v.state == FrameState::good && v.prefix.frame_length() > size) std::abort();
  (void)decode_segment_header(b);
  (void)decode_marks(b);
  (void)decode_promise(b);
  (void)decode_identity(b);
  (void)read_term_start(b);
  (void)read_segment_start(b);
  (void)decode_journal_header(b);
  (void)is_newer_journal(b);
  const JournalRecord r = look_at_journal_record(b);
  const bool has_table = r.state == JournalState::good || r.state == JournalState::torn;
  if (has_table && (r.length > size || r.frames_good.size() != r.entries.size())) std::abort();
  return 0;
}
