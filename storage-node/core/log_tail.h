// The end of a log, and how it moves over frames: one walk for writing, copying, and recovery.
#pragma once
#include <functional>
#include <vector>

#include "proto-spec/disk/frame.h"

namespace loglog::storage {

struct Tail {
  Offset end{};
  Chain chain{};
  Term last_term{};     ///< of the last frame; 0: empty
  Offset checkpoint{};  ///< first frame end past the last MiB boundary; 0: none seen
  Chain checkpoint_chain{};
};

/// Moves the tail over one stamped frame whose chain is already known, and notes where a term
/// begins: the entry of a term is its first frame, whatever its kind.
void extend(Tail& tail, std::vector<TermStart>& terms, const std::byte* frame,
            const FramePrefix& prefix, Chain after);

struct Scanned {
  std::size_t good_bytes = 0;
  /// good: the limit is reached; incomplete: more bytes are needed; nothing or bad: no frame there.
  FrameState stop = FrameState::incomplete;
};
/// Walks stamped frames of `log` from tail.end on, up to `limit`. A frame of a lower term than the
/// one before is bad: it is left from a log that was cut. `before_frame` (may be empty) is told
/// each good frame's place in `bytes`.
Scanned scan_frames(ByteSpan bytes, LogId log, Offset limit, bool verify_payloads, Tail& tail,
                    std::vector<TermStart>& terms,
                    const std::function<void(const FramePrefix&, std::size_t)>& before_frame = {});

/// Stamps the frames of a run's images in place at the tail and moves the tail over them.
void stamp_run(Bytes& images, LogId log, Term term, Tail& tail, std::vector<TermStart>& terms);
/// A copy of a run's frames with term and prefix checksum zero again.
Bytes unstamped_copy(ByteSpan frames);
/// Forgets terms that begin at or past `end`.
void cut_terms(std::vector<TermStart>& terms, Offset end);
/// Forgets terms that ended at or below `first`; the one in force there stays.
void trim_terms(std::vector<TermStart>& terms, Offset first);

}  // namespace loglog::storage
