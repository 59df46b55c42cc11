// The strand orders its operations, so several may be requested at once: a file is closed, the next
// file is opened, and the first group is written to it.
#include "storage-node/core/store/segments/group_writer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "proto-spec/vocabulary/check.h"
#include "storage-node/core/rules.h"

namespace loglog::storage {

void GroupWriter::recovered(const RecoveredLog& r) {
  end_ = r.tail.end;
  torn_ = r.dirty_tail;
  counter_ = r.marks_counter;
  remains_ = r.remains;
}

Bytes GroupWriter::next_marks(const Tail& durable, const Vouch& vouch) {
  ++counter_;
  marked_durable_ = durable.end;
  marked_committed_ = vouch.committed;
  // K3: a node that stops while it fills a hole must come back as suspect, so the marks keep naming
  // the hole's end.
  return encode_marks(
      {counter_, std::max(durable.end, vouch.hole_until), durable.chain, vouch.committed});
}

/// Begins a new segment file at the durable tail.
std::optional<GroupWriter::Closing> GroupWriter::open_segment(const Tail& from,
                                                              const Vouch& vouch) {
  const Offset first = from.end;
  std::optional<Closing> closing;
  if (!segments_.empty()) {
    const Offset closed = segments_.open();
    closing = Closing{node_.disk(CloseSegment{log_, closed, first - closed}), closed};
  }
  Bytes header = encode_segment_header({node_.identity.cluster, log_, first, from.chain});
  // The new header carries marks at once, so that the committed offset survives a trim of the file
  // before it.
  const Bytes marks = next_marks(from, vouch);
  std::memcpy(header.mutable_data() + marks_slot_at[counter_ % 2], marks.data(), marks.size());
  space_.opening(node_.disk(OpenSegment{log_, first, std::move(header)}));
  // A file without frames was kept for its marks; the new header carries them from now on.
  if (remains_ != no_offset && remains_ != first)
    node_.disk(UnlinkSegments{log_, {remains_}, false});
  remains_ = no_offset;
  segments_.add(first);
  return closing;
}

std::optional<GroupWriter::Closing> GroupWriter::append(Group group, const Vouch& vouch) {
  check(!busy(), "one group in flight per log");
  check(!torn_, "a torn tail is cut before it is written over");
  check(group.from.end == end_, "a group continues at the end of the log");
  std::optional<Closing> closing;
  if (space_.opens_file(group.opens_segment)) closing = open_segment(group.from, vouch);
  space_.wrote(group.bytes);
  const Offset file = segments_.open();
  // The group's marks name the tail of the group before: the same fdatasync makes the group and
  // these marks durable, so they cannot vouch for the group itself (K3).
  Bytes marks = next_marks(group.from, vouch);
  const std::uint64_t marks_at = marks_slot_at[counter_ % 2];
  const Ticket ticket = node_.disk(WriteGroup{log_, file, segment_header_size + (end_ - file),
                                              std::move(group.frames), marks_at, std::move(marks),
                                              rules::syncs_groups()});
  under_way_ = {Ended::group, ticket, end_ + group.bytes};
  return closing;
}

void GroupWriter::write_marks(const Tail& durable, const Vouch& vouch) {
  check(!busy() && !segments_.empty(), "marks are written when the log is idle");
  const Offset file = segments_.open();
  Bytes marks = next_marks(durable, vouch);
  const Ticket ticket = node_.disk(WriteGroup{log_,
                                              file,
                                              segment_header_size + (end_ - file),
                                              {},
                                              marks_slot_at[counter_ % 2],
                                              std::move(marks),
                                              true});
  under_way_ = {Ended::marks, ticket, end_};
}

bool GroupWriter::cut(Cut cut, const Vouch& vouch) {
  check(!busy(), "a cut waits for the group in flight");
  const Tail& kept = cut.kept;
  const bool hole_stays_open = vouch.hole_until > kept.end;
  Offset file{};
  std::uint64_t length = 0;
  bool frames_stay = true;
  // A cut at a segment's first offset ends in the file before it, so that no file without frames
  // stays.
  if (!cut.everything && !segments_.empty() && kept.end > segments_.front()) {
    file = segments_.holding(Offset{kept.end.value - 1});
    length = kept.end - file;
    if (file != segments_.open())
      space_.found_capacity(segment_header_size + (segments_.end_of(file, end_) - file));
    // A damaged file may be shorter than it was, so no space beyond the kept bytes is counted on
    // (K5).
    if (cut.suspect) space_.found_capacity(segment_header_size + length);
    segments_.keep_through(file);
  } else {
    // The cut leaves no frame. While a hole is open the first file stays for its marks; otherwise
    // all files go.
    if (!segments_.empty()) remains_ = segments_.front();
    if (!hole_stays_open) remains_ = no_offset;
    cut.everything = remains_ == no_offset;
    if (!cut.everything) file = remains_;
    segments_.clear();
    frames_stay = false;
  }
  // The marks are durable before the cut (K3). A mark above the new tail would make the whole log
  // suspect at the next start, for as long as nothing is appended. Until the cut is done a lower
  // mark does no harm, because the bytes above it are to go. While a hole is open the marks keep
  // naming its end. Otherwise a node that stops between cut and copy would come back with a short
  // tail, and that tail would prove the absence of acknowledged bytes.
  if (!cut.everything && rules::writes_marks_before_cut(hole_stays_open)) {
    Bytes marks = next_marks(kept, vouch);
    node_.disk(WriteGroup{log_,
                          file,
                          segment_header_size + length,
                          {},
                          marks_slot_at[counter_ % 2],
                          std::move(marks),
                          true});
  }
  under_way_ = {Ended::cut, node_.disk(TruncateLog{log_, cut.everything, file, length}), kept.end};
  return frames_stay;
}

void GroupWriter::lose_from(Offset file, Offset end) {
  torn_ = true;
  segments_.keep_through(file);
  end_ = end;
}

GroupWriter::Ended GroupWriter::done(const DiskDone& d) {
  if (!busy() || d.ticket != under_way_.ticket) return Ended::nothing;
  end_ = under_way_.end;
  if (under_way_.what == Ended::cut) torn_ = false;
  return std::exchange(under_way_.what, Ended::nothing);
}

}  // namespace loglog::storage
