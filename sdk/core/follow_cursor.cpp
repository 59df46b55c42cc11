// take() first completes the partial frame of the previous page, then takes whole frames from the
// page itself without a copy, and keeps the rest as the next partial frame.
#include "sdk/core/follow_cursor.h"

#include <algorithm>

namespace loglog::client {

/// Verifies the frame at next_, with which `bytes` begins. Returns it as an entry and moves on if
/// it is whole and good.
FrameState FollowCursor::accept(const Bytes& bytes, std::vector<Entry>& out,
                                std::vector<Bytes>* frames) {
  const FrameView v = look_at_frame(bytes, log_, next_, true);
  if (v.state != FrameState::good) return v.state;
  const Offset end = next_ + v.prefix.frame_length();
  if (v.prefix.kind == FrameKind::entry || v.prefix.kind == FrameKind::packed_entry)
    out.push_back({next_, end, v.prefix.term, v.prefix.producer, v.prefix.sequence,
                   v.prefix.kind == FrameKind::packed_entry,
                   bytes.slice(frame_prefix_size, v.prefix.payload_length)});
  if (frames != nullptr) frames->push_back(bytes.slice(0, v.prefix.frame_length()));
  next_ = end;
  at_first_ = false;
  return FrameState::good;
}

/// Completes the partial frame, and removes from `bytes` no more than it needs. False: the frame
/// does not verify.
bool FollowCursor::fill_partial(Bytes& bytes, std::vector<Entry>& out, std::vector<Bytes>* frames) {
  while (have_ > 0 && !bytes.empty()) {
    const auto n = static_cast<std::uint32_t>(std::min<std::size_t>(need_ - have_, bytes.size()));
    std::memcpy(partial_.mutable_data() + have_, bytes.data(), n);
    have_ += n;
    bytes = bytes.slice(n);
    if (have_ < need_) return true;
    // The prefix is whole, so the frame's length is known. The prefix is verified first: damaged
    // bytes must not size the buffer.
    if (need_ == frame_prefix_size) {
      const auto prefix = read_prefix(partial_.data());
      if (!prefix || look_at_frame(partial_.slice(0, have_), log_, next_, true).state !=
                         FrameState::incomplete)
        return false;
      Bytes whole = Bytes::allocate(prefix->frame_length());
      std::memcpy(whole.mutable_data(), partial_.data(), have_);
      partial_ = std::move(whole);
      need_ = prefix->frame_length();
      continue;
    }
    const Bytes frame = std::move(partial_);
    drop_partial();
    if (accept(frame, out, frames) != FrameState::good) return false;
  }
  return true;
}

/// Takes frames until `until` or the end of the bytes. False: the frame at next_ does not verify.
bool FollowCursor::take_frames(Bytes bytes, std::vector<Entry>& out, Offset until,
                               std::vector<Bytes>* frames) {
  if (!fill_partial(bytes, out, frames)) return false;
  while (!bytes.empty() && next_ < until) {
    const Offset before = next_;
    const FrameState s = accept(bytes, out, frames);
    if (s == FrameState::good) {
      bytes = bytes.slice(next_ - before);
      continue;
    }
    if (s != FrameState::incomplete) return false;
    need_ = frame_prefix_size;
    if (bytes.size() >= frame_prefix_size) {
      const auto prefix = read_prefix(bytes.data());
      if (!prefix) return false;
      need_ = prefix->frame_length();
    }
    have_ = static_cast<std::uint32_t>(bytes.size());
    partial_ = Bytes::allocate(need_);
    std::memcpy(partial_.mutable_data(), bytes.data(), have_);
    break;
  }
  return true;
}

bool FollowCursor::take(Bytes bytes, Offset committed, std::vector<Entry>& out, Offset until,
                        std::vector<Bytes>* frames) {
  // A frame ends at `committed`. A partial frame that claims more has a damaged length, and the
  // reader would wait for bytes that never come.
  const bool good = take_frames(std::move(bytes), out, until, frames) &&
                    (have_ == 0 || next_ + need_ <= committed);
  if (!good) drop_partial();
  return good;
}

}  // namespace loglog::client
