#include "storage-node/core/segment_writer.h"

#include <cstring>

#include "proto-spec/vocabulary/check.h"

namespace loglog::storage {
namespace {
constexpr std::uint64_t first_file_size = 1u << 20;
}

std::uint64_t SegmentWriter::file_size(bool very_first) const {
  const std::uint64_t segment = s_.info.options.segment_size == 0 ? segment_size_default : s_.info.options.segment_size;
  const std::uint64_t size = segment_header_size + segment + std::min<std::uint64_t>(run_size_target, segment / 4);
  return very_first ? std::min(first_file_size, size) : size;
}

Bytes SegmentWriter::next_marks() {
  ++counter_;
  marked_durable_ = s_.durable.end;
  marked_committed_ = s_.committed;
  return encode_marks({counter_, s_.durable.end, s_.durable.chain, s_.committed});
}

void SegmentWriter::open_segment(Offset first) {
  const bool very_first = s_.segments.empty();
  if (!very_first) s_.node.disk(CloseSegment{s_.id, s_.segments.open(), first - s_.segments.open()}, {});
  Bytes header = encode_segment_header({s_.node.identity.cluster, s_.id, first, s_.durable.chain});
  // The new header carries marks at once, so that the committed offset outlives the file before it.
  const Bytes marks = next_marks();
  std::memcpy(header.mutable_data() + marks_slot_at[counter_ % 2], marks.data(), marks.size());
  s_.node.disk(OpenSegment{s_.id, first, std::move(header), file_size(very_first)}, {});
  s_.segments.add(first);
}

void SegmentWriter::write(std::vector<Bytes> frames, bool opens, std::function<void()> done) {
  check(!busy(), "one group in flight per log");
  check(!s_.dirty_tail, "a torn tail is cut before it is written over");
  if (opens || s_.segments.empty()) open_segment(s_.durable.end);
  const Offset file = s_.segments.open();
  Bytes marks = next_marks();
  const std::uint64_t marks_at = marks_slot_at[counter_ % 2];
  ++in_flight_;
  s_.node.disk(WriteGroup{s_.id, file, segment_header_size + (s_.durable.end - file), std::move(frames), marks_at, std::move(marks), true},
               [this, tail = s_.written, done = std::move(done)](DiskDone&&) {
                 --in_flight_;
                 s_.durable = tail;
                 prepare_ahead();
                 done();
                 settled_();
               });
}

void SegmentWriter::write_marks(std::function<void()> done) {
  check(!busy() && !s_.segments.empty(), "marks are written when the log is idle");
  const Offset file = s_.segments.open();
  Bytes marks = next_marks();
  ++in_flight_;
  s_.node.disk(
      WriteGroup{s_.id, file, segment_header_size + (s_.durable.end - file), {}, marks_slot_at[counter_ % 2], std::move(marks), true},
      [this, done = std::move(done)](DiskDone&&) {
        --in_flight_;
        done();
        settled_();
      });
}

void SegmentWriter::truncate(bool everything, const Tail& kept, std::function<void()> done) {
  check(!busy(), "a cut waits for the group in flight");
  Offset file{};
  std::uint64_t length = 0;
  // A cut at a segment's very begin ends in the file before it, so that no file is left without frames.
  if (!everything && !s_.segments.empty() && kept.end > s_.segments.front()) {
    file = s_.segments.holding(Offset{kept.end.value - 1});
    length = kept.end - file;
    s_.segments.keep_through(file);
  } else {
    everything = true;
    s_.segments.clear();
  }
  if (everything) s_.terms.clear();
  ++in_flight_;
  s_.node.disk(TruncateLog{s_.id, everything, file, length}, [this, kept, done = std::move(done)](DiskDone&&) {
    --in_flight_;
    s_.durable = s_.written = kept;
    s_.dirty_tail = false;
    cut_terms(s_.terms, kept.end);
    done();
    settled_();
  });
}

void SegmentWriter::prepare_ahead() {
  if (s_.segments.empty() || prepared_for_ == s_.segments.open()) return;
  const std::uint64_t segment = s_.info.options.segment_size == 0 ? segment_size_default : s_.info.options.segment_size;
  if ((s_.durable.end - s_.segments.open()) * 2 < segment) return;
  prepared_for_ = s_.segments.open();
  s_.node.disk(PrepareNext{s_.id, file_size(false)}, [this](DiskDone&& d) {
    if (d.error != Errc::ok) {
      s_.no_space_until = s_.node.now + 1s;  // K5: refuse uploads while what is ordered can still be written
      prepared_for_ = no_offset;
    }
  });
}

}  // namespace loglog::storage
