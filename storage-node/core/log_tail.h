// The end of a log, and how it moves over frames. The same walk serves writing, copying and
// recovery, so that all three agree on the chain and on the list of term starts. No I/O; the
// callers own the bytes.
#pragma once
#include <functional>
#include <vector>

#include "proto-spec/disk/frame.h"

namespace loglog::storage {

// A position between two frames, with the state of the log there.
struct Tail {
  Offset end{};
  /// Running hash over the stamped prefixes of all frames before `end` (F4). Equal chains at equal
  /// offsets mean equal logs.
  Chain chain{};
  /// Term of the last frame; 0: the log is empty.
  Term last_term{};
  /// The first frame end past the last MiB boundary; 0: none was seen. Durable carries it, because
  /// replicas rarely have equal tails but often have an equal checkpoint to compare (D4).
  Offset checkpoint{};
  Chain checkpoint_chain{};
};

/// Moves the tail over one stamped frame. `after` is the chain after it. A term that is new in the
/// log enters `terms`. The first frame of a term counts as its start, whatever its kind (F6).
void extend(Tail& tail, std::vector<TermStart>& terms, const std::byte* frame,
            const FramePrefix& prefix, Chain after);

// Result of scan_frames().
struct Scanned {
  std::size_t good_bytes = 0;
  /// Why the walk stopped. good: at the limit; incomplete: the buffer ends inside a frame; nothing
  /// or bad: no frame of this log stands there.
  FrameState stop = FrameState::incomplete;
};
/// Walks the stamped frames of `log` in `bytes`, which begin at tail.end, and stops at `limit`.
/// Moves `tail` and `terms` over each good frame. A frame of a lower term than the frame before it
/// is bad, because it is a remnant of a log that was cut. `before_frame` (may be empty) gets each
/// good frame's prefix and its position in `bytes`.
Scanned scan_frames(ByteSpan bytes, LogId log, Offset limit, bool verify_payloads, Tail& tail,
                    std::vector<TermStart>& terms,
                    const std::function<void(const FramePrefix&, std::size_t)>& before_frame = {});

/// Stamps a run's frame images in place with the term and the offsets that begin at the tail, and
/// moves the tail over them. The images must have passed check_images().
void stamp_run(Bytes& images, LogId log, Term term, Tail& tail, std::vector<TermStart>& terms);
/// Returns a copy of a run's frames with term and prefix checksum set to zero, as the client
/// uploaded them. A peer checks the copy against the run's reference.
Bytes unstamped_copy(ByteSpan frames);
/// Removes terms that begin at or after `end`.
void cut_terms(std::vector<TermStart>& terms, Offset end);
/// Removes terms that ended at or before `first`. The term in force at `first` stays.
void trim_terms(std::vector<TermStart>& terms, Offset first);

}  // namespace loglog::storage
