// Pages of raw bytes become entries: verified, in order, frames put together where a page cut them.
#pragma once
#include <vector>

#include "proto-spec/disk/frame.h"
#include "sdk/core/output.h"

namespace loglog::client {

class FollowCursor {
 public:
  FollowCursor(LogId log, Offset from) : log_(log), next_(from) {}

  /// Offset of the first frame not given out yet.
  Offset next() const { return next_; }
  /// Where the next page must begin.
  Offset ask() const { return next_ + have_; }
  /// Bytes still missing of the frame that was cut; 0: none was.
  std::uint32_t missing() const { return have_ == 0 ? 0 : need_ - have_; }
  /// No frame was accepted since `from`: a mismatch may be an offset that is no entry's.
  bool at_first() const { return at_first_; }
  /// The offset is known to be a frame's.
  void confirm() { at_first_ = false; }
  /// Forgets the frame that was cut: another replica begins it anew.
  void drop_partial() {
    have_ = need_ = 0;
    partial_ = {};
  }
  /// Takes the bytes that begin at ask(), of a page that says that the log is committed up to
  /// `committed`; appends entries that begin below `until` to `out` (term and segment starts are
  /// passed over), and to `frames`, where given, the stored bytes of every frame. False: a frame
  /// does not verify, or would reach beyond `committed`, where a frame ends; next() stands at it.
  bool take(Bytes bytes, Offset committed, std::vector<Entry>& out, Offset until = no_offset,
            std::vector<Bytes>* frames = nullptr);

 private:
  FrameState accept(const Bytes& bytes, std::vector<Entry>& out, std::vector<Bytes>* frames);
  bool fill_partial(Bytes& bytes, std::vector<Entry>& out, std::vector<Bytes>* frames);
  bool take_frames(Bytes bytes, std::vector<Entry>& out, Offset until, std::vector<Bytes>* frames);

  LogId log_;
  Offset next_;
  bool at_first_ = true;
  Bytes partial_;           // buffer of need_ bytes
  std::uint32_t have_ = 0;  // of them came
  std::uint32_t need_ = 0;  // the whole frame, or its prefix where that is cut too
};

}  // namespace loglog::client
