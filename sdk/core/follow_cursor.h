// Turns pages of raw bytes into verified entries, in order. A page may end in the middle of a
// frame, so the cursor keeps the part and completes it from the next page. It verifies prefix,
// suffix and payload of every frame against log and offset (spec/06 "Checking"). Used by reads,
// follows and resolution; asks no node itself.
#pragma once
#include <vector>

#include "proto-spec/disk/frame.h"
#include "sdk/core/output.h"

namespace loglog::client {

class FollowCursor {
 public:
  FollowCursor(LogId log, Offset from) : log_(log), next_(from) {}

  /// Offset of the first frame that take() has not returned yet.
  Offset next() const { return next_; }
  /// Offset where the next page must begin: behind a partial frame.
  Offset ask() const { return next_ + have_; }
  /// Known missing bytes of the partial frame, of its prefix at first; 0: there is no partial
  /// frame.
  std::uint32_t missing() const { return have_ == 0 ? 0 : need_ - have_; }
  /// True if no frame was accepted yet. Then a mismatch may mean that no entry begins at `from`.
  bool at_first() const { return at_first_; }
  /// Tells the cursor that a frame is known to begin at its offset.
  void confirm() { at_first_ = false; }
  /// Forgets the partial frame, because another replica sends it from its beginning.
  void drop_partial() {
    have_ = need_ = 0;
    partial_ = {};
  }
  /// Takes the bytes of a page, which begin at ask(). Appends to `out` the entries that begin below
  /// `until` (term and segment starts are skipped), and to `frames`, unless nullptr, the stored
  /// bytes of every frame. The slices share the page's memory. Returns false if a frame does not
  /// verify, or claims to reach beyond `committed`, the page's committed offset, which is the end
  /// of a frame. next() is then the offset of that frame.
  bool take(Bytes bytes, Offset committed, std::vector<Entry>& out, Offset until = no_offset,
            std::vector<Bytes>* frames = nullptr);

 private:
  FrameState accept(const Bytes& bytes, std::vector<Entry>& out, std::vector<Bytes>* frames);
  bool fill_partial(Bytes& bytes, std::vector<Entry>& out, std::vector<Bytes>* frames);
  bool take_frames(Bytes bytes, std::vector<Entry>& out, Offset until, std::vector<Bytes>* frames);

  LogId log_;
  Offset next_;
  bool at_first_ = true;
  Bytes partial_;           // the partial frame, a buffer of need_ bytes
  std::uint32_t have_ = 0;  // bytes of partial_ that have arrived; 0: no partial frame
  std::uint32_t need_ = 0;  // length of the frame, or of its prefix while the prefix is not whole
};

}  // namespace loglog::client
